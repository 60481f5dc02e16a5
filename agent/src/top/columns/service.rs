//! Columns of the service view: how connections of a process live and end, and what is lost.

use crate::model::{CloseReason, OTHER, Owner, ServiceKey, ServiceRow};

use super::{
    Column, Item, Shade, Table, Unit, Value, Width,
    peer::direction,
    short::{self, number, port, text},
};

pub(super) static TABLE: Table = Table {
    title: "Services",
    short: "Servs",
    columns: COLUMNS,
    sort: "opens",
    tracked: ["opens", "life"],
    items: |snapshot| snapshot.services.iter().map(Item::Service).collect(),
};

fn read<'a>(item: Item<'a>, read: fn(&'a ServiceRow) -> Value<'a>) -> Value<'a> {
    match item {
        Item::Service(row) => read(row),
        _ => Value::Blank,
    }
}

fn name(row: &ServiceRow, which: fn(&Owner) -> &str) -> Value<'_> {
    short::named(match &row.key {
        ServiceKey::Service { owner, .. } => which(owner),
        ServiceKey::Folded(_) => OTHER,
    })
}

/// Ends of one kind; not known where ends are not seen.
fn ends(row: &ServiceRow, wanted: CloseReason) -> Value<'static> {
    let of = |counts: [u64; CloseReason::ALL.len()]| {
        let mut reasons = CloseReason::ALL.into_iter().zip(counts);
        reasons.find(|(reason, _)| *reason == wanted)
    };
    Value::count(row.closed.and_then(of).map(|(_, count)| count))
}

const COLUMNS: &[Column] = &[
    short::process(
        "Process whose connections these are",
        Width::Stretch(12, 30),
        0,
        |item| read(item, |row| name(row, |owner| &owner.process)),
    ),
    short::user(5, |item| read(item, |row| name(row, |owner| &owner.user))),
    short::service(6, |item| {
        read(item, |row| name(row, |owner| &owner.service))
    }),
    text(
        "direction",
        "DIR",
        "`in`: accepted by a listener here; `out`: opened from here",
        Width::Fixed(3),
        1,
        |item| read(item, |row| direction(row.direction())),
    ),
    text(
        "port",
        "PORT",
        "Port of the listener (in), remote port (out)",
        Width::Fixed(5),
        1,
        |item| {
            read(item, |row| match &row.key {
                ServiceKey::Service { port: number, .. } => port(*number),
                ServiceKey::Folded(_) => Value::text(OTHER),
            })
        },
    ),
    Column {
        unit: Unit::State,
        ..text(
            "state",
            "STATE",
            "`storm`: opens rise, and most live less than a second",
            Width::Fixed(5),
            2,
            |item| {
                read(item, |row| {
                    if row.rates.storm {
                        Value::State(2, "storm")
                    } else {
                        Value::State(0, "")
                    }
                })
            },
        )
    },
    number(
        "conns",
        "CONNS",
        "Connections established now",
        Unit::Count,
        5,
        4,
        |item| {
            read(item, |row| {
                Value::Number(if row.live {
                    row.connections as f64
                } else {
                    0.0
                })
            })
        },
    ),
    number(
        "opens",
        "OPEN/s",
        "Connections opened per second",
        Unit::PerSecond,
        6,
        1,
        |item| read(item, |row| Value::Number(row.rates.opened)),
    ),
    number(
        "closes",
        "CLOSE/s",
        "Connections ended per second",
        Unit::PerSecond,
        7,
        3,
        |item| {
            read(item, |row| {
                Value::number(row.closed.map(|_| row.rates.closed))
            })
        },
    ),
    Column {
        shade: Shade::Plain,
        ..number(
            "life",
            "LIFE",
            "Median life of those that ended in the last minute",
            Unit::Latency,
            6,
            2,
            |item| read(item, |row| Value::number(row.rates.lifetime_median)),
        )
    },
    number(
        "connect",
        "CONNECT",
        "Median handshake of the last minute (out)",
        Unit::Latency,
        7,
        4,
        |item| {
            read(item, |row| match row.direction() {
                hostlens_ebpf::wire::Direction::Inbound => Value::Blank,
                _ => Value::number(row.rates.connect_median),
            })
        },
    ),
    Column {
        shade: Shade::Limits(1.0, 1024.0),
        ..number(
            "unread",
            "UNRD/s",
            "Bytes per second lost unread when connections ended",
            Unit::Bytes,
            6,
            3,
            |item| {
                read(item, |row| {
                    Value::number(row.unread_bytes.map(|_| row.rates.unread_bytes))
                })
            },
        )
    },
    Column {
        shade: Shade::Limits(1.0, 1024.0),
        ..number(
            "unacked",
            "UNACK/s",
            "Bytes per second lost unacknowledged when they ended",
            Unit::Bytes,
            7,
            3,
            |item| {
                read(item, |row| {
                    Value::number(row.unacked_bytes.map(|_| row.rates.unacked_bytes))
                })
            },
        )
    },
    number(
        "total_unread",
        "UNREAD",
        "Bytes lost unread since the group was first seen",
        Unit::Bytes,
        6,
        6,
        |item| read(item, |row| Value::count(row.unread_bytes)),
    ),
    number(
        "total_unacked",
        "UNACKED",
        "Bytes lost unacknowledged since the group was first seen",
        Unit::Bytes,
        7,
        6,
        |item| read(item, |row| Value::count(row.unacked_bytes)),
    ),
    number(
        "opened",
        "OPENED",
        "Connections opened since the group was first seen",
        Unit::Count,
        6,
        7,
        |item| read(item, |row| Value::Number(row.opened as f64)),
    ),
    number(
        "reset_received",
        "RSTIN",
        "Connections that the peer reset, since then",
        Unit::Count,
        5,
        8,
        |item| read(item, |row| ends(row, CloseReason::ResetReceived)),
    ),
    number(
        "reset_sent",
        "RSTOUT",
        "Connections reset from here, since then",
        Unit::Count,
        6,
        8,
        |item| read(item, |row| ends(row, CloseReason::ResetSent)),
    ),
    number(
        "aborted_unread",
        "ABORT",
        "Connections closed here with bytes unread, since then",
        Unit::Count,
        5,
        8,
        |item| read(item, |row| ends(row, CloseReason::AbortedUnread)),
    ),
    number(
        "timeouts",
        "TMOUT",
        "Connections whose peer fell silent, since then",
        Unit::Count,
        5,
        8,
        |item| read(item, |row| ends(row, CloseReason::Timeout)),
    ),
];
