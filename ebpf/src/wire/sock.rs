//! One TCP socket, living or just ended.

use super::Record;

/// Why a [`SockRecord`] was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SockKind {
    /// Seen alive by a walk.
    Live = 0,
    /// Final counters, taken at the transition to `TCP_CLOSE`.
    Final = 1,
    /// The round-trip time as it stood before the close handshake disturbed it; only written
    /// where sockets cannot carry storage (kernels before 5.11).
    LastRtt = 2,
    /// A connection attempt that ended before it was established.
    Failed = 3,
    /// What the application never read of a connection that ended earlier with
    /// [`SockFlags::UNREAD_LATER`]: identity, owner and `unread` alone are set.
    Unread = 4,
}

/// Bits of [`SockRecord::flags`].
pub struct SockFlags;

impl SockFlags {
    /// An application holds or held the socket: never set for a connection that nobody accepted.
    pub const ACCEPTED: u8 = 1;
    /// The owner is the process that read from the socket, not merely the one that opened it or
    /// its listener.
    pub const OWNER_READ: u8 = 1 << 1;
    /// The process that closed the socket was dying.
    pub const OWNER_DYING: u8 = 1 << 2;
    /// The connection was reset with bytes unread that the application may still read: `unread`
    /// is 0 here and follows in a [`SockKind::Unread`] record, if any are left.
    pub const UNREAD_LATER: u8 = 1 << 3;
    /// No local port was ever chosen: the attempt found none free.
    pub const NO_PORT: u8 = 1 << 4;
    /// `SO_LINGER` was set.
    pub const LINGER: u8 = 1 << 5;
    /// The attempt failed inside `connect()`, before anything was sent: `error` is what the route
    /// to the peer gives.
    pub const LOCAL: u8 = 1 << 6;
}

/// Who opened the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Direction {
    /// Not seen opening; decided from the listeners of its namespace.
    Unknown = 0,
    /// A peer connected to a listener here.
    Inbound = 1,
    /// Opened by a process here.
    Outbound = 2,
}

impl Direction {
    /// The direction a record's byte stands for; anything unforeseen is `Unknown`.
    pub const fn from_wire(byte: u8) -> Self {
        match byte {
            1 => Self::Inbound,
            2 => Self::Outbound,
            _ => Self::Unknown,
        }
    }
}

/// How the listener that accepted an inbound connection is bound. A bound address other than a
/// wildcard is always the connection's own local address, so one byte is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ListenBind {
    /// The listener was not seen.
    Unknown = 0,
    /// Bound to the connection's local address.
    Exact = 1,
    /// Bound to `0.0.0.0`.
    AnyV4 = 2,
    /// Bound to `::` (IPv6 alone or dual-stack).
    AnyV6 = 3,
}

impl ListenBind {
    /// The binding a record's byte stands for; anything unforeseen is `Unknown`.
    pub const fn from_wire(byte: u8) -> Self {
        match byte {
            1 => Self::Exact,
            2 => Self::AnyV4,
            3 => Self::AnyV6,
            _ => Self::Unknown,
        }
    }
}

/// Socket states as in `include/net/tcp_states.h`.
pub mod tcp_state {
    #![expect(missing_docs, reason = "the kernel's own names")]
    pub const ESTABLISHED: u8 = 1;
    pub const SYN_SENT: u8 = 2;
    pub const SYN_RECV: u8 = 3;
    pub const FIN_WAIT1: u8 = 4;
    pub const FIN_WAIT2: u8 = 5;
    pub const TIME_WAIT: u8 = 6;
    pub const CLOSE: u8 = 7;
    pub const CLOSE_WAIT: u8 = 8;
    pub const LAST_ACK: u8 = 9;
    pub const LISTEN: u8 = 10;
    pub const CLOSING: u8 = 11;
    pub const NEW_SYN_RECV: u8 = 12;
}

