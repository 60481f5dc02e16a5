//! Columns of the listener view: who listens and keeps up or not, and the ports that refuse.

use crate::model::{
    ListenerKey, ListenerRow, ListenerTurnRow, OTHER, Owner, RefusedKey, RefusedRow,
};

use crate::top::answers;

use super::{
    Column, Item, Shade, Table, Unit, Value, Width, answer,
    short::{self, number, text},
};

pub(super) static TABLE: Table = Table {
    title: "Listeners",
    short: "Listen",
    columns: COLUMNS,
    sort: "state",
    tracked: ["queue", "drops"],
    items: |snapshot| {
        let mut items = answers::listeners(snapshot);
        items.extend(snapshot.refused.iter().map(Item::Refused));
        items
    },
};

fn both<'a>(
    item: Item<'a>,
    listener: fn(&'a ListenerRow) -> Value<'a>,
    refused: fn(&'a RefusedRow) -> Value<'a>,
) -> Value<'a> {
    match item {
        Item::Listener(row, _) => listener(row),
        Item::Refused(row) => refused(row),
        _ => Value::Blank,
    }
}

/// A figure of sockets there are now.
fn live<'a>(item: Item<'a>, figure: fn(&ListenerRow) -> Option<f64>) -> Value<'a> {
    match item {
        Item::Listener(row, _) if row.live => Value::number(figure(row)),
        _ => Value::Blank,
    }
}

/// What was counted, whether or not there are sockets still.
fn counted<'a>(item: Item<'a>, count: fn(&ListenerRow) -> Option<u64>) -> Value<'a> {
    match item {
        Item::Listener(row, _) => Value::count(count(row)),
        _ => Value::Blank,
    }
}

