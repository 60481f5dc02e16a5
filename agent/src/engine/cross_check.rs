//! Balancing the books: our sums against the kernel's own totals.

use std::time::Duration;

use rustc_hash::FxHashMap;

use super::{process::ProcessStage, tcp::TcpStage};
use crate::{
    clock::Moment,
    collect::{host::totals, tcp::netns::Namespace},
    model::CrossCheck,
};

/// Ticks and cycles do not fall together: only a longer stretch can be compared.
const EVERY: Duration = Duration::from_secs(60);
/// The first comparison, so that a fresh start shows something soon.
const FIRST: Duration = Duration::from_secs(10);

/// Totals at the start of a stretch.
struct Base {
    at: Moment,
    cpu: Option<(u64, u64)>,
    /// By namespace: our retransmits and the kernel's.
    retransmits: FxHashMap<u32, (u64, u64)>,
    /// Bytes read and written: as programs saw them and as the kernel counted them.
    disk: Option<(u64, u64)>,
    /// Bytes of swap I/O, in and out: charged and counted by the kernel.
    swap: Option<[(u64, u64); 2]>,
}

/// The comparisons.
#[derive(Default)]
pub struct CrossChecks {
    base: Option<Base>,
    results: Vec<CrossCheck>,
}

impl CrossChecks {
    /// Compares if a stretch is over.
    pub fn compare(
        &mut self,
        at: Moment,
        process: &ProcessStage,
        tcp: &TcpStage,
        disk: Option<(u64, u64)>,
        swap: Option<[(u64, u64); 2]>,
    ) {
        let due = match &self.base {
            None => true,
            Some(base) => {
                let wanted = if self.results.is_empty() {
                    FIRST
                } else {
                    EVERY
                };
                at.since(base.at) >= wanted
            }
        };
        if !due {
            return;
        }
        let now = Base {
            at,
            cpu: totals::busy_cpu_ns().map(|kernel| (process.table().cpu_total_ns(), kernel)),
            retransmits: retransmits(tcp),
            disk,
            swap,
        };
        if let Some(base) = &self.base {
            self.results = differences(base, &now);
        }
        self.base = Some(now);
    }

    /// Results of the last stretch.
    pub fn results(&self) -> Vec<CrossCheck> {
        self.results.clone()
    }
}

fn retransmits(tcp: &TcpStage) -> FxHashMap<u32, (u64, u64)> {
    let ours: FxHashMap<u32, u64> = tcp.table().retransmits_by_netns().collect();
    tcp.namespaces()
        .iter()
        .filter_map(|namespace: &Namespace| {
            let kernel = totals::retransmitted_segments(namespace.proc_pid()?)?;
            let ours = ours.get(&namespace.inode).copied().unwrap_or(0);
            Some((namespace.inode, (ours, kernel)))
        })
        .collect()
}

fn differences(before: &Base, after: &Base) -> Vec<CrossCheck> {
    let mut checks = Vec::new();
    if let (Some(before), Some(after)) = (before.cpu, after.cpu) {
        checks.push(CrossCheck {
            signal: "cpu",
            ours: after.0.saturating_sub(before.0) as f64 / 1e9,
            kernel: after.1.saturating_sub(before.1) as f64 / 1e9,
        });
    }
    if let (Some(before), Some(after)) = (before.disk, after.disk) {
        checks.push(CrossCheck {
            signal: "disk",
            ours: after.0.saturating_sub(before.0) as f64,
            kernel: after.1.saturating_sub(before.1) as f64,
        });
    }
    if let (Some(before), Some(after)) = (before.swap, after.swap) {
        for ((signal, before), after) in ["swap_in", "swap_out"].into_iter().zip(before).zip(after)
        {
            checks.push(CrossCheck {
                signal,
                ours: after.0.saturating_sub(before.0) as f64,
                kernel: after.1.saturating_sub(before.1) as f64,
            });
        }
    }
    let mut sums = None;
    for (netns, after) in &after.retransmits {
        // A namespace that is new or was unreadable before has no stretch to compare.
        let Some(before) = before.retransmits.get(netns) else {
            continue;
        };
        let (ours, kernel) = sums.get_or_insert((0u64, 0u64));
        *ours += after.0.saturating_sub(before.0);
        *kernel += after.1.saturating_sub(before.1);
    }
    if let Some((ours, kernel)) = sums {
        checks.push(CrossCheck {
            signal: "retransmits",
            ours: ours as f64,
            kernel: kernel as f64,
        });
    }
    checks
}
