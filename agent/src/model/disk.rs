//! Disks, and the services that use them.

use std::sync::Arc;

use hostlens_ebpf::wire::DiskOp;

use super::{Histogram, Owner, QUANTILES};

/// What was done of one operation. Counters hold since this appearance of the row began.
#[derive(Clone, Debug)]
pub struct DiskOpRow {
    /// Operation.
    pub op: DiskOp,
    /// Counters and histograms are to be exposed as 0.
    pub held: bool,
    /// From queued to done.
    pub io: Arc<Histogram>,
    /// At the device alone; empty where it has no requests, only bios.
    pub service: Arc<Histogram>,
    /// Bytes moved.
    pub bytes: u64,
    /// Requests done.
    pub requests: u64,
    /// Requests that failed.
    pub errors: u64,
    /// Bytes per second over the last cycle.
    pub byte_rate: f64,
    /// Requests per second over the last cycle.
    pub request_rate: f64,
    /// [`QUANTILES`] from queued to done over the last window, seconds; absent without a request.
    pub io_quantiles: Option<[f64; QUANTILES.len()]>,
    /// Likewise at the device.
    pub service_quantiles: Option<[f64; QUANTILES.len()]>,
}

/// What speaks for a disk that is slow by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskVerdict {
    /// Busy all the time with far fewer bytes and requests than it once managed.
    Slow,
    /// Busy all the time with far fewer bytes than it once managed, but with many requests.
    Scattered,
}

impl DiskVerdict {
    /// One word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Scattered => "scattered",
        }
    }
}

/// One disk.
#[derive(Clone, Debug)]
pub struct DiskRow {
    /// Name; `None` for all disks beyond the budget.
    pub device: Option<Arc<str>>,
    /// It is there.
    pub live: bool,
    /// Times of requests are measured now.
    pub timed: bool,
    /// Bytes and requests are counted now.
    pub counted: bool,
    /// Failures are counted: programs see each request.
    pub errors_seen: bool,
    /// What was done, by operation; those never seen are left out.
    pub ops: Vec<DiskOpRow>,
    /// Requests under way.
    pub queue_length: Option<u64>,
    /// Time with a request under way; counter.
    pub busy_seconds: Option<BusySeconds>,
    /// Share of the last seconds with a request under way.
    pub busy_ratio: Option<f64>,
    /// Bytes per second over the last seconds.
    pub throughput: Option<f64>,
    /// The most it moved in the last hours, bytes per second.
    pub best_throughput: Option<f64>,
    /// Throughput ÷ the best of the last hours.
    pub of_best: Option<f64>,
    /// What all this speaks for.
    pub verdict: Option<DiskVerdict>,
}

/// Busy time since this appearance of the row began.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BusySeconds {
    /// Seconds.
    pub seconds: f64,
    /// To be exposed as 0.
    pub held: bool,
}

/// What identifies a row of a service's requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DiskUser {
    /// A container or unit; empty for what belongs to none.
    Service(Arc<str>),
    /// Written later by the kernel, for somebody it did not remember.
    Writeback,
    /// All rows beyond the budget.
    Folded,
}

/// Requests of one service to all disks.
#[derive(Clone, Debug)]
pub struct ServiceDiskRow {
    /// Identity.
    pub user: DiskUser,
    /// What was done, by operation; those never seen are left out.
    pub ops: Vec<DiskOpRow>,
}

/// Requests that the processes of one group waited for, at all disks.
#[derive(Clone, Debug)]
pub struct ProcessDiskRow {
    /// Whose; `None` for all groups beyond the budget.
    pub owner: Option<Owner>,
    /// Times of reads and writes; nothing else of them is known. Those never seen are left out.
    pub ops: Vec<DiskOpRow>,
}
