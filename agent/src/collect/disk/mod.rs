//! Disks: what the kernel counts of each, and how long each request took.
//!
//! ```text
//! diskstats  /proc/diskstats and /sys/block: bytes, requests, queue, busy time ─► DiskStat
//! bpf        block_rq_complete, block_bio_*: times, by cgroup                  ─► DiskSample
//! process    block_io_start, block_rq_complete: times, by process              ─► DiskProcessSample
//! ```

pub mod bpf;
pub mod diskstats;
pub mod process;
mod slots;

use std::sync::Arc;

use hostlens_ebpf::wire::{DiskKey, DiskOp};

use crate::model::SampleCounts;

/// How many operations there are.
pub const OPS: usize = DiskOp::ALL.len();

/// One whole disk, absolute counters since it appeared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskStat {
    /// Major number × 2²⁰ + minor number.
    pub dev: u32,
    /// Name as in `/sys/block`.
    pub name: Arc<str>,
    /// It has bios only (dm, md, zram).
    pub bare: bool,
    /// The kernel keeps the counters and times of its requests (`queue/iostats`).
    pub accounted: bool,
    /// Requests done, by [`DiskOp`]; absent where this kernel does not tell.
    pub requests: [Option<u64>; OPS],
    /// Bytes moved, likewise; flushes move none.
    pub bytes: [Option<u64>; OPS],
    /// Requests under way.
    pub in_flight: u64,
    /// Time with a request under way, ms.
    pub busy_ms: u64,
}

impl DiskStat {
    /// Nothing was ever asked of it.
    pub fn idle(&self) -> bool {
        self.requests.iter().all(|count| count.unwrap_or(0) == 0)
    }
}

/// Requests of one key that were done since the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskSample {
    /// Cgroup, disk, operation.
    pub key: DiskKey,
    /// From queued to done.
    pub io: SampleCounts,
    /// At the device.
    pub service: SampleCounts,
    /// Requests whose time is not known.
    pub untimed: u64,
    /// Bytes moved.
    pub bytes: u64,
    /// Requests that failed.
    pub errors: u64,
}
