//! Columns of the job view: processes that were started together.

use crate::model::{JobKey, JobRow};

use super::{
    Column, Item, Table, Unit, Value, Width,
    short::{number, text},
};

pub(super) static TABLE: Table = Table {
    title: "Jobs",
    short: "Jobs",
    columns: COLUMNS,
    sort: "cpu",
    tracked: ["cpu", "mem"],
    items: |snapshot| snapshot.jobs.iter().map(Item::Job).collect(),
};

fn read<'a>(item: Item<'a>, read: fn(&'a JobRow) -> Value<'a>) -> Value<'a> {
    match item {
        Item::Job(row) => read(row),
        _ => Value::Blank,
    }
}

fn rate(item: Item<'_>, of: fn(&JobRow) -> f64) -> Value<'_> {
    match item {
        Item::Job(row) => Value::Number(of(row)),
        _ => Value::Blank,
    }
}

const COLUMNS: &[Column] = &[
    text(
        "job",
        "JOB",
        "What runs, in the order of its start; shells are left out",
        Width::Stretch(20, 72),
        0,
        |item| read(item, |row| Value::text(&row.job)),
    ),
    text(
        "user",
        "USER",
        "User they run as",
        Width::Stretch(8, 14),
        2,
        |item| read(item, |row| Value::text(&row.user)),
    ),
    number(
        "cpu",
        "CPU%",
        "CPU over the last cycle, ended processes included; 100 is one CPU",
        Unit::Percent,
        6,
        1,
        |item| rate(item, |row| row.rates.cpu * 100.0),
    ),
    number(
        "mem",
        "MEM",
        "Anonymous resident memory, summed over the processes",
        Unit::Bytes,
        5,
        1,
        |item| {
            read(item, |row| {
                Value::count(row.memory.map(|memory| memory.anon))
            })
        },
    ),
    number(
        "swap",
        "SWAP",
        "Swapped-out memory, summed",
        Unit::Bytes,
        5,
        4,
        |item| {
            read(item, |row| {
                Value::count(row.memory.map(|memory| memory.swap))
            })
        },
    ),
    number(
        "read",
        "READ/s",
        "Bytes per second fetched from storage",
        Unit::Bytes,
        6,
        3,
        |item| read(item, |row| disk(row, row.rates.read_bytes)),
    ),
    number(
        "write",
        "WRITE/s",
        "Bytes per second sent to storage",
        Unit::Bytes,
        7,
        3,
        |item| read(item, |row| disk(row, row.rates.write_bytes)),
    ),
    number(
        "procs",
        "PROCS",
        "Processes now",
        Unit::Count,
        5,
        5,
        |item| rate(item, |row| row.processes as f64),
    ),
    number("threads", "THR", "Threads now", Unit::Count, 5, 8, |item| {
        rate(item, |row| row.threads as f64)
    }),
    number(
        "time",
        "TIME",
        "CPU time of these processes since their start",
        Unit::CpuTime,
        8,
        6,
        |item| rate(item, |row| row.cpu_ns as f64 / 1e9),
    ),
    number(
        "since",
        "SINCE",
        "Time since the oldest of them started",
        Unit::Span,
        8,
        3,
        |item| rate(item, |row| row.age_seconds),
    ),
    text(
        "of",
        "OF",
        "What holds them together: container or unit, or the session",
        Width::Stretch(14, 40),
        7,
        |item| {
            read(item, |row| match &row.key {
                JobKey::Service(service) => Value::text(service),
                JobKey::Session(session) => Value::Text(format!("session {session}").into()),
            })
        },
    ),
];

fn disk(row: &JobRow, rate: f64) -> Value<'_> {
    Value::number(row.disk.then_some(rate))
}
