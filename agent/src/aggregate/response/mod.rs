//! Times to first byte: how long peers and we wait for each other's answers, and what of that a
//! listener's connections spend unread.
//!
//! ```text
//! turns of a peer     ─► group by peer and direction ─► ResponseRow
//! turns of a listener ─► who listens there ─► group by listener ─► ListenerTurnRow
//! ```

mod account;
mod left_out;
mod listeners;
mod table;

#[cfg(test)]
mod tests;

use std::{net::IpAddr, time::Duration};

pub use table::TurnTable;

use crate::model::ListenerKey;

/// How turns are grouped and for how long groups are kept.
#[derive(Clone, Copy, Debug)]
pub struct TurnConfig {
    /// Label sets of peers per direction; `other` is not counted.
    pub budget: usize,
    /// Label sets of listeners; `other` is not counted.
    pub listener_budget: usize,
    /// Window of the quantiles.
    pub window: Duration,
    /// How long counters stay after the last turn.
    pub retention: Duration,
}

/// Who listens where; asked for the listeners of turns.
pub trait Listeners {
    /// The row of who listens, or did until lately, in network namespace `netns` (its inode
    /// number) on `ip`:`port`. `None` until a poll has told of it and its owner is known.
    fn listener(&self, netns: u32, ip: IpAddr, port: u16) -> Option<ListenerKey>;
}
