//! Requests to disks: how long they took, in memory that programs write and user space reads.

#[cfg(not(target_arch = "bpf"))]
use core::sync::atomic::{AtomicU32 as Shared32, AtomicU64 as Shared64};

use super::Record;
use crate::bucket;
#[cfg(target_arch = "bpf")]
use crate::probe::shared::{Shared32, Shared64};

/// Slots any key may have.
pub const DISK_SLOTS_SHARED: usize = 512;
/// Slots left to what found none of those, by disk and operation alone.
pub const DISK_SLOTS_FOLDED: usize = 64;
/// All slots; the first belongs to nobody and counts what found no room at all.
pub const DISK_SLOTS: usize = 1 + DISK_SLOTS_SHARED + DISK_SLOTS_FOLDED;
/// Bios under way at devices without requests, at most.
pub const BIOS: usize = 8192;

/// Slots of processes, by operation; the first belongs to nobody and counts what found no room.
pub const DISK_PROCESS_SLOTS: usize = 512;
/// Requests of processes under way, at most.
pub const DISK_STARTS: usize = 8192;

/// [`DiskKey::cgroup`] of what found no room under its own.
pub const CGROUP_FOLDED: u64 = 0;
/// [`DiskKey::cgroup`] of writes that the kernel made later for somebody it did not remember.
pub const CGROUP_WRITEBACK: u64 = u64::MAX;

/// What is asked of a disk, as the kernel groups it (`op_stat_group()`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum DiskOp {
    /// Read.
    Read = 0,
    /// Written, zones and zeroes included.
    Write = 1,
    /// Caches written back to the medium.
    Flush = 2,
    /// Blocks given back.
    Discard = 3,
}

impl DiskOp {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Flush, Self::Discard];

    /// Of a request's operation (`enum req_op`, `include/linux/blk_types.h`); `None` for what
    /// moves nothing of a file's or is none of the block layer's own.
    #[inline(always)]
    pub const fn of_request(op: u32) -> Option<Self> {
        match op {
            0 => Some(Self::Read),
            // Write, secure erase, zone append, write zeroes.
            1 | 5 | 7 | 9 => Some(Self::Write),
            2 => Some(Self::Flush),
            3 => Some(Self::Discard),
            _ => None,
        }
    }

    /// As it is named in labels.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Flush => "flush",
            Self::Discard => "discard",
        }
    }
}

/// Whose requests to which disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct DiskKey {
    /// Cgroup in the hierarchy of the io controller; 1 is its root, see also [`CGROUP_FOLDED`]
    /// and [`CGROUP_WRITEBACK`].
    pub cgroup: u64,
    /// Major number × 2²⁰ + minor number of the whole disk.
    pub dev: u32,
    /// [`DiskOp`].
    pub op: u32,
}

const _: () = assert!(size_of::<DiskKey>() == 16);
// SAFETY: repr(C), plain integers, no padding (size asserted above).
unsafe impl Record for DiskKey {}
#[cfg(feature = "user")]
// SAFETY: as for `Record`.
unsafe impl aya::Pod for DiskKey {}

/// The requests of one key. Programs only ever add; user space takes what has gathered by
/// exchanging it for zero, so nothing is counted twice or lost.
#[derive(Debug)]
#[repr(C)]
pub struct DiskSlot {
    /// Bytes moved.
    pub bytes: Shared64,
    /// Sum of the times from queued to done, ns.
    pub io_sum_ns: Shared64,
    /// Sum of the times at the device, ns.
    pub service_sum_ns: Shared64,
    /// The longest from queued to done, µs. Two programs that raise it in the same instant may
    /// leave the smaller.
    pub io_max_us: Shared32,
    /// The longest at the device, µs; likewise.
    pub service_max_us: Shared32,
    /// Requests that failed.
    pub errors: Shared32,
    /// Requests whose time is not known.
    pub untimed: Shared32,
    /// Requests by slot of [`bucket`], queued to done.
    pub io: [Shared32; bucket::COUNT],
    /// Likewise, at the device.
    pub service: [Shared32; bucket::COUNT],
}

const _: () = assert!(size_of::<DiskSlot>() == 40 + 8 * bucket::COUNT);

/// What is remembered of a bio under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct BioStart {
    /// When it was handed in, ns of `CLOCK_MONOTONIC`.
    pub at_ns: u64,
    /// Its bytes: none are left when it is done.
    pub bytes: u64,
}

const _: () = assert!(size_of::<BioStart>() == 16);
// SAFETY: repr(C), plain integers, no padding (size asserted above).
unsafe impl Record for BioStart {}
#[cfg(feature = "user")]
// SAFETY: as for `Record`.
unsafe impl aya::Pod for BioStart {}

/// Who made a request that is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct DiskStart {
    /// Start of the process, ns of `CLOCK_BOOTTIME`.
    pub process_start_ns: u64,
    /// When it was queued, ns of `CLOCK_MONOTONIC`.
    pub at_ns: u64,
    /// Process id.
    pub tgid: u32,
    /// Padding, 0.
    pub pad: u32,
}

const _: () = assert!(size_of::<DiskStart>() == 24);
// SAFETY: repr(C), plain integers, no padding (size asserted above).
unsafe impl Record for DiskStart {}
#[cfg(feature = "user")]
// SAFETY: as for `Record`.
unsafe impl aya::Pod for DiskStart {}

/// Whose requests to any disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct DiskProcessKey {
    /// Start of the process, ns of `CLOCK_BOOTTIME`.
    pub start_ns: u64,
    /// Process id.
    pub tgid: u32,
    /// [`DiskOp::Read`] or [`DiskOp::Write`].
    pub op: u32,
}

const _: () = assert!(size_of::<DiskProcessKey>() == 16);
// SAFETY: repr(C), plain integers, no padding (size asserted above).
unsafe impl Record for DiskProcessKey {}
#[cfg(feature = "user")]
// SAFETY: as for `Record`.
unsafe impl aya::Pod for DiskProcessKey {}

/// The requests of one process and operation; used as [`DiskSlot`] is.
#[derive(Debug)]
#[repr(C)]
pub struct DiskProcessSlot {
    /// Sum of the times from queued to done, ns.
    pub io_sum_ns: Shared64,
    /// The longest, µs, as in [`DiskSlot::io_max_us`].
    pub io_max_us: Shared32,
    /// Padding, 0.
    pub pad: Shared32,
    /// Requests by slot of [`bucket`], queued to done.
    pub io: [Shared32; bucket::COUNT],
}

const _: () = assert!(size_of::<DiskProcessSlot>() == (16 + 4 * bucket::COUNT).next_multiple_of(8));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_grouped_as_in_diskstats() {
        assert_eq!(DiskOp::of_request(9), Some(DiskOp::Write));
        assert_eq!(DiskOp::of_request(34), None);
        for (number, op) in DiskOp::ALL.into_iter().enumerate() {
            assert_eq!(op as usize, number);
            assert_eq!(DiskOp::of_request(number as u32), Some(op));
        }
    }
}
