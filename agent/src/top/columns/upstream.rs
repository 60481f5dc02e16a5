//! Columns of the upstream view: pools of peers and how evenly they are loaded.

use crate::model::{Heaviest, OTHER, Owner, UpstreamRow};

use super::{
    Column, Item, Shade, Table, Unit, Value, Width,
    short::{self, number, port, text},
};

pub(super) static TABLE: Table = Table {
    title: "Upstreams",
    short: "Upstr",
    columns: COLUMNS,
    sort: "conns",
    tracked: ["conns", "bytes"],
    items: |snapshot| snapshot.upstreams.iter().map(Item::Upstream).collect(),
};

fn read<'a>(item: Item<'a>, read: fn(&'a UpstreamRow) -> Value<'a>) -> Value<'a> {
    match item {
        Item::Upstream(row) => read(row),
        _ => Value::Blank,
    }
}

fn name(row: &UpstreamRow, which: fn(&Owner) -> &str) -> Value<'_> {
    short::named(row.owner.as_ref().map_or(OTHER, which))
}

fn ratio(heaviest: Option<Heaviest>) -> Value<'static> {
    Value::number(heaviest.map(|heaviest| heaviest.ratio))
}

fn peer(heaviest: Option<Heaviest>) -> Value<'static> {
    heaviest.map_or(Value::Absent, |heaviest| {
        Value::Address(heaviest.peer, None)
    })
}

const COLUMNS: &[Column] = &[
    short::process(
        "Process that connects to the peers",
        Width::Stretch(10, 30),
        0,
        |item| read(item, |row| name(row, |owner| &owner.process)),
    ),
    short::user(4, |item| read(item, |row| name(row, |owner| &owner.user))),
    short::service(6, |item| {
        read(item, |row| name(row, |owner| &owner.service))
    }),
    text("port", "PORT", "Their port", Width::Fixed(5), 1, |item| {
        read(item, |row| match row.owner {
            Some(_) => port(row.remote_port),
            None => Value::text(OTHER),
        })
    }),
    number(
        "peers",
        "PEERS",
        "Peers connected to in the last minute",
        Unit::Count,
        5,
        2,
        |item| read(item, |row| Value::Number(row.peers as f64)),
    ),
    Column {
        shade: Shade::Limits(1.5, 2.0),
        ..number(
            "conns",
            "BY CONN",
            "Connections opened to the heaviest peer over the mean of all",
            Unit::Factor,
            7,
            1,
            |item| read(item, |row| ratio(row.by_connections)),
        )
    },
    text(
        "conns_peer",
        "MOST CONNS",
        "That peer",
        Width::Stretch(15, 39),
        2,
        |item| read(item, |row| peer(row.by_connections)),
    ),
    Column {
        shade: Shade::Limits(1.5, 2.0),
        ..number(
            "bytes",
            "BY BYTE",
            "Bytes moved with the heaviest peer over the mean of all",
            Unit::Factor,
            7,
            3,
            |item| read(item, |row| ratio(row.by_bytes)),
        )
    },
    text(
        "bytes_peer",
        "MOST BYTES",
        "That peer",
        Width::Stretch(15, 39),
        3,
        |item| read(item, |row| peer(row.by_bytes)),
    ),
];
