//! Disks and the services that use them.
//!
//! Bytes, requests and busy time of a disk are the kernel's own counters where it keeps them; times
//! of requests, failures and services come from the programs.

mod account;
mod evidence;
mod known;
mod process;
#[cfg(test)]
mod process_tests;
mod table;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use process::DiskProcessTable;
pub use table::DiskTable;

/// How disks and services are grouped and for how long groups are kept.
#[derive(Clone, Copy, Debug)]
pub struct DiskConfig {
    /// Disks by name; `other` is not counted.
    pub disks: usize,
    /// Services by name; likewise.
    pub services: usize,
    /// Window of the quantiles.
    pub window: Duration,
    /// How long counters stay after a disk has gone or a service's last request.
    pub retention: Duration,
}

/// How processes at disks are grouped and for how long groups are kept.
#[derive(Clone, Copy, Debug)]
pub struct DiskProcessConfig {
    /// Label sets; `other` is not counted.
    pub budget: usize,
    /// Window of the quantiles.
    pub window: Duration,
    /// How long counters stay after the last request.
    pub retention: Duration,
}
