//! Kinds of rows: what identifies a row and which families it fills.

use std::fmt::{Display, Write};

use super::Family;
use crate::model::{OwnStats, PeerRow, ProcessRow, ServerStats, Snapshot};

/// Everything one exposition shows.
#[derive(Clone, Copy, Debug)]
pub struct Exposed<'a> {
    /// The last complete cycle.
    pub snapshot: &'a Snapshot,
    /// The server at the time of encoding.
    pub server: &'a ServerStats,
}

/// A kind of row of the exposition.
pub trait Row: Sized + 'static {
    /// Heading of its families in the reference.
    const AREA: &'static str;
    /// Labels that identify a row; one whose value is empty is left out.
    const LABELS: &'static [&'static str];
    /// Its families.
    const FAMILIES: &'static [Family<Self>];

    /// All rows, heaviest first within a [`Row::class`].
    fn rows(exposed: Exposed<'_>) -> &[Self];

    /// Pushes the values of [`Row::LABELS`], in their order.
    fn label_values(&self, values: &mut LabelValues);

    /// The row of everything beyond a budget; kept longest when series are limited.
    fn folded(&self) -> bool {
        false
    }

    /// Rows of different classes are not weighed against each other when series are limited.
    fn class(&self) -> u8 {
        0
    }
}

/// Visits every kind of row.
pub trait AreaVisitor {
    /// One kind of row.
    fn area<R: Row>(&mut self);
}

/// Shows all kinds of rows to `visitor`, in the order of the exposition.
pub fn visit_areas(visitor: &mut impl AreaVisitor) {
    visitor.area::<PeerRow>();
    visitor.area::<ProcessRow>();
    visitor.area::<OwnStats>();
    visitor.area::<ServerStats>();
}

/// Label values of one row, written into one buffer that is used again for the next row.
#[derive(Debug, Default)]
pub struct LabelValues {
    text: String,
    ends: Vec<usize>,
}

impl LabelValues {
    /// Appends a value.
    pub fn push(&mut self, value: impl Display) {
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{value}");
        self.ends.push(self.text.len());
    }

    /// Appends a value that is a string already.
    pub fn push_str(&mut self, value: &str) {
        self.text.push_str(value);
        self.ends.push(self.text.len());
    }

    /// Appends an absent value.
    pub fn skip(&mut self) {
        self.ends.push(self.text.len());
    }

    /// Forgets all values, keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    /// The values in their order; an absent one is empty.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let value = self.text.get(start..end).unwrap_or_default();
            start = end;
            value
        })
    }
}
