//! Processes, grouped by name, user and service.

mod account;
mod counts;
mod cpu;
mod entry;
mod holders;
mod jobs;
mod owners;
mod rows;
mod swapped;
mod table;
mod wanted;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use holders::Holder;
pub use table::ProcessTable;

/// How processes are grouped and for how long groups are kept.
#[derive(Clone, Copy, Debug)]
pub struct ProcessConfig {
    /// Label sets; `other` is not counted. A tenth of them (at least one, if there are two) is
    /// left to groups that lost their name and have not been seen by every scraper.
    pub budget: usize,
    /// How long counters stay after the last member.
    pub retention: Duration,
    /// Whether groups are told apart by service.
    pub service_label: bool,
    /// Whether [`ProcessTable::members`] is wanted.
    pub details: bool,
}

/// What the source of process records can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessCaps {
    /// Final records arrive.
    pub ends: bool,
    /// Bytes read from and written to storage.
    pub disk: bool,
    /// Context switches.
    pub switches: bool,
}
