//! Name resolution, grouped by who asks and whom.

mod account;
mod table;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use table::DnsTable;

/// How lookups are grouped and for how long groups are kept.
#[derive(Clone, Copy, Debug)]
pub struct DnsConfig {
    /// Label sets; `other` is not counted.
    pub budget: usize,
    /// Window of the quantiles.
    pub window: Duration,
    /// How long counters stay after the last lookup.
    pub retention: Duration,
}
