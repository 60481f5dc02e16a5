//! The host as a whole: its own totals, its interfaces, and who waits for what on it.

use std::sync::Arc;

/// What the host has and has done since it booted. Absent values could not be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostTotals {
    /// Online CPUs.
    pub cpus: Option<u64>,
    /// CPU time by mode ([`CPU_MODES`]), ns, summed over CPUs.
    pub cpu_ns: Option<[u64; CPU_MODES.len()]>,
    /// Load averages over 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
    /// Memory by type ([`MEMORY_TYPES`]), bytes.
    pub memory: Option<[Option<u64>; MEMORY_TYPES.len()]>,
    /// Swap space, bytes.
    pub swap_total: Option<u64>,
    /// Swap space in use, bytes.
    pub swap_used: Option<u64>,
    /// Bytes read from swap.
    pub swap_in: Option<u64>,
    /// Bytes written to swap.
    pub swap_out: Option<u64>,
    /// Processes killed as memory ran out.
    pub oom_kills: Option<u64>,
    /// Bytes read from disks.
    pub disk_read: Option<u64>,
    /// Bytes written to disks.
    pub disk_written: Option<u64>,
    /// Share of the last cycle in which the busiest disk had something to do.
    pub disk_busy_ratio: Option<f64>,
    /// Time that tasks lost to waiting.
    pub pressure: Pressure,
}

/// Modes of CPU time, as in `/proc/stat`; time in guests is part of the first two.
pub const CPU_MODES: [&str; 8] = [
    "user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal",
];

/// Types of memory. `total` is all there is, `available` what programs could still get; the
/// others are some of what it is used for.
pub const MEMORY_TYPES: [&str; 10] = [
    "total",
    "available",
    "free",
    "anon",
    "cache",
    "shmem",
    "slab",
    "page_tables",
    "dirty",
    "writeback",
];

/// Resources that tasks wait for, as the kernel names its pressure files.
pub const RESOURCES: [&str; 4] = ["cpu", "memory", "io", "irq"];
/// How many wait: some of the tasks, or all that are not idle.
pub const STALLS: [&str; 2] = ["some", "full"];

/// Time lost to waiting since the kernel counts it, µs: by [`RESOURCES`] and [`STALLS`]. Absent
/// where the kernel does not count it.
pub type Pressure = [[Option<u64>; STALLS.len()]; RESOURCES.len()];

/// One network interface of the agent's network namespace. Counters hold since this appearance of
/// the row began.
#[derive(Clone, Debug, PartialEq)]
pub struct InterfaceRow {
    /// Its name; `None`: all interfaces beyond the budget.
    pub name: Option<Arc<str>>,
    /// Counters are to be exposed as 0: some scraper has not seen their birth yet.
    pub held: bool,
    /// What it received.
    pub received: Traffic,
    /// What it sent.
    pub sent: Traffic,
}

/// One direction of an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
    /// Packets with errors.
    pub errors: u64,
    /// Packets dropped.
    pub drops: u64,
}

/// Time that the tasks of one container or unit lost to waiting. Counters hold since this
/// appearance of the row began.
#[derive(Clone, Debug, PartialEq)]
pub struct ServicePressureRow {
    /// Container or unit; `None`: all beyond the budget.
    pub service: Option<Arc<str>>,
    /// Counters are to be exposed as 0: some scraper has not seen their birth yet.
    pub held: bool,
    /// Time lost.
    pub pressure: Pressure,
}
