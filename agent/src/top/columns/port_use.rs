//! Columns of the port view: local ports in use towards one remote end.

use crate::model::{OTHER, PortUseRow};

use super::{
    Column, Item, Shade, Table, Unit, Value, Width,
    short::{number, text},
};

pub(super) static TABLE: Table = Table {
    title: "Ports",
    short: "Ports",
    columns: COLUMNS,
    sort: "used_percent",
    tracked: ["used_percent", "used"],
    items: |snapshot| snapshot.port_use.iter().map(Item::Ports).collect(),
};

fn read<'a>(item: Item<'a>, read: fn(&'a PortUseRow) -> Value<'a>) -> Value<'a> {
    match item {
        Item::Ports(row) => read(row),
        _ => Value::Blank,
    }
}

const COLUMNS: &[Column] = &[
    text(
        "remote",
        "REMOTE",
        "Address and port that the connections go to",
        Width::Stretch(18, 47),
        0,
        |item| {
            read(item, |row| match row.ends {
                Some((_, remote)) => Value::Address(remote, Some(row.remote_port)),
                None => Value::text(OTHER),
            })
        },
    ),
    text(
        "local",
        "LOCAL",
        "Local address whose ports they take",
        Width::Stretch(15, 39),
        2,
        |item| {
            read(item, |row| match row.ends {
                Some((local, _)) => Value::Address(local, None),
                None => Value::text(OTHER),
            })
        },
    ),
    Column {
        shade: Shade::Limits(80.0, 95.0),
        ..number(
            "used_percent",
            "USED%",
            "Ports in use, percent of those there are; connect fails at 100",
            Unit::Percent,
            6,
            1,
            |item| read(item, |row| Value::Number(row.ratio() * 100.0)),
        )
    },
    number(
        "used",
        "USED",
        "Ports in use, TIME_WAIT included",
        Unit::Count,
        6,
        1,
        |item| read(item, |row| Value::Number(row.used as f64)),
    ),
    number(
        "of",
        "OF",
        "Ports of ip_local_port_range, reserved ones left out",
        Unit::Count,
        6,
        3,
        |item| read(item, |row| Value::Number(row.available as f64)),
    ),
    text(
        "netns",
        "NETNS",
        "Inode number of its network namespace",
        Width::Fixed(10),
        4,
        |item| read(item, |row| Value::Text(row.netns.to_string().into())),
    ),
];
