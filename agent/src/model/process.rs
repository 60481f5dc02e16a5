//! Processes grouped by name and user.

use std::sync::Arc;

use super::JobKey;
use super::SwapRates;

/// Identity of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId {
    /// Process id as the host sees it.
    pub tgid: u32,
    /// Start, ns of `CLOCK_BOOTTIME`.
    pub start_ns: u64,
}

/// Memory of one process, bytes (`/proc/PID/status`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// `RssAnon`.
    pub anon: u64,
    /// `RssFile`.
    pub file: u64,
    /// `RssShmem`.
    pub shmem: u64,
    /// `VmSwap`.
    pub swap: u64,
}

/// Why a process ended; the label `reason` of `process_exited_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ExitReason {
    /// Exit status 0.
    Success,
    /// Any other exit status.
    Failure,
    /// Killed by a signal (number).
    Signal(u8),
    /// Killed because memory ran out, of the host or of its cgroup.
    Oom,
    /// Reasons beyond what one group may name, and ends whose reason was not seen.
    Other,
}

/// One group of processes. Counters hold since this appearance of the group began.
#[derive(Clone, Debug)]
pub struct ProcessRow {
    /// Grouped process name; `other` for all groups beyond the budget.
    pub process: Arc<str>,
    /// User name, number if it has none; `other` for all groups beyond the budget.
    pub user: Arc<str>,
    /// Container or unit, empty if it belongs to neither or that is not told apart; `other` for
    /// all groups beyond the budget.
    pub service: Arc<str>,
    /// This is the row of all groups beyond the budget.
    pub folded: bool,
    /// Counters are to be exposed as 0: some scraper has not seen their birth yet.
    pub held: bool,
    /// Has members now; without any its gauges are absent.
    pub live: bool,
    /// CPU time in user mode, ns.
    pub user_ns: u64,
    /// CPU time in system mode, ns.
    pub system_ns: u64,
    /// Memory: `anon` and `swap` are sums over the members, `file` and `shmem` the largest
    /// member's; `None` until a member was measured.
    pub memory: Option<Memory>,
    /// Bytes fetched from storage; `None` where the kernel does not say.
    pub read_bytes: Option<u64>,
    /// Bytes sent to storage; `None` where the kernel does not say.
    pub write_bytes: Option<u64>,
    /// Open descriptors of all members; `None` until a member was measured.
    pub open_fds: Option<u64>,
    /// Highest open descriptors / limit of any member.
    pub fd_limit_ratio: Option<f64>,
    /// Minor page faults.
    pub minor_faults: u64,
    /// Major page faults.
    pub major_faults: u64,
    /// Voluntary context switches; `None` where the source does not say.
    pub voluntary_switches: Option<u64>,
    /// Involuntary context switches; `None` where the source does not say.
    pub involuntary_switches: Option<u64>,
    /// Time that runnable threads waited for a CPU, ns; `None` where the kernel does not say.
    pub run_delay_ns: Option<u64>,
    /// Time that threads waited for storage, ns; `None` where no member's kernel accounting was
    /// on when it began.
    pub block_delay_ns: Option<u64>,
    /// Members now.
    pub processes: u64,
    /// Threads of all members now.
    pub threads: u64,
    /// Start of the oldest member, seconds since the epoch.
    pub oldest_start_seconds: Option<f64>,
    /// Processes that joined the group by starting.
    pub started: u64,
    /// Ends by reason, with whether that series is still to be exposed as 0. `None` where ends
    /// are not seen (without BPF).
    pub exited: Option<Vec<(ExitReason, u64, bool)>>,
    /// Rates over the last cycle, for people.
    pub rates: ProcessRates,
}

/// Rates over the last cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessRates {
    /// CPUs used (1.0 = one CPU).
    pub cpu: f64,
    /// Bytes per second read from storage.
    pub read_bytes: f64,
    /// Bytes per second written to storage.
    pub write_bytes: f64,
    /// Major faults per second.
    pub major_faults: f64,
    /// Threads waiting for a CPU, on average.
    pub run_delay: f64,
    /// Threads waiting for storage, on average.
    pub block_delay: f64,
    /// Swap I/O; absent while none is told.
    pub swap: Option<SwapRates>,
}

/// One process of a group, for `top`.
#[derive(Clone, Debug)]
pub struct MemberRow {
    /// Process id.
    pub pid: u32,
    /// Parent process id.
    pub ppid: u32,
    /// Group it belongs to.
    pub process: Arc<str>,
    /// User it runs as.
    pub user: Arc<str>,
    /// Container or unit, as its group has it.
    pub service: Arc<str>,
    /// Threads.
    pub threads: u32,
    /// CPU time since it started, ns.
    pub cpu_ns: u64,
    /// Memory, once measured.
    pub memory: Option<Memory>,
    /// Open descriptors.
    pub open_fds: Option<u64>,
    /// Start, seconds since the epoch.
    pub start_seconds: f64,
    /// Rates over the last cycle.
    pub rates: ProcessRates,
    /// What it is done together with; `None` for kernel threads, and until its session was read.
    pub job: Option<JobKey>,
}

impl ProcessRow {
    /// Name, user and service.
    pub fn group(&self) -> (&str, &str, &str) {
        (&self.process, &self.user, &self.service)
    }
}

impl MemberRow {
    /// Name, user and service of its group.
    pub fn group(&self) -> (&str, &str, &str) {
        (&self.process, &self.user, &self.service)
    }
}
