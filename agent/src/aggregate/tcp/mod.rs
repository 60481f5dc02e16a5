//! TCP connections, grouped by remote peer.

mod account;
mod ack;
mod connection;
mod detail;
mod direction;
mod rows;
mod sink;
mod table;

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::Networks;

pub use table::TcpTable;

/// How connections are grouped and for how long groups are kept.
#[derive(Clone, Debug)]
pub struct TcpConfig {
    /// Remote addresses shown by themselves.
    pub networks: Networks,
    /// Label sets per direction; `other` is not counted. A tenth of them (at least one, if there
    /// are two) is left to groups that lost their name and have not been seen by every scraper.
    pub peer_budget: usize,
    /// Length of the quantile window.
    pub window: Duration,
    /// How long counters stay after the last member, and listeners in memory after their end.
    pub retention: Duration,
    /// Whether [`TcpTable::connections`] is wanted; costs memory for each connection.
    pub details: bool,
}