/// One of the names of who listens, or did last.
fn name(item: Item<'_>, which: fn(&Owner) -> &str) -> Value<'_> {
    match item {
        Item::Listener(ListenerRow { key, .. }, _)
        | Item::Turns(ListenerTurnRow { key, .. }, _) => match key {
            ListenerKey::Bound { owner, .. } => short::named(which(owner)),
            ListenerKey::Folded => Value::text(OTHER),
        },
        Item::Refused(row) => match &row.key {
            RefusedKey::Port { last, .. } => last
                .as_ref()
                .map_or(Value::Absent, |owner| short::named(which(owner))),
            RefusedKey::Folded => Value::text(OTHER),
        },
        _ => Value::Blank,
    }
}

/// Where somebody listens, or did.
fn place(item: Item<'_>) -> Value<'_> {
    let place = match item {
        Item::Listener(ListenerRow { key, .. }, _)
        | Item::Turns(ListenerTurnRow { key, .. }, _) => match key {
            ListenerKey::Bound { ip, port, .. } => Some((*ip, *port)),
            ListenerKey::Folded => None,
        },
        Item::Refused(row) => match &row.key {
            RefusedKey::Port { ip, port, .. } => Some((*ip, *port)),
            RefusedKey::Folded => None,
        },
        _ => return Value::Blank,
    };
    place.map_or(Value::text(OTHER), |(ip, port)| {
        Value::Address(ip, Some(port))
    })
}

/// How a listener does, in the words of the label `reason`.
fn state(row: &ListenerRow) -> Value<'static> {
    match &row.saturation {
        Some(saturation) => Value::State(2, saturation.reason.name()),
        None if row.live && row.judged => Value::State(0, "ok"),
        // No verdict on why, but a fact.
        None if row.live && row.queue_length >= row.queue_limit.max(1) => Value::State(1, "full"),
        None if row.live => Value::Absent,
        None => Value::State(0, "gone"),
    }
}

const COLUMNS: &[Column] = &[
    short::process(
        "Process that listens; on a port that refuses, that did last",
        Width::Stretch(10, 30),
        0,
        |item| name(item, |owner| &owner.process),
    ),
    short::user(5, |item| name(item, |owner| &owner.user)),
    short::service(6, |item| name(item, |owner| &owner.service)),
    text(
        "listen",
        "LISTEN",
        "Address and port; `*` is every IPv4 address, `[::]` every one",
        Width::Stretch(15, 47),
        1,
        place,
    ),
    Column {
        unit: Unit::State,
        ..text(
            "state",
            "STATE",
            "Whether it keeps up, and why not; `refused`: nobody listens",
            Width::Stretch(12, 17),
            1,
            |item| {
                both(item, state, |row| {
                    Value::State(u8::from(row.rate > 0.0), "refused")
                })
            },
        )
    },
    number(
        "queue",
        "QUEUE",
        "Connections waiting to be accepted, of the fullest socket",
        Unit::Count,
        5,
        2,
        |item| live(item, |row| Some(row.queue_length as f64)),
    ),
    number(
        "limit",
        "LIMIT",
        "How many may wait there",
        Unit::Count,
        5,
        2,
        |item| live(item, |row| Some(row.queue_limit as f64)),
    ),
    number(
        "high",
        "HIGH",
        "Longest queue of the last minute",
        Unit::Count,
        5,
        4,
        |item| live(item, |row| Some(row.high_water as f64)),
    ),
    Column {
        shade: Shade::Limits(0.2, 1.0),
        ..number(
            "wait",
            "WAIT",
            "How long the oldest of them has waited",
            Unit::Latency,
            6,
            2,
            |item| live(item, |row| row.oldest_wait_seconds),
        )
    },
    answer::WAIT50,
    answer::SERVE50,
    Column {
        rank: 1,
        ..answer::WHERE50
    },
    answer::NET95,
    answer::WAIT95,
    answer::SERVE95,
    answer::WHERE95,
    answer::ANSWERS,
    number(
        "accepts",
        "ACC/s",
        "Connections accepted per second",
        Unit::PerSecond,
        6,
        3,
        |item| match item {
            Item::Listener(row, _) => Value::number(row.accepted.map(|_| row.rates.accepted)),
            _ => Value::Blank,
        },
    ),
    Column {
        shade: Shade::Limits(0.05, 1.0),
        ..number(
            "drops",
            "DROP/s",
            "Requests dropped or refused per second",
            Unit::PerSecond,
            6,
            2,
            |item| {
                both(
                    item,
                    |row| Value::Number(row.rates.drops),
                    |row| Value::Number(row.rate),
                )
            },
        )
    },
    number(
        "total_drops",
        "DROPS",
        "Requests dropped or refused since it was first seen",
        Unit::Count,
        5,
        7,
        |item| {
            both(
                item,
                |row| Value::Number(row.drops as f64),
                |row| Value::Number(row.refused as f64),
            )
        },
    ),
    number(
        "procs",
        "PROCS",
        "Processes that hold one of its sockets",
        Unit::Count,
        5,
        6,
        |item| live(item, |row| row.processes.map(|count| count as f64)),
    ),
    number(
        "threads",
        "THR",
        "Their threads",
        Unit::Count,
        5,
        6,
        |item| live(item, |row| row.threads.map(|count| count as f64)),
    ),
    number(
        "sockets",
        "SOCKS",
        "Listening sockets with this address, port, process and user",
        Unit::Count,
        5,
        8,
        |item| live(item, |row| Some(row.sockets as f64)),
    ),
    Column {
        shade: Shade::Limits(2.0, 4.0),
        ..number(
            "skew",
            "SKEW",
            "Accepts of its busiest socket or worker over the mean",
            Unit::Factor,
            5,
            9,
            |item| live(item, |row| row.accept_imbalance),
        )
    },
    number(
        "gone",
        "GONE",
        "How long ago the last listener on a port that refuses went",
        Unit::Latency,
        6,
        8,
        |item| match item {
            Item::Refused(row) => Value::number(row.gone_seconds),
            _ => Value::Blank,
        },
    ),
    number(
        "accepted",
        "ACCEPTED",
        "Connections accepted since it was first seen",
        Unit::Count,
        8,
        10,
        |item| counted(item, |row| row.accepted),
    ),
    number(
        "resets",
        "RESETS",
        "Resets sent instead of a place in the queue",
        Unit::Count,
        6,
        11,
        |item| counted(item, |row| row.resets),
    ),
    text(
        "netns",
        "NETNS",
        "Network namespace of the fullest socket",
        Width::Fixed(10),
        12,
        |item| match item {
            Item::Listener(row, _) if row.live => Value::Text(row.netns.to_string().into()),
            _ => Value::Blank,
        },
    ),
];
