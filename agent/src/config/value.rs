//! Values out of a tree of nodes, each mistake with its line.

use super::{
    error::Fault,
    node::{Entry, Node, Value},
};

/// A key that does not belong where it is.
pub(super) fn unknown(entry: &Entry, place: &str, known: &str) -> Fault {
    Fault::at(
        entry.line,
        format!("{} is not known {place}", entry.key),
        format!("there is {known}"),
    )
}

/// The map below a key; nothing is an empty one.
pub(super) fn map(entry: &Entry) -> Result<&[Entry], Fault> {
    match &entry.value.value {
        Value::Map(entries) => Ok(entries),
        Value::Nothing => Ok(&[]),
        other => Err(Fault::at(
            entry.line,
            format!("{} is {}", entry.key, other.kind()),
            "write KEY: VALUE in indented lines below it",
        )),
    }
}

/// The list below a key; nothing is an empty one.
pub(super) fn list<'a>(entry: &'a Entry, cure: &str) -> Result<&'a [Node], Fault> {
    match &entry.value.value {
        Value::List(items) => Ok(items),
        Value::Nothing => Ok(&[]),
        other => Err(Fault::at(
            entry.line,
            format!("{} is {}", entry.key, other.kind()),
            cure,
        )),
    }
}

/// A single text that is not empty.
pub(super) fn text(entry: &Entry) -> Result<&str, Fault> {
    match &entry.value.value {
        Value::Text(text) if !text.is_empty() => Ok(text),
        other => Err(Fault::at(
            entry.value.line,
            match other {
                Value::Nothing | Value::Text(_) => format!("{} is empty", entry.key),
                other => format!("{} is {}", entry.key, other.kind()),
            },
            match other {
                Value::Nothing | Value::Text(_) => "write a text, or leave the line out",
                _ => "write one text, quoted if it holds any of : # { } [ ]",
            },
        )),
    }
}

/// A single text, or none where there is nothing.
pub(super) fn optional(entry: &Entry) -> Result<Option<&str>, Fault> {
    match &entry.value.value {
        Value::Nothing => Ok(None),
        Value::Text(text) if text.is_empty() => Ok(None),
        _ => text(entry).map(Some),
    }
}

/// A truth value.
pub(super) fn truth(entry: &Entry) -> Result<bool, Fault> {
    match text(entry)?.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Ok(true),
        "false" | "no" | "off" => Ok(false),
        other => Err(Fault::at(
            entry.value.line,
            format!("{} is {other}", entry.key),
            "write true or false",
        )),
    }
}

/// The texts of a list with their lines.
pub(super) fn texts<'a>(entry: &Entry, items: &'a [Node]) -> Result<Vec<(usize, &'a str)>, Fault> {
    items
        .iter()
        .map(|item| match &item.value {
            Value::Text(text) if !text.is_empty() => Ok((item.line, text.as_str())),
            other => Err(Fault::at(
                item.line,
                format!("{} holds {} in its list", entry.key, other.kind()),
                "write texts: [A, B]",
            )),
        })
        .collect()
}
