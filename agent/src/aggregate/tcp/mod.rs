//! TCP connections: grouped by remote peer, their lives by whose they are, their flows by path.

mod accepts;
mod account;
mod ack;
mod connection;
mod detail;
mod direction;
mod flow;
mod life;
mod owner;
mod place;
mod pool;
mod port_use;
mod rows;
mod sight;
mod sink;
mod table;
mod time_wait;

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::Networks;

pub use accepts::Accept;
pub(super) use ack::peer_key;
pub(super) use direction::ip;
pub use table::TcpTable;

/// How connections are grouped and for how long groups are kept.
#[derive(Clone, Debug)]
pub struct TcpConfig {
    /// Remote addresses shown by themselves.
    pub networks: Networks,
    /// Label sets per direction; `other` is not counted. A tenth of them (at least one, if there
    /// are two) is left to groups that lost their name and have not been seen by every scraper.
    pub peer_budget: usize,
    /// Label sets of connection lives per direction, usually [`super::SERVICE_BUDGET`].
    pub service_budget: usize,
    /// Label sets of failed attempts, usually [`super::FAILURE_BUDGET`].
    pub failure_budget: usize,
    /// Length of the quantile window.
    pub window: Duration,
    /// How long counters stay after the last member, and listeners in memory after their end.
    pub retention: Duration,
    /// Whether [`TcpTable::connections`] is wanted; costs memory for each connection.
    pub details: bool,
    /// Whether the source sees opens and ends as they happen, not only what lives during a walk.
    pub ends: bool,
    /// Whether peers are told apart by the process and user whose their connections are.
    pub process_label: bool,
}
