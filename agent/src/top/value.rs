//! What a cell holds before it becomes text: comparable, cheap to make for thousands of rows.

use std::{borrow::Cow, cmp::Ordering, net::IpAddr};

use super::{
    human::{self, Unit},
    stack::Stack,
};

/// A cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// An address, with its port where one belongs to it.
    Address(IpAddr, Option<u16>),
    /// Text.
    Text(Cow<'a, str>),
    /// How something does: 0 well, 1 worth a look, 2 badly; and the word for it.
    State(u8, &'static str),
    /// A number, in the unit of its column.
    Number(f64),
    /// What a time is made of; as large as that.
    Stack(Stack),
    /// Not known: shown as `-`.
    Absent,
    /// Does not apply to this row: shown as nothing.
    Blank,
}

impl<'a> Value<'a> {
    /// A number if there is one.
    pub fn number(value: Option<f64>) -> Self {
        value.map_or(Self::Absent, Self::Number)
    }

    /// A whole number if there is one.
    pub fn count(value: Option<u64>) -> Self {
        Self::number(value.map(|value| value as f64))
    }

    /// Nanoseconds as a latency in seconds.
    pub fn nanos(value: Option<u64>) -> Self {
        Self::number(value.map(|ns| ns as f64 / 1e9))
    }

    /// Borrowed text.
    pub fn text(value: &'a str) -> Self {
        Self::Text(Cow::Borrowed(value))
    }

    /// The number in this cell.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(value) => Some(*value),
            _ => None,
        }
    }

    /// The order of two cells of one column. Cells without a value come last in both directions.
    pub fn order(&self, other: &Self, descending: bool) -> Ordering {
        let known = self.rank().cmp(&other.rank());
        if known != Ordering::Equal {
            return known;
        }
        let order = match (self, other) {
            (Self::Number(left), Self::Number(right)) => left.total_cmp(right),
            (Self::Stack(left), Self::Stack(right)) => left.total().total_cmp(&right.total()),
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            (Self::State(left, word), Self::State(right, other)) => {
                (left, word).cmp(&(right, other))
            }
            (Self::Address(left, left_port), Self::Address(right, right_port)) => {
                (left, left_port).cmp(&(right, right_port))
            }
            _ => Ordering::Equal,
        };
        if descending { order.reverse() } else { order }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Address(..) => 0,
            Self::Text(_) | Self::State(..) => 1,
            Self::Number(_) | Self::Stack(_) => 2,
            Self::Absent | Self::Blank => 3,
        }
    }

    /// The cell as shown.
    pub fn show(&self, unit: Unit) -> Cow<'_, str> {
        match self {
            Self::Address(ip, port) => Cow::Owned(address(*ip, *port)),
            Self::Text(text) => printable(text),
            Self::State(_, word) => Cow::Borrowed(word),
            Self::Number(value) if value.is_finite() => Cow::Owned(human::format(*value, unit)),
            Self::Stack(stack) => Cow::Owned(stack.words()),
            Self::Number(_) | Self::Absent => Cow::Borrowed("-"),
            Self::Blank => Cow::Borrowed(""),
        }
    }
}

/// An address as `ss` writes it: `*:22` for the IPv4 wildcard, `[::1]:80`.
fn address(ip: IpAddr, port: Option<u16>) -> String {
    match (ip, port) {
        (IpAddr::V4(v4), Some(port)) if v4.is_unspecified() => format!("*:{port}"),
        (IpAddr::V4(v4), Some(port)) => format!("{v4}:{port}"),
        (IpAddr::V6(v6), Some(port)) => format!("[{v6}]:{port}"),
        (ip, None) => ip.to_string(),
    }
}

/// A process may choose its own name: no control character of it reaches the terminal.
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_control) {
        let replace = |c: char| if c.is_control() { '?' } else { c };
        Cow::Owned(text.chars().map(replace).collect())
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_cells_come_last_in_both_directions() {
        for descending in [false, true] {
            let mut cells = [Value::Absent, Value::Number(1.0), Value::Number(2.0)];
            cells.sort_by(|left, right| left.order(right, descending));
            assert_eq!(cells[2], Value::Absent);
            assert_eq!(cells[0], Value::Number(if descending { 2.0 } else { 1.0 }));
        }
    }

    #[test]
    fn addresses_read_as_in_ss() {
        let show = |ip: &str, port| {
            let ip = ip.parse().map(|ip| Value::Address(ip, port));
            ip.map(|value| value.show(Unit::Text).into_owned())
        };
        assert_eq!(show("0.0.0.0", Some(22)), Ok("*:22".into()));
        assert_eq!(show("::", Some(22)), Ok("[::]:22".into()));
        assert_eq!(show("10.0.0.7", None), Ok("10.0.0.7".into()));
    }

    #[test]
    fn escapes_do_not_reach_the_terminal() {
        assert_eq!(
            Value::text("a\u{1b}[2Jb").show(Unit::Text),
            "a?[2Jb".to_string()
        );
        assert_eq!(Value::Number(f64::NAN).show(Unit::Count), "-");
    }
}
