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

/// A listener as the poll writes it: the kernel map's key, by which user space removes what ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ListenElement {
    /// Address of the socket, or [`ListenRecord::id`] (which is odd) once it stopped listening.
    pub key: u64,
    /// The listener.
    pub record: ListenRecord,
}

const _: () = assert!(size_of::<ListenElement>() == 112);
// SAFETY: repr(C), plain integers and records, no padding (size asserted above).
unsafe impl Record for ListenElement {}

/// Refusals under one key, as the poll writes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct RefusedElement {
    /// To whom.
    pub key: RefusedKey,
    /// How many since the key came in.
    pub count: u64,
}

const _: () = assert!(size_of::<RefusedElement>() == 32);
// SAFETY: repr(C), plain integers and records, no padding (size asserted above).
unsafe impl Record for RefusedElement {}

/// Most listeners that are told apart. Few: a poll visits all places of the map.
pub const LISTENERS: usize = 4096;

/// Most addresses and ports whose refusals are told apart.
pub const REFUSED: usize = 4096;

/// Places of the per-CPU array of counts that belong to no entry.
pub struct DoorTotals;

impl DoorTotals {
    /// All refusals, named or not.
    pub const REFUSED: u32 = 0;
    /// Refusals that found no room under a key of their own.
    pub const ELSEWHERE: u32 = 1;
    /// Listeners, or last words of listeners, that found no room.
    pub const LISTENERS_LOST: u32 = 2;
    /// [`super::SockKind::Unread`] records that found no room.
    pub const UNREAD_LOST: u32 = 3;
    /// Number of places.
    pub const LEN: usize = 4;
}