/// One TCP socket. Counters are absolute since the connection was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct SockRecord {
    /// Identity of this connection, unique while the host runs: mixed from time and CPU of its
    /// opening by the programs, or from socket cookie or 4-tuple and namespace by other sources.
    /// Never 0.
    pub id: u64,
    /// `CLOCK_MONOTONIC` ns at which the open was seen; 0 if the socket is older than we are.
    pub born_ns: u64,
    /// Payload bytes sent, retransmissions included (`tcp_sock.bytes_sent`).
    pub bytes_sent: u64,
    /// Payload bytes sent again (`tcp_sock.bytes_retrans`).
    pub bytes_retrans: u64,
    /// Payload bytes received (`tcp_sock.bytes_received`, without the peer's FIN).
    pub bytes_received: u64,
    /// Start of the process `owner_tgid`, ns of `CLOCK_BOOTTIME`: together they identify it. 0
    /// unknown.
    pub owner_start_ns: u64,
    /// `CLOCK_MONOTONIC` ns at which the handshake was completed; 0 if it was not, or not seen.
    pub established_ns: u64,
    /// `CLOCK_MONOTONIC` ns of the end; 0 in a walk.
    pub ended_ns: u64,
    /// [`SockRecord::id`] of the listener that took an inbound connection; 0 unknown.
    pub listener: u64,
    /// Local address; IPv4 in its IPv6-mapped form.
    pub local_addr: [u8; 16],
    /// Remote address; IPv4 in its IPv6-mapped form. Zero for listeners.
    pub remote_addr: [u8; 16],
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Smoothed round-trip time, µs (`srtt_us >> 3`); 0: none measured yet.
    pub srtt_us: u32,
    /// Lowest round-trip time of the kernel's window, µs; `u32::MAX`: none.
    pub min_rtt_us: u32,
    /// Segments with payload sent, retransmissions included (`tcp_sock.data_segs_out`).
    pub data_segs_out: u32,
    /// Segments retransmitted (`tcp_sock.total_retrans`).
    pub total_retrans: u32,
    /// Segments the peer acknowledged; moves exactly when a new RTT may have been measured
    /// (`tcp_sock.delivered`).
    pub delivered: u32,
    /// Bytes received and not yet read by the application; on a listener the connections waiting
    /// to be accepted (`sk_ack_backlog`).
    pub unread: u32,
    /// Bytes written and not yet acknowledged; on a listener the backlog limit
    /// (`sk_max_ack_backlog`).
    pub unacked: u32,
    /// Process that reads the socket, else that opened it or its listener; 0 unknown.
    pub owner_tgid: u32,
    /// Local port.
    pub local_port: u16,
    /// Remote port; 0 for listeners.
    pub remote_port: u16,
    /// Socket state ([`tcp_state`]).
    pub state: u8,
    /// State before the transition to CLOSE; 0 in a walk.
    pub old_state: u8,
    /// [`Direction`] as a byte.
    pub direction: u8,
    /// [`SockKind`] as a byte.
    pub kind: u8,
    /// [`ListenBind`] as a byte.
    pub listen_bind: u8,
    /// 1 if the socket is of family `AF_INET6` (its addresses may still be mapped IPv4).
    pub v6: u8,
    /// `sk_err` at the end: errno or 0.
    pub error: u16,
    /// `sk_err_soft` at the end: what the network last said (ICMP), errno or 0.
    pub soft_error: u16,
    /// [`SockFlags`].
    pub flags: u8,
    /// Retransmissions in a row without an answer (`icsk_retransmits`).
    pub retransmits: u8,
    /// Zero.
    pub reserved: [u8; 4],
}

const _: () = assert!(size_of::<SockRecord>() == 160);

/// Records of a walk that user space takes at once: a whole number of pages, and few enough that
/// the kernel is not kept from other work for more than some milliseconds.
pub const SOCK_BATCH: usize = 4096;
// SAFETY: repr(C), plain integers and byte arrays, no padding (size asserted above).
unsafe impl Record for SockRecord {}

/// Absolute totals of final records that found no room in the ring buffer, per CPU and
/// [`Direction`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct SockTotals {
    /// Connections whose final record was lost.
    pub connections: u64,
    /// Sum of their `bytes_sent - bytes_retrans`.
    pub sent_bytes: u64,
    /// Sum of their `bytes_received`.
    pub received_bytes: u64,
    /// Sum of their `data_segs_out`.
    pub data_segs_out: u64,
    /// Sum of their `total_retrans`.
    pub total_retrans: u64,
}

const _: () = assert!(size_of::<SockTotals>() == 40);
// SAFETY: repr(C), plain integers, no padding (size asserted above).
unsafe impl Record for SockTotals {}
#[cfg(feature = "user")]
// SAFETY: as for `Record`.
unsafe impl aya::Pod for SockTotals {}
