//! An attempt to connect, noted before anything is sent.

use super::Record;

/// Attempts under way, or failed and not yet looked at, at most: one for each thread.
pub const ATTEMPTS: usize = 4096;

/// One call of `connect()` on a TCP socket, as seen before the kernel looks for a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct AttemptRecord {
    /// Remote address; IPv4 in its IPv6-mapped form.
    pub remote_addr: [u8; 16],
    /// `CLOCK_MONOTONIC` ns of the call.
    pub began_ns: u64,
    /// Process id × 2³² + thread id, as the host sees them.
    pub thread: u64,
    /// Start of the process, ns of `CLOCK_BOOTTIME`.
    pub owner_start_ns: u64,
    /// CPU time the thread had used, ns, as of the scheduler's last look.
    pub runtime_ns: u64,
    /// Inode number of the socket's network namespace; 0 unknown.
    pub netns: u32,
    /// Remote port.
    pub remote_port: u16,
    /// 1 if the address was given as one of IPv6 (it may still be mapped IPv4).
    pub v6: u8,
    /// Zero.
    pub reserved: u8,
}

const _: () = assert!(size_of::<AttemptRecord>() == 56);
// SAFETY: repr(C), plain integers and byte arrays, no padding (size asserted above).
unsafe impl Record for AttemptRecord {}
#[cfg(feature = "user")]
// SAFETY: as for `Record`.
unsafe impl aya::Pod for AttemptRecord {}
