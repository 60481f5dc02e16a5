//! Columns of the disk view: what each disk does and how long it takes, and below, for whom.

use hostlens_ebpf::wire::DiskOp;

use crate::{
    metric::WRITEBACK,
    model::{DiskOpRow, DiskRow, DiskUser, DiskVerdict, OTHER},
};

use super::{
    Column, Item, Shade, Table, Unit, Value, Width,
    short::{number, text},
};

pub(super) static TABLE: Table = Table {
    title: "Disks",
    short: "Disk",
    columns: COLUMNS,
    sort: "busy",
    tracked: ["busy", "wr95"],
    items: |snapshot| {
        let disks = snapshot.disks.iter().map(Item::Disk);
        disks
            .chain(snapshot.service_disks.iter().map(Item::DiskUser))
            .collect()
    },
};

fn disk<'a>(item: Item<'a>, read: fn(&'a DiskRow) -> Value<'a>) -> Value<'a> {
    match item {
        Item::Disk(row) => read(row),
        _ => Value::Blank,
    }
}

/// What is known of an operation; blank where it was never asked for.
fn of<'a>(item: Item<'a>, wanted: DiskOp, read: fn(&'a DiskOpRow) -> Value<'a>) -> Value<'a> {
    let ops = match item {
        Item::Disk(row) => &row.ops,
        Item::DiskUser(row) => &row.ops,
        _ => return Value::Blank,
    };
    let found = ops.iter().find(|op| op.op == wanted);
    found.map_or(Value::Blank, read)
}

/// A quantile from queued to done.
fn quantile(item: Item<'_>, op: DiskOp, at: usize) -> Value<'_> {
    if let Item::Disk(DiskRow { timed: false, .. }) = item {
        return Value::Absent;
    }
    let of_row = |quantiles: Option<[f64; 5]>| quantiles.and_then(|all| all.get(at).copied());
    let ops = match item {
        Item::Disk(row) => &row.ops,
        Item::DiskUser(row) => &row.ops,
        _ => return Value::Blank,
    };
    let found = ops.iter().find(|row| row.op == op);
    found.map_or(Value::Blank, |row| Value::number(of_row(row.io_quantiles)))
}

fn percent(ratio: Option<f64>) -> Value<'static> {
    Value::number(ratio.map(|ratio| ratio * 100.0))
}

/// How a disk does.
fn state(row: &DiskRow) -> Value<'static> {
    match row.verdict {
        Some(verdict @ DiskVerdict::Slow) => Value::State(2, verdict.name()),
        Some(verdict @ DiskVerdict::Scattered) => Value::State(1, verdict.name()),
        None if row.ops.iter().any(|op| op.errors > 0) => Value::State(1, "errors"),
        None => Value::Blank,
    }
}

const COLUMNS: &[Column] = &[
    text(
        "device",
        "DEVICE",
        "Disk; * in the lines of services: all of them",
        Width::Stretch(8, 16),
        0,
        |item| match item {
            Item::Disk(row) => Value::text(row.device.as_deref().unwrap_or(OTHER)),
            Item::DiskUser(_) => Value::text("*"),
            _ => Value::Blank,
        },
    ),
    text(
        "service",
        "SERVICE",
        "Container or unit; - for what belongs to none",
        Width::Stretch(9, 30),
        1,
        |item| match item {
            Item::DiskUser(row) => match &row.user {
                DiskUser::Service(name) if name.is_empty() => Value::Absent,
                DiskUser::Service(name) => Value::text(name),
                DiskUser::Writeback => Value::text(WRITEBACK),
                DiskUser::Folded => Value::text(OTHER),
            },
            _ => Value::Blank,
        },
    ),
    Column {
        unit: Unit::State,
        optional: true,
        ..text(
            "state",
            "STATE",
            "slow: busy all the time, far below its own best; scattered: the same with many requests; errors",
            Width::Fixed(9),
            2,
            |item| disk(item, state),
        )
    },
    Column {
        shade: Shade::Limits(80.0, 95.0),
        ..number(
            "busy",
            "BUSY%",
            "Share of the last 10 s with a request under way",
            Unit::Percent,
            6,
            1,
            |item| disk(item, |row| percent(row.busy_ratio)),
        )
    },
    number(
        "queue",
        "QUEUE",
        "Requests under way",
        Unit::Count,
        5,
        4,
        |item| disk(item, |row| Value::count(row.queue_length)),
    ),
    number(
        "read",
        "READ/s",
        "Bytes read per second",
        Unit::Bytes,
        6,
        2,
        |item| of(item, DiskOp::Read, |op| Value::Number(op.byte_rate)),
    ),
    number(
        "write",
        "WRITE/s",
        "Bytes written per second",
        Unit::Bytes,
        7,
        2,
        |item| of(item, DiskOp::Write, |op| Value::Number(op.byte_rate)),
    ),
    number(
        "reads",
        "RD/s",
        "Read requests per second",
        Unit::PerSecond,
        6,
        5,
        |item| of(item, DiskOp::Read, |op| Value::Number(op.request_rate)),
    ),
    number(
        "writes",
        "WR/s",
        "Write requests per second",
        Unit::PerSecond,
        6,
        5,
        |item| of(item, DiskOp::Write, |op| Value::Number(op.request_rate)),
    ),
    number(
        "rd50",
        "RD50",
        "Median time of reads from queued to done, last minute",
        Unit::Latency,
        6,
        4,
        |item| quantile(item, DiskOp::Read, 0),
    ),
    number(
        "rd95",
        "RD95",
        "95th percentile of the same",
        Unit::Latency,
        6,
        3,
        |item| quantile(item, DiskOp::Read, 2),
    ),
    number(
        "wr50",
        "WR50",
        "Median time of writes from queued to done, last minute",
        Unit::Latency,
        6,
        4,
        |item| quantile(item, DiskOp::Write, 0),
    ),
    number(
        "wr95",
        "WR95",
        "95th percentile of the same",
        Unit::Latency,
        6,
        3,
        |item| quantile(item, DiskOp::Write, 2),
    ),
    number(
        "fl95",
        "FLUSH95",
        "95th percentile of flushes, last minute",
        Unit::Latency,
        7,
        6,
        |item| quantile(item, DiskOp::Flush, 2),
    ),
    number(
        "best",
        "BEST/s",
        "Most bytes it moved per second in the last hours",
        Unit::Bytes,
        6,
        7,
        |item| disk(item, |row| Value::number(row.best_throughput)),
    ),
    number(
        "ofbest",
        "BEST%",
        "Bytes moved in the last 10 s as a share of that",
        Unit::Percent,
        5,
        7,
        |item| disk(item, |row| percent(row.of_best)),
    ),
];
