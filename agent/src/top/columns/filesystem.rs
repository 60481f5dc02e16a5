//! Columns of the filesystem view: how full, how soon full, what hangs.

use crate::model::{FilesystemRow, Room};

use super::{
    Column, Item, Shade, Table, Unit, Value, Width,
    short::{number, text},
};

pub(super) static TABLE: Table = Table {
    title: "Filesystems",
    short: "FS",
    columns: COLUMNS,
    sort: "state",
    tracked: ["used_percent", "growth"],
    items: |snapshot| snapshot.filesystems.iter().map(Item::Filesystem).collect(),
};

/// Share from which a filesystem is called nearly full.
pub(in crate::top) const NEARLY_FULL: f64 = 0.9;

/// Seconds to full below which it cannot wait.
pub(in crate::top) const SOON: f64 = 3_600.0;

/// From where on it is worth a look.
const FULLISH: f64 = 0.8;
const WITHIN_A_DAY: f64 = 86_400.0;

fn read<'a>(item: Item<'a>, read: fn(&'a FilesystemRow) -> Value<'a>) -> Value<'a> {
    match item {
        Item::Filesystem(row) => read(row),
        _ => Value::Blank,
    }
}

fn room(row: &FilesystemRow, which: fn(&Room) -> f64) -> Value<'static> {
    Value::number(row.room.as_ref().map(which))
}

/// How a filesystem does.
pub(in crate::top) fn state(row: &FilesystemRow) -> Value<'static> {
    let ratio = row.ratio().unwrap_or(0.0);
    let left = row.to_full().unwrap_or(f64::INFINITY);
    match row.hung {
        None => Value::Absent,
        Some(true) => Value::State(2, "hung"),
        Some(false) if row.read_only => Value::State(0, "read_only"),
        Some(false) if ratio >= NEARLY_FULL => Value::State(2, "full"),
        Some(false) if left < SOON => Value::State(2, "filling"),
        Some(false) if left < WITHIN_A_DAY => Value::State(1, "filling"),
        Some(false) if ratio >= FULLISH => Value::State(1, "fullish"),
        Some(false) if row.room.is_none() => Value::Absent,
        Some(false) => Value::State(0, "ok"),
    }
}

const COLUMNS: &[Column] = &[
    text(
        "mountpoint",
        "MOUNTED ON",
        "Where it is mounted",
        Width::Stretch(14, 48),
        0,
        |item| read(item, |row| Value::text(&row.mountpoint)),
    ),
    Column {
        unit: Unit::State,
        ..text(
            "state",
            "STATE",
            "hung: does not answer; full: 90 % or more; filling: full within a day at this pace",
            Width::Fixed(9),
            1,
            |item| read(item, state),
        )
    },
    Column {
        shade: Shade::Limits(80.0, 90.0),
        ..number(
            "used_percent",
            "USED%",
            "Bytes used, percent of those that everyone may use, as in df",
            Unit::Percent,
            6,
            1,
            |item| read(item, |row| room(row, |room| room.ratio() * 100.0)),
        )
    },
    number(
        "available",
        "AVAIL",
        "Bytes that everyone may still use",
        Unit::Bytes,
        6,
        2,
        |item| read(item, |row| room(row, |room| room.available as f64)),
    ),
    number("size", "SIZE", "Bytes in all", Unit::Bytes, 6, 3, |item| {
        read(item, |row| room(row, |room| room.size as f64))
    }),
    number(
        "growth",
        "GROW/s",
        "Bytes it grows by a second: a line through the last hour, or its last ten minutes if steeper",
        Unit::Bytes,
        6,
        3,
        |item| read(item, |row| Value::number(row.growth)),
    ),
    number(
        "to_full",
        "FULL IN",
        "Time until bytes or inodes run out at this pace",
        Unit::Span,
        7,
        1,
        |item| read(item, |row| Value::number(row.to_full())),
    ),
    Column {
        shade: Shade::Limits(80.0, 90.0),
        ..number(
            "inodes_percent",
            "INODE%",
            "Inodes used, percent; at 100 no file can be made",
            Unit::Percent,
            6,
            4,
            |item| {
                read(item, |row| {
                    let inodes = row.room.and_then(|room| room.inodes);
                    Value::number(inodes.map(|inodes| inodes.ratio() * 100.0))
                })
            },
        )
    },
    text(
        "fstype",
        "TYPE",
        "Type of the filesystem",
        Width::Stretch(6, 14),
        5,
        |item| read(item, |row| Value::text(&row.fstype)),
    ),
    text(
        "device",
        "DEVICE",
        "What is mounted there",
        Width::Stretch(10, 40),
        4,
        |item| read(item, |row| Value::text(&row.device)),
    ),
];
