//! Columns of the failure view: who could not connect to whom, and why.

use crate::model::{FailureKey, FailureRow, OTHER, Owner};

use super::{
    Column, Item, Shade, Table, Unit, Value, Width,
    peer::remote,
    short::{self, number, text},
};

pub(super) static TABLE: Table = Table {
    title: "Failures",
    short: "Fails",
    columns: COLUMNS,
    sort: "fails",
    tracked: ["fails", "total"],
    items: |snapshot| snapshot.failures.iter().map(Item::Failure).collect(),
};

fn read<'a>(item: Item<'a>, read: fn(&'a FailureRow) -> Value<'a>) -> Value<'a> {
    match item {
        Item::Failure(row) => read(row),
        _ => Value::Blank,
    }
}

fn name(row: &FailureRow, which: fn(&Owner) -> &str) -> Value<'_> {
    short::named(match &row.key {
        FailureKey::Attempt { owner, .. } => which(owner),
        FailureKey::Folded => OTHER,
    })
}

const COLUMNS: &[Column] = &[
    short::process(
        "Process that could not connect",
        Width::Stretch(12, 30),
        0,
        |item| read(item, |row| name(row, |owner| &owner.process)),
    ),
    short::user(3, |item| read(item, |row| name(row, |owner| &owner.user))),
    short::service(6, |item| {
        read(item, |row| name(row, |owner| &owner.service))
    }),
    text(
        "remote",
        "REMOTE",
        "Whom it tried; `other` outside the own networks or the budget",
        Width::Stretch(18, 47),
        1,
        |item| {
            read(item, |row| match &row.key {
                FailureKey::Attempt {
                    remote: who,
                    remote_port,
                    ..
                } => remote(*who, Some(*remote_port)),
                FailureKey::Folded => Value::text(OTHER),
            })
        },
    ),
    text(
        "error",
        "ERROR",
        "How it failed",
        Width::Stretch(16, 21),
        2,
        |item| {
            read(item, |row| match &row.key {
                FailureKey::Attempt { error, .. } => Value::text(error.name()),
                FailureKey::Folded => Value::text(OTHER),
            })
        },
    ),
    Column {
        shade: Shade::Limits(0.05, 1.0),
        ..number(
            "fails",
            "FAIL/s",
            "Failures per second",
            Unit::PerSecond,
            6,
            1,
            |item| read(item, |row| Value::Number(row.rate)),
        )
    },
    number(
        "total",
        "FAILS",
        "Failures since the first",
        Unit::Count,
        6,
        2,
        |item| read(item, |row| Value::Number(row.failures as f64)),
    ),
];
