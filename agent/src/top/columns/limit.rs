//! Columns of the limits view: what can run out, and how near it is.

use crate::model::{LimitRow, Limited, OTHER};

use super::{
    Column, Item, Shade, Table, Unit, Value, Width,
    filesystem::{NEARLY_FULL, SOON},
    short::{self, number, text},
};
use crate::top::human;

pub(super) static TABLE: Table = Table {
    title: "Limits",
    short: "Lim",
    columns: COLUMNS,
    sort: "used_percent",
    tracked: ["used_percent", "to_full"],
    items: |snapshot| snapshot.limits.iter().map(Item::Limit).collect(),
};

fn read<'a>(item: Item<'a>, read: fn(&'a LimitRow) -> Value<'a>) -> Value<'a> {
    match item {
        Item::Limit(row) => read(row),
        _ => Value::Blank,
    }
}

/// Whether it cannot wait: 90 % used, or all of it within an hour.
pub(in crate::top) fn pressing(row: &LimitRow) -> bool {
    row.ratio() >= NEARLY_FULL || row.seconds_to_full.is_some_and(|left| left < SOON)
}

/// Whose limit it is.
pub(in crate::top) fn whose(row: &LimitRow) -> Value<'_> {
    let remote = |ip, port| Value::Address(ip, Some(port));
    match &row.of {
        Limited::Host => Value::text("host"),
        Limited::Process(owner) => Value::text(&owner.process),
        Limited::User(user) => Value::text(user),
        Limited::Service(service) => Value::text(service),
        Limited::Listener { ip, port, owner } => {
            let at = remote(*ip, *port);
            Value::Text(format!("{} {}", owner.process, at.show(Unit::Text)).into())
        }
        Limited::Ports {
            local,
            remote: ip,
            port,
        } => {
            let to = remote(*ip, *port);
            Value::Text(format!("{local} > {}", to.show(Unit::Text)).into())
        }
        Limited::Filesystem { mountpoint, .. } => Value::text(mountpoint),
        Limited::Folded => Value::text(OTHER),
    }
}

/// An amount of what is limited.
pub(in crate::top) fn amount(row: &LimitRow, amount: u64) -> String {
    let unit = match row.resource.is_bytes() {
        true => Unit::Bytes,
        false => Unit::Count,
    };
    human::format(amount as f64, unit)
}

const COLUMNS: &[Column] = &[
    text(
        "resource",
        "RESOURCE",
        "What there is only so much of",
        Width::Fixed(17),
        0,
        |item| read(item, |row| Value::text(row.resource.name())),
    ),
    text(
        "whose",
        "WHOSE",
        "Process, user, service, listener, port range or filesystem that has this limit",
        Width::Stretch(14, 48),
        0,
        |item| read(item, whose),
    ),
    Column {
        shade: Shade::Limits(80.0, 90.0),
        ..number(
            "used_percent",
            "USED%",
            "Percent of the limit in use; of a group, in the process that is nearest to it",
            Unit::Percent,
            6,
            1,
            |item| read(item, |row| Value::Number(row.ratio() * 100.0)),
        )
    },
    text(
        "used",
        "USED",
        "How much is in use",
        Width::Fixed(7),
        2,
        |item| read(item, |row| Value::Text(amount(row, row.used).into())),
    ),
    text(
        "limit",
        "LIMIT",
        "How much there may be",
        Width::Fixed(7),
        2,
        |item| read(item, |row| Value::Text(amount(row, row.limit).into())),
    ),
    number(
        "to_full",
        "FULL IN",
        "Time until all is used at the pace of the last hour",
        Unit::Span,
        7,
        1,
        |item| read(item, |row| Value::number(row.seconds_to_full)),
    ),
    short::user(3, |item| {
        read(item, |row| match &row.of {
            Limited::Process(owner) | Limited::Listener { owner, .. } => Value::text(&owner.user),
            Limited::User(user) => Value::text(user),
            _ => Value::Blank,
        })
    }),
];
