//! Columns of the DNS view: who asks whom, how long it takes, what fails.

use crate::model::{DnsKey, DnsRow, OTHER, Owner, RCODES};

use super::{
    Column, Item, Shade, Table, Unit, Value, Width,
    short::{self, number, text},
};

pub(super) static TABLE: Table = Table {
    title: "DNS",
    short: "DNS",
    columns: COLUMNS,
    sort: "fails",
    tracked: ["fails", "p95"],
    items: |snapshot| snapshot.dns.iter().map(Item::Dns).collect(),
};

fn read<'a>(item: Item<'a>, read: fn(&'a DnsRow) -> Value<'a>) -> Value<'a> {
    match item {
        Item::Dns(row) => read(row),
        _ => Value::Blank,
    }
}

fn name(row: &DnsRow, which: fn(&Owner) -> &str) -> Value<'_> {
    short::named(match &row.key {
        DnsKey::Asker { owner, .. } => which(owner),
        DnsKey::Folded => OTHER,
    })
}

/// Answers with this response code.
fn responses(row: &DnsRow, rcode: &str) -> Value<'static> {
    let mut counts = RCODES.iter().zip(row.responses);
    Value::count(
        counts
            .find(|(name, _)| **name == rcode)
            .map(|(_, count)| count),
    )
}

const COLUMNS: &[Column] = &[
    short::process("Process that asks", Width::Stretch(12, 30), 0, |item| {
        read(item, |row| name(row, |owner| &owner.process))
    }),
    short::user(5, |item| read(item, |row| name(row, |owner| &owner.user))),
    short::service(6, |item| {
        read(item, |row| name(row, |owner| &owner.service))
    }),
    text(
        "resolver",
        "RESOLVER",
        "Whom it asks",
        Width::Stretch(13, 39),
        1,
        |item| {
            read(item, |row| match &row.key {
                DnsKey::Asker { resolver, .. } => Value::Address(*resolver, None),
                DnsKey::Folded => Value::text(OTHER),
            })
        },
    ),
    number(
        "answers",
        "ANS/s",
        "Answers per second",
        Unit::PerSecond,
        6,
        2,
        |item| read(item, |row| Value::Number(row.rate)),
    ),
    Column {
        shade: Shade::Limits(0.05, 1.0),
        ..number(
            "fails",
            "FAIL/s",
            "Queries that failed or had no answer, per second",
            Unit::PerSecond,
            6,
            1,
            |item| read(item, |row| Value::Number(row.failure_rate)),
        )
    },
    number(
        "p50",
        "p50",
        "Median time to the answer over the last minute",
        Unit::Latency,
        6,
        2,
        |item| read(item, |row| Value::number(row.quantiles.map(|[p50, _]| p50))),
    ),
    number(
        "p95",
        "p95",
        "95 % of the answers of the last minute took at most this",
        Unit::Latency,
        6,
        1,
        |item| read(item, |row| Value::number(row.quantiles.map(|[_, p95]| p95))),
    ),
    number(
        "timeouts",
        "TMOUT",
        "Queries without an answer since it was first seen",
        Unit::Count,
        5,
        3,
        |item| read(item, |row| Value::Number(row.timeouts as f64)),
    ),
    number(
        "nxdomain",
        "NXDOM",
        "Answers that there is no such name, since then",
        Unit::Count,
        5,
        6,
        |item| read(item, |row| responses(row, "NXDOMAIN")),
    ),
    number(
        "servfail",
        "SERVFAIL",
        "Answers that the resolver failed, since then",
        Unit::Count,
        8,
        6,
        |item| read(item, |row| responses(row, "SERVFAIL")),
    ),
    text(
        "last",
        "LAST FAILED",
        "Name that failed last",
        Width::Stretch(14, 48),
        4,
        |item| {
            read(item, |row| {
                row.failing
                    .first()
                    .map_or(Value::Blank, |failed| Value::text(&failed.name))
            })
        },
    ),
];
