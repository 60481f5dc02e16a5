//! Columns of the peer view.

use hostlens_ebpf::wire::Direction;

use crate::model::{ConnectionState, OTHER, Owner, PeerKey, PeerRow, Remote};

use crate::top::answers;

use super::{
    Column, Item, Shade, Table, Unit, Value, Width, answer,
    short::{self, number, text},
};

pub(super) static TABLE: Table = Table {
    title: "Peers",
    short: "Peers",
    columns: COLUMNS,
    sort: "p95",
    tracked: ["p95", "recv"],
    items: answers::peers,
};

/// The two letters of a direction.
pub(super) fn direction(direction: Direction) -> Value<'static> {
    Value::text(match direction {
        Direction::Inbound => "in",
        Direction::Outbound => "out",
        Direction::Unknown => "?",
    })
}

/// Process of an owner; nothing without one.
pub(super) fn owner_name(owner: Option<&Owner>) -> Value<'_> {
    owner.map_or(Value::Blank, |owner| Value::text(&owner.process))
}

/// User of an owner; nothing without one.
pub(super) fn owner_user(owner: Option<&Owner>) -> Value<'_> {
    owner.map_or(Value::Blank, |owner| Value::text(&owner.user))
}

fn peer<'a>(item: Item<'a>, read: fn(&'a PeerRow) -> Value<'a>) -> Value<'a> {
    match item {
        Item::Peer(row, _) => read(row),
        _ => Value::Blank,
    }
}

/// What identifies a group of connections.
pub(super) fn key(item: Item<'_>) -> Option<PeerKey> {
    match item {
        Item::Peer(row, _) => Some(row.key),
        Item::Answers(row, _) => Some(row.key),
        _ => None,
    }
}

/// A figure of live connections only.
fn live(row: &PeerRow, value: u64) -> Value<'static> {
    if row.live {
        Value::Number(value as f64)
    } else {
        Value::Blank
    }
}

/// A remote end.
pub(super) fn remote(remote: Remote, port: Option<u16>) -> Value<'static> {
    match (remote, port) {
        (Remote::Ip(ip), port) => Value::Address(ip, port),
        (Remote::Other, Some(port)) => Value::Text(format!("{OTHER}:{port}").into()),
        (Remote::Other, None) => Value::text(OTHER),
    }
}

/// Connections in a state; none at all is known to be none.
fn connections(row: &PeerRow, counts: fn(ConnectionState) -> bool) -> Value<'static> {
    if !row.live {
        return Value::Number(0.0);
    }
    let states = ConnectionState::ALL.into_iter().zip(row.connections);
    let wanted = states.filter(|(state, _)| counts(*state));
    let known: Vec<u64> = wanted.filter_map(|(_, count)| count).collect();
    Value::count((!known.is_empty()).then(|| known.iter().sum()))
}

