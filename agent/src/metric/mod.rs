//! The one table of exported families: name, help, kind, unit, labels and how a row fills it.
//! Exposition, `hostlens metrics`, `docs/metrics.md` and the columns of `top` derive from it.
//!
//! A new family is one entry in its area's table. A new kind of row is one [`Row`] and one line
//! in [`visit_areas`].

mod define;
mod disk;
mod dns;
mod failure;
mod fds;
mod filesystem;
#[cfg(test)]
pub(crate) mod fixture;
mod host;
mod limit;
mod listener;
mod own;
mod peer;
mod port_use;
mod process;
mod reference;
mod refused;
mod response;
mod response_own;
mod row;
mod server;
mod service;
mod signal;
mod swap;
#[cfg(test)]
mod tests;
mod upstream;

use crate::model::Histogram;

pub use disk::{
    DISK_FAMILIES, DISK_LABELS, PROCESS_DISK_FAMILIES, PROCESS_DISK_LABELS, SERVICE_DISK_FAMILIES,
    SERVICE_DISK_LABELS, WRITEBACK,
};
pub use dns::{DNS_FAMILIES, DNS_LABELS};
pub use failure::{FAILURE_FAMILIES, FAILURE_LABELS};
pub use filesystem::{FILESYSTEM_FAMILIES, FILESYSTEM_LABELS};
pub use host::{HOST_FAMILIES, INTERFACE_FAMILIES, SERVICE_PRESSURE_FAMILIES};
pub use limit::{LIMIT_FAMILIES, LIMIT_LABELS};
pub use listener::{LISTEN_SETTING_FAMILIES, LISTENER_FAMILIES, LISTENER_LABELS};
pub use own::OWN_FAMILIES;
pub(crate) use own::program_state;
pub use peer::{PEER_FAMILIES, PEER_LABELS, QUANTILE_NAMES};
pub use port_use::{PORT_USE_FAMILIES, PORT_USE_LABELS};
pub use process::{PROCESS_FAMILIES, PROCESS_LABELS, exit_reason};
pub use reference::{Area, areas, listing, reference};
pub use refused::{REFUSED_FAMILIES, REFUSED_LABELS};
pub use response::{
    LISTENER_TURN_FAMILIES, RESPONSE_EXCLUSION_FAMILIES, RESPONSE_FAMILIES, RESPONSE_LABELS,
};
pub use response_own::RESPONSE_OWN_FAMILIES;
pub(crate) use response_own::{response_mode, response_state};
pub use row::{AreaVisitor, Exposed, LabelValues, Row, visit_areas};
pub use server::SERVER_FAMILIES;
pub use service::{SERVICE_FAMILIES, SERVICE_LABELS};
pub use signal::signal_name;
pub use swap::{SWAP_FAMILIES, UNATTRIBUTED_FAMILIES};
pub use upstream::{UPSTREAM_FAMILIES, UPSTREAM_LABELS};

/// Prefix of every exported name.
pub const PREFIX: &str = "hostlens_";

/// Prometheus type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only goes up within an appearance; its name ends in `_total`.
    Counter,
    /// A current value.
    Gauge,
    /// Native histogram in protobuf, classic buckets in text.
    Histogram,
}

impl Kind {
    /// The type as in `# TYPE`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Base unit of a family; its name ends in it (before `_total`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// A ratio, 1 = all.
    Ratio,
    /// A number of things.
    None,
}

impl Unit {
    /// The unit as in `# UNIT`; `None` for a number of things.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Seconds => Some("seconds"),
            Self::Bytes => Some("bytes"),
            Self::Ratio => Some("ratio"),
            Self::None => None,
        }
    }
}

/// One exported family.
#[derive(Clone, Copy, Debug)]
pub struct Desc {
    /// Name without [`PREFIX`], with unit and `_total`.
    pub name: &'static str,
    /// One sentence of help.
    pub help: &'static str,
    /// Type.
    pub kind: Kind,
    /// Unit.
    pub unit: Unit,
    /// Labels beside those that identify the row.
    pub labels: &'static [&'static str],
    /// Where the number comes from (kernel structure, file).
    pub source: &'static str,
}

/// A family and how one row fills it.
pub struct Family<Row: 'static> {
    /// Description.
    pub desc: Desc,
    /// Hands the row's points to `points`, none where the value is absent.
    pub fill: fn(&Row, &mut dyn Points),
}

/// Takes the points of one family.
pub trait Points {
    /// A gauge; `labels` are the values of [`Desc::labels`].
    fn gauge(&mut self, labels: &[&str], value: f64);
    /// A counter of things; `held`: to be shown as 0.
    fn count(&mut self, labels: &[&str], value: u64, held: bool);
    /// A counter in a fractional unit; `held`: to be shown as 0.
    fn counter(&mut self, labels: &[&str], value: f64, held: bool);
    /// A latency histogram; `held`: to be shown empty.
    fn histogram(&mut self, labels: &[&str], value: &Histogram, held: bool);
}
