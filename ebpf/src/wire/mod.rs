//! Fixed records crossing from the kernel to user space. Native endianness, explicit padding,
//! sizes asserted: a record is copied as bytes and read back as the same type.

mod block;
mod connect;
mod counters;
mod dns;
mod exec;
mod fd;
mod listen;
mod rtt;
mod sock;
mod swap;
mod task;
mod turn;

pub use block::{
    BIOS, BioStart, CGROUP_FOLDED, CGROUP_WRITEBACK, DISK_PROCESS_SLOTS, DISK_SLOTS,
    DISK_SLOTS_FOLDED, DISK_SLOTS_SHARED, DISK_STARTS, DiskKey, DiskOp, DiskProcessKey,
    DiskProcessSlot, DiskSlot, DiskStart,
};
pub use connect::{ATTEMPTS, AttemptRecord};
pub use counters::TaskCounters;
pub use dns::{DNS_BYTES, DnsRecord, DnsWay};
pub use exec::{EXEC_ARGS_BYTES, ExecRecord};
pub use fd::FdType;
pub use listen::{
    DoorTotals, LISTENERS, ListenElement, ListenRecord, REFUSED, RefusedElement, RefusedKey,
};
pub use rtt::{
    GroupSlot, LISTENING, ListenKey, OWN_NETWORKS, RTT_FOLDED, RTT_GROUPS, RTT_SLOTS, RttKey,
    RttSlot,
};
pub use sock::{
    Direction, ListenBind, SOCK_BATCH, SockFlags, SockKind, SockRecord, SockTotals, tcp_state,
};
pub use swap::{SWAP_DEVICES, SWAP_OWNERS, SwapBytes, SwapDevices, SwapKey, SwapOwner};
pub use task::{TaskFlags, TaskKind, TaskRecord, TaskTotals, ThreadRecord};
pub use turn::{
    Excluded, TURN_FOLDED, TURN_GROUPS, TURN_SLOTS, TURN_SOCKETS, TurnCost, TurnGroup, TurnSlot,
    TurnTimes,
};

/// Value of a `u32` field that the running kernel could not tell.
pub const UNKNOWN_U32: u32 = u32::MAX;

/// Value of a `u64` field that the running kernel could not tell.
pub const UNKNOWN_U64: u64 = u64::MAX;

/// Marks types that may be read from any byte pattern of their size.
///
/// # Safety
/// The type is `repr(C)`, has no padding, and every bit pattern is valid.
pub unsafe trait Record: Copy + 'static {}

// SAFETY: a plain integer.
unsafe impl Record for u64 {}

/// Reads one record from the front of `bytes`; `None` if they are too short.
#[inline]
pub fn read<T: Record>(bytes: &[u8]) -> Option<T> {
    if bytes.len() < size_of::<T>() {
        return None;
    }
    // SAFETY: `Record` promises that any bytes form a valid value, the length was checked, and
    // `read_unaligned` asks nothing of the alignment.
    Some(unsafe { core::ptr::read_unaligned(bytes.as_ptr().cast::<T>()) })
}

/// First field of a record in the task stream, see [`TaskKind`].
#[inline]
pub fn read_kind(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?))
}
