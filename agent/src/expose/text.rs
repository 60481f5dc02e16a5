//! Prometheus text 0.0.4 and OpenMetrics 1.0, written straight from the rows.

use std::io::Write;

use super::{
    classic,
    walk::{Encoder, Number},
};
use crate::{
    metric::{Desc, Kind, LabelValues, PREFIX},
    model::Histogram,
};

/// Which of the two text formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Text format 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

/// Writes one exposition.
pub(super) struct TextEncoder {
    dialect: Dialect,
    out: Vec<u8>,
    /// Identifying labels of all rows of the area, rendered and each followed by a comma.
    labels: Vec<u8>,
    /// Where each row's labels end.
    ends: Vec<usize>,
}

impl TextEncoder {
    /// An encoder whose output will have about `expected` bytes.
    pub(super) fn new(dialect: Dialect, expected: usize) -> Self {
        Self {
            dialect,
            out: Vec::with_capacity(expected),
            labels: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// The finished exposition.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.dialect == Dialect::OpenMetrics {
            self.out.extend_from_slice(b"# EOF\n");
        }
        self.out
    }

    /// Writes name and labels of a line, up to the space before the value.
    fn series(&mut self, desc: &Desc, suffix: &str, row: usize, labels: &[&str], le: &str) {
        self.out.extend_from_slice(PREFIX.as_bytes());
        self.out.extend_from_slice(desc.name.as_bytes());
        self.out.extend_from_slice(suffix.as_bytes());
        let start = match row {
            0 => 0,
            _ => self.ends.get(row - 1).copied().unwrap_or_default(),
        };
        let end = self.ends.get(row).copied().unwrap_or_default();
        let identity = self.labels.get(start..end).unwrap_or_default();

        let brace = self.out.len();
        self.out.push(b'{');
        self.out.extend_from_slice(identity);
        for (name, value) in desc.labels.iter().zip(labels) {
            label(&mut self.out, name, value);
        }
        label(&mut self.out, "le", le);
        if self.out.len() > brace + 1 {
            // The last comma becomes the closing brace.
            self.out.pop();
            self.out.extend_from_slice(b"} ");
        } else {
            self.out.pop();
            self.out.push(b' ');
        }
    }

    fn header(&mut self, keyword: &str, name: &str, text: &str) {
        for part in ["# ", keyword, " ", PREFIX, name, " ", text, "\n"] {
            self.out.extend_from_slice(part.as_bytes());
        }
    }
}

impl Encoder for TextEncoder {
    fn begin_rows(&mut self) {
        self.labels.clear();
        self.ends.clear();
    }

    fn row(&mut self, names: &[&'static str], values: &LabelValues) {
        for (name, value) in names.iter().zip(values.iter()) {
            label(&mut self.labels, name, value);
        }
        self.ends.push(self.labels.len());
    }

    fn begin_family(&mut self, desc: &'static Desc) {
        // In OpenMetrics `_total` belongs to the sample, not to the family.
        let (name, quotes) = match self.dialect {
            Dialect::Prometheus => (desc.name, false),
            Dialect::OpenMetrics => (desc.name.strip_suffix("_total").unwrap_or(desc.name), true),
        };
        let mut help = Vec::with_capacity(desc.help.len());
        escape(&mut help, desc.help, quotes);
        self.header("HELP", name, &String::from_utf8_lossy(&help));
        self.header("TYPE", name, desc.kind.name());
        if let (Dialect::OpenMetrics, Some(unit)) = (self.dialect, desc.unit.name()) {
            self.header("UNIT", name, unit);
        }
    }

    fn number(&mut self, desc: &Desc, row: usize, labels: &[&str], value: Number) {
        debug_assert_ne!(desc.kind, Kind::Histogram, "{}", desc.name);
        self.series(desc, "", row, labels, "");
        number(&mut self.out, value);
        self.out.push(b'\n');
    }

    fn histogram(&mut self, desc: &Desc, row: usize, labels: &[&str], value: &Histogram) {
        let cumulative = classic::cumulative(value);
        let all = (&"+Inf", &value.count());
        for (le, &count) in classic::LE.iter().zip(&cumulative).chain([all]) {
            self.series(desc, "_bucket", row, labels, le);
            number(&mut self.out, Number::Whole(count));
            self.out.push(b'\n');
        }
        self.series(desc, "_sum", row, labels, "");
        number(&mut self.out, Number::Real(value.sum_ns() as f64 / 1e9));
        self.out.push(b'\n');
        self.series(desc, "_count", row, labels, "");
        number(&mut self.out, Number::Whole(value.count()));
        self.out.push(b'\n');
    }

    fn end_family(&mut self) {}
}

/// Writes `name="value",`; nothing if the value is empty.
fn label(out: &mut Vec<u8>, name: &str, value: &str) {
    if value.is_empty() {
        return;
    }
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    escape(out, value, true);
    out.extend_from_slice(b"\",");
}

/// Writes text with backslash, newline and, where it would end the text, the quote escaped.
fn escape(out: &mut Vec<u8>, text: &str, quotes: bool) {
    let mut rest = text.as_bytes();
    while let Some(at) = rest
        .iter()
        .position(|&byte| byte == b'\\' || byte == b'\n' || (quotes && byte == b'"'))
    {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        out.push(b'\\');
        out.push(match special.first() {
            Some(b'\n') | None => b'n',
            Some(&byte) => byte,
        });
        rest = special.get(1..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

/// Writes the shortest text that reads back as the same number.
fn number(out: &mut Vec<u8>, value: Number) {
    /// Up to here every whole number has its own f64.
    const EXACT: f64 = (1u64 << 53) as f64;

    match value {
        Number::Whole(whole) => out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes()),
        Number::Real(real) if real.fract() == 0.0 && real.abs() <= EXACT => {
            out.extend_from_slice(itoa::Buffer::new().format(real as i64).as_bytes());
        }
        Number::Real(real) => {
            // Writing to a Vec cannot fail.
            let _ = write!(out, "{real}");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_read_back(real in proptest::num::f64::NORMAL | proptest::num::f64::ZERO, whole: u64) {
            let mut out = Vec::new();
            number(&mut out, Number::Real(real));
            prop_assert_eq!(String::from_utf8(out).unwrap().parse::<f64>().unwrap(), real);
            let mut out = Vec::new();
            number(&mut out, Number::Whole(whole));
            prop_assert_eq!(String::from_utf8(out).unwrap().parse::<u64>().unwrap(), whole);
        }
    }
}
