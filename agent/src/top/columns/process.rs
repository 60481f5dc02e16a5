//! Columns of the process view; an expanded group's members share them.

use std::borrow::Cow;

use crate::model::{ExitReason, MemberRow, Memory, ProcessRates, ProcessRow, SwapRates};

use super::{
    Column, Item, Shade, Table, Unit, Value, Width,
    short::{self, number, text},
};

pub(super) static TABLE: Table = Table {
    title: "Processes",
    short: "Procs",
    columns: COLUMNS,
    sort: "cpu",
    tracked: ["cpu", "mem"],
    items: |snapshot| snapshot.processes.iter().map(Item::Process).collect(),
};

/// Where both kinds of line have the figure.
fn rate(item: Item<'_>, read: fn(&ProcessRates) -> f64) -> Value<'_> {
    match item {
        Item::Process(row) => Value::Number(read(&row.rates)),
        Item::Member(row, _) => Value::Number(read(&row.rates)),
        _ => Value::Blank,
    }
}

fn memory(item: Item<'_>, read: fn(&Memory) -> u64) -> Value<'_> {
    match item {
        Item::Process(row) => Value::count(row.memory.as_ref().map(read)),
        Item::Member(row, _) => Value::count(row.memory.as_ref().map(read)),
        _ => Value::Blank,
    }
}

fn both<'a>(
    item: Item<'a>,
    group: fn(&'a ProcessRow) -> Value<'a>,
    member: fn(&'a MemberRow) -> Value<'a>,
) -> Value<'a> {
    match item {
        Item::Process(row) => group(row),
        Item::Member(row, _) => member(row),
        _ => Value::Blank,
    }
}

/// Ends of the group's processes for which `counts` holds.
fn ends(row: &ProcessRow, counts: fn(ExitReason) -> bool) -> Value<'_> {
    let sum = |exits: &Vec<(ExitReason, u64, bool)>| {
        let matching = exits.iter().filter(|(reason, ..)| counts(*reason));
        matching.map(|(_, count, _)| *count).sum()
    };
    Value::count(row.exited.as_ref().map(sum))
}

const COLUMNS: &[Column] = &[
    text(
        "process",
        "PROCESS",
        "Name the processes are grouped by; `p` lists them singly",
        Width::Stretch(14, 48),
        0,
        |item| {
            both(
                item,
                |row| Value::text(&row.process),
                |row| Value::Text(Cow::Owned(format!("pid {}", row.pid))),
            )
        },
    ),
    text(
        "user",
        "USER",
        "User they run as (a number if it has no name here)",
        Width::Stretch(8, 14),
        2,
        |item| {
            both(
                item,
                |row| Value::text(&row.user),
                |row| Value::text(&row.user),
            )
        },
    ),
    short::service(4, |item| {
        both(
            item,
            |row| short::named(&row.service),
            |row| short::named(&row.service),
        )
    }),
    number(
        "cpu",
        "CPU%",
        "CPU over the last cycle, ended processes included; 100 is one CPU",
        Unit::Percent,
        6,
        1,
        |item| rate(item, |rates| rates.cpu * 100.0),
    ),
    number(
        "mem",
        "MEM",
        "Anonymous resident memory, summed over the processes",
        Unit::Bytes,
        5,
        1,
        |item| memory(item, |memory| memory.anon),
    ),
    number(
        "swap",
        "SWAP",
        "Swapped-out memory, summed",
        Unit::Bytes,
        5,
        5,
        |item| memory(item, |memory| memory.swap),
    ),
    number(
        "file",
        "FILE",
        "Resident file pages of the largest process (they are shared)",
        Unit::Bytes,
        5,
        11,
        |item| memory(item, |memory| memory.file),
    ),
    number(
        "shm",
        "SHM",
        "Resident shared memory of the largest process",
        Unit::Bytes,
        5,
        10,
        |item| memory(item, |memory| memory.shmem),
    ),
    number(
        "read",
        "READ/s",
        "Bytes per second fetched from storage",
        Unit::Bytes,
        6,
        3,
        |item| {
            io(
                item,
                |row| row.read_bytes.is_some(),
                |rates| rates.read_bytes,
            )
        },
    ),
    number(
        "write",
        "WRITE/s",
        "Bytes per second sent to storage",
        Unit::Bytes,
        7,
        3,
        |item| {
            io(
                item,
                |row| row.write_bytes.is_some(),
                |rates| rates.write_bytes,
            )
        },
    ),
    number(
        "swap_in",
        "SWIN/s",
        "Bytes per second read from swap",
        Unit::Bytes,
        6,
        9,
        |item| swap(item, |rates| rates.in_bytes),
    ),
    number(
        "swap_out",
        "SWOUT/s",
        "Bytes per second of its pages written to swap, by whomever",
        Unit::Bytes,
        7,
        9,
        |item| swap(item, |rates| rates.out_bytes),
    ),
    Column {
        shade: Shade::Limits(10.0, 100.0),
        ..number(
            "majf",
            "MAJF/s",
            "Major page faults per second: each waited for a disk",
            Unit::PerSecond,
            6,
            9,
            |item| rate(item, |rates| rates.major_faults),
        )
    },
    number(
        "fds",
        "FDS",
        "Open file descriptors",
        Unit::Count,
        5,
        6,
        |item| {
            both(
                item,
                |row| Value::count(row.open_fds),
                |row| Value::count(row.open_fds),
            )
        },
    ),
    Column {
        shade: Shade::Limits(70.0, 90.0),
        ..number(
            "fd_limit",
            "FD%",
            "Open descriptors in percent of the limit, worst process",
            Unit::Percent,
            5,
            8,
            |item| {
                both(
                    item,
                    |row| Value::number(row.fd_limit_ratio.map(|ratio| ratio * 100.0)),
                    |_| Value::Blank,
                )
            },
        )
    },
    number(
        "procs",
        "PROCS",
        "Processes now",
        Unit::Count,
        5,
        4,
        |item| {
            both(
                item,
                |row| Value::Number(row.processes as f64),
                |_| Value::Blank,
            )
        },
    ),
    number("threads", "THR", "Threads now", Unit::Count, 5, 7, |item| {
        both(
            item,
            |row| Value::Number(row.threads as f64),
            |row| Value::Number(f64::from(row.threads)),
        )
    }),
    number(
        "time",
        "TIME",
        "CPU time: a process since its start, a group since first seen",
        Unit::CpuTime,
        8,
        12,
        |item| {
            both(
                item,
                |row| Value::Number((row.user_ns + row.system_ns) as f64 / 1e9),
                |row| Value::Number(row.cpu_ns as f64 / 1e9),
            )
        },
    ),
    number(
        "started",
        "STARTED",
        "Processes that started since the group was first seen",
        Unit::Count,
        7,
        13,
        |item| {
            both(
                item,
                |row| Value::Number(row.started as f64),
                |_| Value::Blank,
            )
        },
    ),
    number(
        "exited",
        "EXITED",
        "Processes that ended since the group was first seen",
        Unit::Count,
        6,
        14,
        |item| both(item, |row| ends(row, |_| true), |_| Value::Blank),
    ),
    Column {
        shade: Shade::Limits(1.0, f64::INFINITY),
        ..number(
            "failed",
            "FAILED",
            "Of those, with a status other than 0 or by a signal",
            Unit::Count,
            6,
            15,
            |item| {
                both(
                    item,
                    |row| {
                        ends(row, |why| {
                            matches!(
                                why,
                                ExitReason::Failure | ExitReason::Signal(_) | ExitReason::Oom
                            )
                        })
                    },
                    |_| Value::Blank,
                )
            },
        )
    },
    Column {
        shade: Shade::Limits(1.0, 1.0),
        ..number(
            "oom",
            "OOM",
            "Of those, killed as memory ran out",
            Unit::Count,
            4,
            16,
            |item| {
                both(
                    item,
                    |row| ends(row, |why| why == ExitReason::Oom),
                    |_| Value::Blank,
                )
            },
        )
    },
    Column {
        shade: Shade::Limits(50.0, 100.0),
        ..number(
            "wait",
            "WAIT%",
            "Runnable and waiting for a CPU; 100 % is one thread all the time",
            Unit::Percent,
            5,
            17,
            |item| {
                io(
                    item,
                    |row| row.run_delay_ns.is_some(),
                    |rates| rates.run_delay * 100.0,
                )
            },
        )
    },
    Column {
        shade: Shade::Limits(50.0, 100.0),
        ..number(
            "blocked",
            "BLOCK%",
            "Waiting for storage; needs kernel.task_delayacct=1 at their start",
            Unit::Percent,
            6,
            18,
            |item| {
                io(
                    item,
                    |row| row.block_delay_ns.is_some(),
                    |rates| rates.block_delay * 100.0,
                )
            },
        )
    },
];

/// Swap I/O, absent while there is no swap.
fn swap(item: Item<'_>, read: fn(&SwapRates) -> f64) -> Value<'_> {
    match item {
        Item::Process(row) => Value::number(row.rates.swap.as_ref().map(read)),
        Item::Member(row, _) => Value::number(row.rates.swap.as_ref().map(read)),
        _ => Value::Blank,
    }
}

/// A rate, absent where the kernel does not account what it is of.
fn io(item: Item<'_>, known: fn(&ProcessRow) -> bool, read: fn(&ProcessRates) -> f64) -> Value<'_> {
    match item {
        Item::Process(row) if !known(row) => Value::Absent,
        Item::Member(_, group) if !group.is_some_and(known) => Value::Absent,
        other => rate(other, read),
    }
}
