//! TCP connections grouped by remote peer.

use std::{net::IpAddr, sync::Arc};

use hostlens_ebpf::wire::Direction;

use super::{Histogram, Owner, QUANTILES};

/// The remote end of a group of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Remote {
    /// An address of the own networks, shown by itself. Never an IPv4-mapped IPv6 address.
    Ip(IpAddr),
    /// Any address outside the own networks.
    Other,
}

/// What identifies a group of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PeerKey {
    /// Connections that peers opened to a listener here.
    Inbound {
        /// Address the listener is bound to (a wildcard stays one); the connection's own local
        /// address if the listener was never seen.
        listen_ip: IpAddr,
        /// Port of the listener.
        listen_port: u16,
        /// Who connected.
        remote: Remote,
    },
    /// Connections that processes here opened.
    Outbound {
        /// Whom they connected to.
        remote: Remote,
        /// The port there.
        remote_port: u16,
    },
    /// All groups of one direction beyond the peer budget.
    Folded(Direction),
}

impl PeerKey {
    /// Direction of the group's connections.
    pub fn direction(&self) -> Direction {
        match self {
            Self::Inbound { .. } => Direction::Inbound,
            Self::Outbound { .. } => Direction::Outbound,
            Self::Folded(direction) => *direction,
        }
    }
}

/// The values of the label `state` of `tcp_connections`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "states of TCP, named as in ss")]
pub enum ConnectionState {
    Established,
    SynSent,
    CloseWait,
    TimeWait,
    Other,
}

impl ConnectionState {
    /// All states, in the order of [`PeerRow::connections`].
    pub const ALL: [Self; 5] = [
        Self::Established,
        Self::SynSent,
        Self::CloseWait,
        Self::TimeWait,
        Self::Other,
    ];

    /// The label value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Established => "established",
            Self::SynSent => "syn_sent",
            Self::CloseWait => "close_wait",
            Self::TimeWait => "time_wait",
            Self::Other => "other",
        }
    }
}

/// One group of connections. Counters hold since this appearance of the group began.
#[derive(Clone, Debug)]
pub struct PeerRow {
    /// Identity.
    pub key: PeerKey,
    /// The rest of the identity where peers are told apart by process (`--tcp-process-label`);
    /// `None` where they are not, and for all groups beyond the budget.
    pub owner: Option<Owner>,
    /// Counters and histogram are to be exposed as 0: some scraper has not seen their birth yet.
    pub held: bool,
    /// Has connections now; without any its gauges are absent.
    pub live: bool,
    /// Connections by [`ConnectionState`], in the order of [`ConnectionState::ALL`]; `None` where
    /// the source cannot tell that state.
    pub connections: [Option<u64>; 5],
    /// Payload bytes sent for the first time (retransmissions left out).
    pub sent_bytes: u64,
    /// Payload bytes received.
    pub received_bytes: u64,
    /// Segments with payload sent, retransmissions included.
    pub sent_segments: u64,
    /// Segments retransmitted.
    pub retransmitted_segments: u64,
    /// Bytes in receive queues now.
    pub unread_bytes: u64,
    /// Bytes written and not acknowledged now.
    pub unacked_bytes: u64,
    /// Lowest RTT of the group's connections, ns.
    pub min_rtt_ns: Option<u64>,
    /// RTT samples since this appearance began.
    pub rtt: Arc<Histogram>,
    /// RTT quantiles over the last window, seconds, in the order of [`QUANTILES`]; absent without
    /// a sample in the window.
    pub rtt_quantiles: Option<[f64; QUANTILES.len()]>,
    /// Rates over the last cycle, for people.
    pub rates: PeerRates,
}

/// Rates over the last cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PeerRates {
    /// Payload bytes sent per second.
    pub sent_bytes: f64,
    /// Payload bytes received per second.
    pub received_bytes: f64,
    /// Retransmitted per sent segment over the window; `None` if nothing was sent.
    pub retransmit_ratio: Option<f64>,
}
