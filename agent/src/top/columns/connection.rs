//! Columns of the connection view.

use crate::model::ConnectionRow;

use super::{Column, Item, Shade, Table, Unit, Value, Width, peer::direction};

pub(super) static TABLE: Table = Table {
    title: "Connections",
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

const fn column(
    id: &'static str,
    header: &'static str,
    help: &'static str,
    unit: Unit,
    width: Width,
    rank: u8,
    value: for<'a> fn(Item<'a>) -> Value<'a>,
) -> Column {
    Column {
        id,
        header,
        help,
        unit,
        width,
        rank,
        shade: match unit {
            Unit::Latency => Shade::Latency,
            _ => Shade::Plain,
        },
        value,
    }
}

const COLUMNS: &[Column] = &[
    column(
        "remote",
        "REMOTE",
        "The other end",
        Unit::Text,
        Width::Stretch(20, 47),
        0,
        |item| {
            read(item, |row| {
                Value::Address(row.remote_ip, Some(row.remote_port))
            })
        },
    ),
    column(
        "direction",
        "DIR",
        "`in`: accepted by a listener here; `out`: opened from here",
        Unit::Text,
        Width::Fixed(3),
        1,
        |item| read(item, |row| direction(row.direction)),
    ),
    column(
        "local",
        "LOCAL",
        "This end",
        Unit::Text,
        Width::Stretch(16, 47),
        3,
        |item| {
            read(item, |row| {
                Value::Address(row.local_ip, Some(row.local_port))
            })
        },
    ),
    column(
        "state",
        "STATE",
        "State, as ss prints it",
        Unit::Text,
        Width::Fixed(10),
        4,
        |item| read(item, |row| Value::text(row.state)),
    ),
    column(
        "rtt",
        "RTT",
        "Smoothed round-trip time",
        Unit::Latency,
        Width::Fixed(6),
        1,
        |item| read(item, |row| Value::nanos(row.rtt_ns)),
    ),
    column(
        "min",
        "MIN",
        "Lowest round-trip time: the way without queues",
        Unit::Latency,
        Width::Fixed(6),
        8,
        |item| read(item, |row| Value::nanos(row.min_rtt_ns)),
    ),
    column(
        "unread",
        "UNREAD",
        "Bytes received and not read by the application here",
        Unit::Bytes,
        Width::Fixed(6),
        5,
        |item| read(item, |row| Value::Number(row.unread_bytes as f64)),
    ),
    column(
        "unacked",
        "UNACKED",
        "Bytes written and not acknowledged by the peer",
        Unit::Bytes,
        Width::Fixed(7),
        6,
        |item| read(item, |row| Value::Number(row.unacked_bytes as f64)),
    ),
    column(
        "sent",
        "SENT/s",
        "Payload bytes sent per second",
        Unit::Bytes,
        Width::Fixed(6),
        2,
        |item| read(item, |row| Value::Number(row.sent_rate)),
    ),
    column(
        "recv",
        "RECV/s",
        "Payload bytes received per second",
        Unit::Bytes,
        Width::Fixed(6),
        2,
        |item| read(item, |row| Value::Number(row.received_rate)),
    ),
    Column {
        shade: Shade::Limits(10.0, 1000.0),
        ..column(
            "retr",
            "RETR",
            "Segments retransmitted since it was opened",
            Unit::Count,
            Width::Fixed(5),
            7,
            |item| read(item, |row| Value::Number(row.retransmitted_segments as f64)),
        )
    },
    column(
        "total_sent",
        "SENT",
        "Payload bytes sent since it was opened",
        Unit::Bytes,
        Width::Fixed(5),
        10,
        |item| read(item, |row| Value::Number(row.sent_bytes as f64)),
    ),
    column(
        "total_recv",
        "RECV",
        "Payload bytes received since it was opened",
        Unit::Bytes,
        Width::Fixed(5),
        11,
        |item| read(item, |row| Value::Number(row.received_bytes as f64)),
    ),
    column(
        "netns",
        "NETNS",
        "Inode number of its network namespace",
        Unit::Text,
        Width::Fixed(10),
        9,
        |item| read(item, |row| Value::Text(row.netns.to_string().into())),
    ),
];
