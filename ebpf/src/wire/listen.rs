//! One listening socket, as polled several times a second.

use super::Record;

/// A listener. Counters are absolute since it began to listen, or since it was first seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ListenRecord {
    /// Identity, as [`super::SockRecord::id`]; its connections carry it as
    /// [`super::SockRecord::listener`].
    pub id: u64,
    /// Inode number of the socket in `sockfs`, as in `/proc/PID/fd`; 0 unknown.
    pub inode: u64,
    /// `CLOCK_MONOTONIC` ns at which `listen()` was seen; 0 if it is older than we are.
    pub born_ns: u64,
    /// Connections that came to stand in its queue since it was first seen;
    /// [`super::UNKNOWN_U64`] if the source does not count them.
    pub established: u64,
    /// Resets sent to clients because the queue was full (`tcp_abort_on_overflow`);
    /// [`super::UNKNOWN_U64`] if the source does not count them.
    pub resets: u64,
    /// Start of the process `owner_tgid`, ns of `CLOCK_BOOTTIME`; 0 unknown.
    pub owner_start_ns: u64,
    /// Time the connection at the head of the queue has stood there, ns; 0 if the queue is empty;
    /// [`super::UNKNOWN_U64`] if the source cannot tell.
    pub oldest_wait_ns: u64,
    /// Bound address; IPv4 in its IPv6-mapped form.
    pub local_addr: [u8; 16],
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Process that called `listen()`; 0 unknown.
    pub owner_tgid: u32,
    /// Connections waiting to be accepted (`sk_ack_backlog`).
    pub queue: u32,
    /// Limit of the queue (`sk_max_ack_backlog`); one more fits.
    pub limit: u32,
    /// Longest queue since the last poll, `queue` included.
    pub high_water: u32,
    /// Connection requests dropped (`sk_drops`); wraps.
    pub drops: u32,
    /// Effective user id of the socket (`sk_uid`); [`super::UNKNOWN_U32`] unknown.
    pub uid: u32,
    /// Local port.
    pub local_port: u16,
    /// 1 if the socket is of family `AF_INET6`.
    pub v6: u8,
    /// 1: it stopped listening; the record is its last.
    pub ended: u8,
}

const _: () = assert!(size_of::<ListenRecord>() == 104);
// SAFETY: repr(C), plain integers and byte arrays, no padding (size asserted above).
unsafe impl Record for ListenRecord {}

/// To whom SYNs came that we answered with a reset, as nobody listened there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct RefusedKey {
    /// Address the SYN was sent to; IPv4 in its IPv6-mapped form.
    pub local_addr: [u8; 16],
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Port the SYN was sent to.
    pub local_port: u16,
    /// Zero.
    pub reserved: u16,
}

const _: () = assert!(size_of::<RefusedKey>() == 24);
// SAFETY: repr(C), plain integers and byte arrays, no padding (size asserted above).
unsafe impl Record for RefusedKey {}
#[cfg(feature = "user")]
// SAFETY: as for `Record`.
unsafe impl aya::Pod for RefusedKey {}
