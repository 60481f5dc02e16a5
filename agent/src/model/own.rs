//! What the agent knows about itself: sources, programs, losses, budgets, costs.

use std::time::SystemTime;

use super::ResponseStatus;

/// Where a signal comes from, and why not from better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceStatus {
    /// Signal, e.g. `tcp_live`, `tcp_ended`, `process_live`, `process_ended`, `memory`.
    pub signal: &'static str,
    /// Chosen source, e.g. `bpf_sk_storage`, `bpf_iter_tcp`, `sock_diag`, `bpf_iter_task`,
    /// `procfs`, `absent`.
    pub source: &'static str,
    /// Why a better source was not taken, in one line; `None` if this is the best.
    pub degraded: Option<String>,
}

/// What became of one kernel program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProgramState {
    /// Loaded and attached.
    Attached,
    /// Loaded, run on demand.
    Loaded,
    /// Not wanted: another program serves its signal.
    Unused,
    /// The kernel lacks what it needs.
    Unsupported(String),
    /// The kernel refused it.
    Refused(String),
}

/// One kernel program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramStatus {
    /// Object it belongs to.
    pub object: &'static str,
    /// Program name.
    pub name: String,
    /// Hook, e.g. `tp_btf/inet_sock_set_state`.
    pub hook: String,
    /// State.
    pub state: ProgramState,
    /// Runs since it was loaded; only while `kernel.bpf_stats_enabled` is on.
    pub run_count: Option<u64>,
    /// Time spent in it, ns; only while `kernel.bpf_stats_enabled` is on.
    pub run_time_ns: Option<u64>,
}

/// Time spent in one stage of a cycle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stage {
    /// Stage name, e.g. `tcp_walk`, `process_walk`, `memory`, `snapshot`.
    pub name: &'static str,
    /// Seconds in the last cycle.
    pub last_seconds: f64,
    /// Seconds in all cycles.
    pub total_seconds: f64,
}

/// Events or records lost, by cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// What was lost, e.g. `tcp_final`, `process_final`, `exec`, `malformed`.
    pub what: &'static str,
    /// How many.
    pub count: u64,
}

/// Fill of a bounded kernel map or ring buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapFill {
    /// Map name.
    pub map: &'static str,
    /// Entries or bytes in use when last read.
    pub used: u64,
    /// Entries or bytes it holds at most.
    pub capacity: u64,
}

/// State of one budget of label sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Family group, e.g. `peer_inbound`, `peer_outbound`, `process`.
    pub name: &'static str,
    /// Label sets it allows.
    pub limit: u64,
    /// Label sets named now, ended ones included while they are still exposed.
    pub named: u64,
    /// Live groups folded into `other` now.
    pub folded: u64,
    /// Groups ever folded at first sight.
    pub folds: u64,
    /// Named groups ever folded to make room for heavier ones.
    pub evictions: u64,
}

/// Our sum against the kernel's own total over the last comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrossCheck {
    /// What is compared, e.g. `cpu`, `retransmits`.
    pub signal: &'static str,
    /// Our sum.
    pub ours: f64,
    /// The kernel's total.
    pub kernel: f64,
}

impl CrossCheck {
    /// (ours − kernel) / kernel; `None` if the kernel's total did not move.
    pub fn relative_error(&self) -> Option<f64> {
        (self.kernel > 0.0).then(|| (self.ours - self.kernel) / self.kernel)
    }
}

/// How far the agent sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Network namespaces whose sockets are seen.
    pub namespaces: u64,
    /// Network namespaces known and not readable.
    pub namespaces_unreadable: u64,
    /// Living sockets tracked.
    pub connections: u64,
    /// Living processes tracked.
    pub processes: u64,
    /// Processes whose memory is yet to be read for the first time.
    pub memory_pending: u64,
}

/// The configuration file and its last reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigStatus {
    /// Rules in force.
    pub rules: u64,
    /// The last attempt to read the file succeeded.
    pub successful: bool,
    /// When the rules in force were read.
    pub success_at: SystemTime,
    /// Reloads that succeeded, the start not counted.
    pub reloads: u64,
    /// Reloads that were refused; the rules from before stayed in force.
    pub failed_reloads: u64,
    /// What the last attempt was refused for, in one line.
    pub error: Option<String>,
}

/// Everything the agent reports of itself.
#[derive(Clone, Debug, Default)]
pub struct OwnStats {
    /// Cycles finished since start.
    pub cycles: u64,
    /// Cycles in which some source failed.
    pub failed_cycles: u64,
    /// Stages of the last cycle.
    pub stages: Vec<Stage>,
    /// Signals and their sources.
    pub sources: Vec<SourceStatus>,
    /// Kernel programs.
    pub programs: Vec<ProgramStatus>,
    /// Losses by cause.
    pub lost: Vec<Lost>,
    /// Fill of bounded maps.
    pub maps: Vec<MapFill>,
    /// Budgets.
    pub budgets: Vec<Budget>,
    /// Sums against the kernel's totals.
    pub cross_checks: Vec<CrossCheck>,
    /// Reach.
    pub scope: Scope,
    /// The configuration file; `None` without one.
    pub config: Option<ConfigStatus>,
    /// Whether times to first byte are watched.
    pub response_time: ResponseStatus,
    /// Label sets whose counters are held at 0 until scrapers have seen their birth.
    pub held_series_sets: u64,
    /// CPU time of the agent, seconds; `None` if it could not be read.
    pub cpu_seconds: Option<f64>,
    /// Resident memory of the agent, bytes; `None` if it could not be read.
    pub rss_bytes: Option<u64>,
}
