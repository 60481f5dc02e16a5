//! Listening sockets: their queues, what they drop and accept, why they do not keep up, and who is
//! missed where nobody listens any more.
//!
//! ```text
//! poll, some 12 a second ─► socket: deltas, seconds of the window ─► group ─► ListenerRow
//!                              └─► evidence ─► verdict ─► words ─────────────────┘
//! SYN answered with a reset ─► doors: who listened there last ─► group ─► RefusedRow
//! ```

mod account;
mod doors;
mod history;
mod refused;
mod rows;
mod sink;
mod socket;
mod table;
mod verdict;
mod words;
mod workers;

#[cfg(test)]
mod tests;

use std::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

pub use table::ListenerTable;

/// How listeners are grouped and for how long groups are kept.
#[derive(Clone, Copy, Debug)]
pub struct ListenerConfig {
    /// Label sets of listeners; `other` is not counted.
    pub budget: usize,
    /// Label sets of refused connection requests; `other` is not counted.
    pub refused_budget: usize,
    /// How long counters stay after the last socket, and a listener that has gone is remembered.
    pub retention: Duration,
}

/// An address of a record. IPv4-mapped ones come out as IPv4.
fn ip(octets: [u8; 16]) -> IpAddr {
    Ipv6Addr::from(octets).to_canonical()
}
