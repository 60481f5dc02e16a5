//! Short forms for the tables of columns.

use super::{Column, Item, Shade, Unit, Value, Width};

/// What a line has in a column.
type Read = for<'a> fn(Item<'a>) -> Value<'a>;

/// A column of words.
pub(super) const fn text(
    id: &'static str,
    header: &'static str,
    help: &'static str,
    width: Width,
    rank: u8,
    value: Read,
) -> Column {
    Column {
        id,
        header,
        help,
        unit: Unit::Text,
        width,
        rank,
        shade: Shade::Plain,
        optional: false,
        value,
    }
}

/// A column of numbers; latencies are shaded by decade.
pub(super) const fn number(
    id: &'static str,
    header: &'static str,
    help: &'static str,
    unit: Unit,
    width: u16,
    rank: u8,
    value: Read,
) -> Column {
    Column {
        unit,
        shade: match unit {
            Unit::Latency => Shade::Latency,
            _ => Shade::Plain,
        },
        ..text(id, header, help, Width::Fixed(width), rank, value)
    }
}

/// The process that whatever is listed belongs to.
pub(super) const fn process(help: &'static str, width: Width, rank: u8, value: Read) -> Column {
    text("process", "PROCESS", help, width, rank, value)
}

/// The user whose process that is.
pub(super) const fn user(rank: u8, value: Read) -> Column {
    let help = "User that process runs as";
    text("user", "USER", help, Width::Stretch(8, 14), rank, value)
}

/// The container or unit that process belongs to.
pub(super) const fn service(rank: u8, value: Read) -> Column {
    let help = "Container or unit that process belongs to";
    Column {
        optional: true,
        ..text(
            "service",
            "SERVICE",
            help,
            Width::Stretch(8, 28),
            rank,
            value,
        )
    }
}

/// A service; nothing without one.
pub(super) fn named(service: &str) -> Value<'_> {
    if service.is_empty() {
        Value::Blank
    } else {
        Value::text(service)
    }
}

/// The number of a port: sorted as one, read as a word.
pub(super) fn port(port: u16) -> Value<'static> {
    Value::Number(f64::from(port))
}
