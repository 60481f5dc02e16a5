//! Kinds of rows: what identifies a row and which families it fills.

use std::fmt::{Display, Write};

use hostlens_ebpf::wire::Direction;

use super::Family;
use crate::model::{
    DiskRow, DnsRow, FailureRow, FdRow, FilesystemRow, HostTotals, InterfaceRow, LimitRow,
    ListenSettings, ListenerRow, ListenerTurnRow, OTHER, OwnStats, Owner, PeerRow, PortUseRow,
    ProcessDiskRow, ProcessRow, RefusedRow, Remote, ResponseExclusions, ResponseRow,
    ResponseStatus, ServerStats, ServiceDiskRow, ServicePressureRow, ServiceRow, Snapshot, SwapRow,
    SwapUnattributed, UpstreamRow,
};

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
    /// When some of the labels are there, as a sentence of the reference; empty if they always are.
    const NOTE: &'static str = "";
    /// The label for the service of its owner, which can be switched off; where a service is what
    /// a row is about, it cannot.
    const OWNER_SERVICE: Option<&'static str> = None;
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
    visitor.area::<ResponseRow>();
    visitor.area::<ResponseExclusions>();
    visitor.area::<ListenerRow>();
    visitor.area::<ListenerTurnRow>();
    visitor.area::<ListenSettings>();
    visitor.area::<ServiceRow>();
    visitor.area::<FailureRow>();
    visitor.area::<RefusedRow>();
    visitor.area::<UpstreamRow>();
    visitor.area::<PortUseRow>();
    visitor.area::<DnsRow>();
    visitor.area::<DiskRow>();
    visitor.area::<ServiceDiskRow>();
    visitor.area::<ProcessDiskRow>();
    visitor.area::<LimitRow>();
    visitor.area::<FilesystemRow>();
    visitor.area::<ProcessRow>();
    visitor.area::<SwapRow>();
    visitor.area::<SwapUnattributed>();
    visitor.area::<HostTotals>();
    visitor.area::<InterfaceRow>();
    visitor.area::<ServicePressureRow>();
    visitor.area::<FdRow>();
    visitor.area::<OwnStats>();
    visitor.area::<ResponseStatus>();
    visitor.area::<ServerStats>();
}

/// Label values of one row, written into one buffer that is used again for the next row.
#[derive(Debug, Default)]
pub struct LabelValues {
    text: String,
    ends: Vec<usize>,
    hidden: Option<usize>,
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

    /// Appends the same value for each of `count` labels.
    pub fn repeat(&mut self, value: &str, count: usize) {
        for _ in 0..count {
            self.push_str(value);
        }
    }

    /// Makes the value at this place absent, until all are forgotten.
    pub fn hide(&mut self, place: usize) {
        self.hidden = Some(place);
    }

    /// Forgets all values, keeps the memory.
    pub fn clear(&mut self) {
        self.hidden = None;
        self.text.clear();
        self.ends.clear();
    }

    /// The values in their order; an absent one is empty.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        self.ends.iter().enumerate().map(move |(place, &end)| {
            let value = self.text.get(start..end).unwrap_or_default();
            start = end;
            if self.hidden == Some(place) {
                ""
            } else {
                value
            }
        })
    }
}

/// The value of the label `direction`.
pub(super) fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Unknown => "unknown",
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    }
}

/// When the label `service` is there.
pub(super) const SERVICE_NOTE: &str =
    "`service` is there if a container or unit is known, unless `--service-label off`.";

/// Pushes the three labels of an owner, all absent without one.
pub(super) fn push_owner(values: &mut LabelValues, owner: Option<&Owner>) {
    match owner {
        Some(owner) => {
            values.push_str(&owner.process);
            values.push_str(&owner.user);
            values.push_str(&owner.service);
        }
        None => {
            values.skip();
            values.skip();
            values.skip();
        }
    }
}

/// Pushes the label of a remote address.
pub(super) fn push_remote(values: &mut LabelValues, remote: Remote) {
    match remote {
        Remote::Ip(ip) => values.push(ip),
        Remote::Other => values.push_str(OTHER),
    }
}