/// Quantile of the window at a position of [`crate::model::QUANTILES`].
fn quantile(item: Item<'_>, at: usize) -> Value<'_> {
    match item {
        Item::Peer(row, _) => {
            Value::number(row.rtt_quantiles.and_then(|values| values.get(at).copied()))
        }
        _ => Value::Blank,
    }
}

const COLUMNS: &[Column] = &[
    text(
        "remote",
        "REMOTE",
        "Other end, `other` outside the own networks or the budget",
        Width::Stretch(18, 47),
        0,
        |item| match key(item) {
            Some(PeerKey::Inbound { remote: who, .. }) => remote(who, None),
            Some(PeerKey::Outbound {
                remote: who,
                remote_port,
            }) => remote(who, Some(remote_port)),
            Some(PeerKey::Folded(_)) => Value::text(OTHER),
            None => Value::Blank,
        },
    ),
    text(
        "direction",
        "DIR",
        "`in`: accepted by a listener here; `out`: opened from here",
        Width::Fixed(3),
        1,
        |item| key(item).map_or(Value::Blank, |key| direction(key.direction())),
    ),
    text(
        "listen",
        "LISTEN",
        "The listener here that inbound connections arrived at",
        Width::Stretch(9, 47),
        2,
        |item| match key(item) {
            Some(PeerKey::Inbound {
                listen_ip,
                listen_port,
                ..
            }) => Value::Address(listen_ip, Some(listen_port)),
            _ => Value::Blank,
        },
    ),
    Column {
        optional: true,
        ..short::process(
            "Process here (with --tcp-process-label)",
            Width::Stretch(10, 30),
            2,
            |item| peer(item, |row| owner_name(row.owner.as_ref())),
        )
    },
    Column {
        optional: true,
        ..short::user(6, |item| peer(item, |row| owner_user(row.owner.as_ref())))
    },
    number(
        "conns",
        "CONNS",
        "Connections now, TIME_WAIT left out",
        Unit::Count,
        5,
        3,
        |item| {
            peer(item, |row| {
                connections(row, |state| state != ConnectionState::TimeWait)
            })
        },
    ),
    answer::RESP50,
    answer::PEER50,
    answer::WHERE50,
    answer::RESP95,
    answer::PEER95,
    answer::WHERE95,
    answer::NETWORK,
    answer::ANSWERS,
    answer::EXCLUDED,
    number(
        "p50",
        "p50",
        "Median round-trip time over the last minute",
        Unit::Latency,
        6,
        1,
        |item| quantile(item, 0),
    ),
    number(
        "p95",
        "p95",
        "95 % of round-trip times were at most this",
        Unit::Latency,
        6,
        1,
        |item| quantile(item, 2),
    ),
    number(
        "p99",
        "p99",
        "99 % of round-trip times were at most this",
        Unit::Latency,
        6,
        4,
        |item| quantile(item, 3),
    ),
    number(
        "max",
        "MAX",
        "Largest round-trip time of the last minute",
        Unit::Latency,
        6,
        7,
        |item| quantile(item, 4),
    ),
    number(
        "min",
        "MIN",
        "Lowest round-trip time: the way without queues",
        Unit::Latency,
        6,
        9,
        |item| {
            peer(item, |row| {
                if row.live {
                    Value::nanos(row.min_rtt_ns)
                } else {
                    Value::Blank
                }
            })
        },
    ),
    Column {
        shade: Shade::Limits(1.0, 5.0),
        ..number(
            "retr",
            "RETR%",
            "Segments retransmitted, percent of those sent",
            Unit::Percent,
            5,
            4,
            |item| {
                peer(item, |row| {
                    Value::number(row.rates.retransmit_ratio.map(|ratio| ratio * 100.0))
                })
            },
        )
    },
    number(
        "sent",
        "SENT/s",
        "Payload bytes sent per second",
        Unit::Bytes,
        6,
        5,
        |item| peer(item, |row| Value::Number(row.rates.sent_bytes)),
    ),
    number(
        "recv",
        "RECV/s",
        "Payload bytes received per second",
        Unit::Bytes,
        6,
        5,
        |item| peer(item, |row| Value::Number(row.rates.received_bytes)),
    ),
    number(
        "unread",
        "UNREAD",
        "Bytes received and not read by the application here",
        Unit::Bytes,
        6,
        8,
        |item| peer(item, |row| live(row, row.unread_bytes)),
    ),
    number(
        "unacked",
        "UNACKED",
        "Bytes written and not acknowledged by the peer",
        Unit::Bytes,
        7,
        8,
        |item| peer(item, |row| live(row, row.unacked_bytes)),
    ),
    number(
        "estab",
        "ESTAB",
        "Established connections",
        Unit::Count,
        5,
        12,
        |item| {
            peer(item, |row| {
                connections(row, |state| state == ConnectionState::Established)
            })
        },
    ),
    number(
        "synsent",
        "SYNSENT",
        "Connections whose first packet is not answered yet",
        Unit::Count,
        7,
        13,
        |item| {
            peer(item, |row| {
                connections(row, |state| state == ConnectionState::SynSent)
            })
        },
    ),
    number(
        "closewait",
        "CLOSEW",
        "Closed by the peer, not yet closed here",
        Unit::Count,
        6,
        11,
        |item| {
            peer(item, |row| {
                connections(row, |state| state == ConnectionState::CloseWait)
            })
        },
    ),
    number(
        "timewait",
        "TIMEW",
        "Connections in TIME_WAIT",
        Unit::Count,
        5,
        10,
        |item| {
            peer(item, |row| {
                connections(row, |state| state == ConnectionState::TimeWait)
            })
        },
    ),
];
