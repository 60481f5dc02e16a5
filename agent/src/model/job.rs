//! Processes that belong together because they were started together.

use std::sync::Arc;

use super::{Memory, ProcessRates};

/// What holds the processes of a job together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JobKey {
    /// A container or systemd unit.
    Service(Arc<str>),
    /// A session (`setsid(2)`): its id, which is the pid of the process that began it.
    Session(u32),
}

/// One job, for `top`. Sums are over its living processes.
#[derive(Clone, Debug)]
pub struct JobRow {
    /// What holds it together.
    pub key: JobKey,
    /// What runs, in the order of its start: `pg_dump | pbzip2`.
    pub job: Arc<str>,
    /// Users of its processes, `,` between several.
    pub user: Arc<str>,
    /// Processes.
    pub processes: u64,
    /// Threads.
    pub threads: u64,
    /// CPU time since each of them started, ns.
    pub cpu_ns: u64,
    /// Memory: `anon` and `swap` are sums, `file` and `shmem` the largest member's; `None` until
    /// one was measured.
    pub memory: Option<Memory>,
    /// Start of the oldest, seconds since the epoch.
    pub start_seconds: f64,
    /// Time since then, seconds.
    pub age_seconds: f64,
    /// Rates over the last cycle, processes that ended in it included as far as their session was
    /// known.
    pub rates: ProcessRates,
    /// Whether bytes read from and written to storage are known.
    pub disk: bool,
}
