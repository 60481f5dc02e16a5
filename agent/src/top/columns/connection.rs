//! Columns of the connection view.

use crate::model::{ConnectionRow, Owner};

use super::{
    Column, Item, Shade, Table, Unit, Value, Width,
    peer::direction,
    short::{self, number, text},
};

pub(super) static TABLE: Table = Table {
    title: "Connections",
    short: "Conns",
    columns: COLUMNS,
    sort: "rtt",
    tracked: ["rtt", "recv"],
    items: |snapshot| snapshot.connections.iter().map(Item::Connection).collect(),
};

fn read<'a>(item: Item<'a>, read: fn(&'a ConnectionRow) -> Value<'a>) -> Value<'a> {
    match item {
        Item::Connection(row) => read(row),
        _ => Value::Blank,
    }
}

/// One of the names of an owner; not known without one.
fn name(owner: Option<&Owner>, which: fn(&Owner) -> &str) -> Value<'_> {
    owner.map_or(Value::Absent, |owner| short::named(which(owner)))
}

const COLUMNS: &[Column] = &[
    text(
        "remote",
        "REMOTE",
        "The other end",
        Width::Stretch(18, 47),
        0,
        |item| {
            read(item, |row| {
                Value::Address(row.remote_ip, Some(row.remote_port))
            })
        },
    ),
    text(
        "direction",
        "DIR",
        "`in`: accepted by a listener here; `out`: opened from here",
        Width::Fixed(3),
        1,
        |item| read(item, |row| direction(row.direction)),
    ),
    text(
        "local",
        "LOCAL",
        "This end",
        Width::Stretch(12, 47),
        3,
        |item| {
            read(item, |row| {
                Value::Address(row.local_ip, Some(row.local_port))
            })
        },
    ),
    short::process(
        "Process that reads from it, else that opened it or listens",
        Width::Stretch(10, 30),
        2,
        |item| read(item, |row| name(row.owner.as_ref(), |owner| &owner.process)),
    ),
    short::user(7, |item| {
        read(item, |row| name(row.owner.as_ref(), |owner| &owner.user))
    }),
    short::service(8, |item| {
        read(item, |row| name(row.owner.as_ref(), |owner| &owner.service))
    }),
    text(
        "pid",
        "PID",
        "Id of that process",
        Width::Fixed(7),
        6,
        |item| read(item, |row| Value::number(row.pid.map(f64::from))),
    ),
    text(
        "state",
        "STATE",
        "State, as ss prints it",
        Width::Fixed(10),
        4,
        |item| read(item, |row| Value::text(row.state)),
    ),
    number(
        "rtt",
        "RTT",
        "Smoothed round-trip time",
        Unit::Latency,
        6,
        1,
        |item| read(item, |row| Value::nanos(row.rtt_ns)),
    ),
    number(
        "min",
        "MIN",
        "Lowest round-trip time: the way without queues",
        Unit::Latency,
        6,
        8,
        |item| read(item, |row| Value::nanos(row.min_rtt_ns)),
    ),
    number(
        "unread",
        "UNREAD",
        "Bytes received and not read by the application here",
        Unit::Bytes,
        6,
        5,
        |item| read(item, |row| Value::Number(row.unread_bytes as f64)),
    ),
    number(
        "unacked",
        "UNACKED",
        "Bytes written and not acknowledged by the peer",
        Unit::Bytes,
        7,
        6,
        |item| read(item, |row| Value::Number(row.unacked_bytes as f64)),
    ),
    number(
        "sent",
        "SENT/s",
        "Payload bytes sent per second",
        Unit::Bytes,
        6,
        2,
        |item| read(item, |row| Value::Number(row.sent_rate)),
    ),
    number(
        "recv",
        "RECV/s",
        "Payload bytes received per second",
        Unit::Bytes,
        6,
        2,
        |item| read(item, |row| Value::Number(row.received_rate)),
    ),
    Column {
        shade: Shade::Limits(10.0, 1000.0),
        ..number(
            "retr",
            "RETR",
            "Segments retransmitted since it was opened",
            Unit::Count,
            5,
            7,
            |item| read(item, |row| Value::Number(row.retransmitted_segments as f64)),
        )
    },
    number(
        "total_sent",
        "SENT",
        "Payload bytes sent since it was opened",
        Unit::Bytes,
        5,
        10,
        |item| read(item, |row| Value::Number(row.sent_bytes as f64)),
    ),
    number(
        "total_recv",
        "RECV",
        "Payload bytes received since it was opened",
        Unit::Bytes,
        5,
        11,
        |item| read(item, |row| Value::Number(row.received_bytes as f64)),
    ),
    text(
        "netns",
        "NETNS",
        "Inode number of its network namespace",
        Width::Fixed(10),
        9,
        |item| read(item, |row| Value::Text(row.netns.to_string().into())),
    ),
];
