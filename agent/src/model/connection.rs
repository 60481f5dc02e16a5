//! One live connection, for `top`.

use std::net::IpAddr;

use hostlens_ebpf::wire::Direction;

use super::Owner;

/// A connection as last seen. The exporter never keeps these.
#[derive(Clone, Debug)]
pub struct ConnectionRow {
    /// Identity, see `SockRecord::id`.
    pub id: u64,
    /// Who opened it.
    pub direction: Direction,
    /// Local address.
    pub local_ip: IpAddr,
    /// Local port.
    pub local_port: u16,
    /// Remote address.
    pub remote_ip: IpAddr,
    /// Remote port.
    pub remote_port: u16,
    /// Process that reads from it, else that opened it or its listener; `None` unknown.
    pub owner: Option<Owner>,
    /// That process's id; `None` unknown.
    pub pid: Option<u32>,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// State as `ss` prints it (`ESTAB`, `CLOSE-WAIT`, …).
    pub state: &'static str,
    /// Smoothed RTT, ns; `None` before the first measurement.
    pub rtt_ns: Option<u64>,
    /// Lowest RTT, ns.
    pub min_rtt_ns: Option<u64>,
    /// Bytes not yet read by the application.
    pub unread_bytes: u64,
    /// Bytes not yet acknowledged by the peer.
    pub unacked_bytes: u64,
    /// Payload bytes sent since the connection was opened.
    pub sent_bytes: u64,
    /// Payload bytes received since the connection was opened.
    pub received_bytes: u64,
    /// Bytes sent per second over the last cycle.
    pub sent_rate: f64,
    /// Bytes received per second over the last cycle.
    pub received_rate: f64,
    /// Segments retransmitted since the connection was opened.
    pub retransmitted_segments: u64,
}
