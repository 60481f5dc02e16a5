//! The books of memory: what processes hold against what the kernel says is held.

use serde::Serialize;

use crate::model::{MEMORY_TYPES, Memory, Snapshot};

/// Below this share of the kernel's figure, or this many bytes, nothing needs an explanation.
const CLOSE: f64 = 0.02;
const SMALL: f64 = 16.0 * 1024.0 * 1024.0;

/// One comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Balance {
    /// What is compared.
    pub what: &'static str,
    /// Sum over all processes, bytes.
    pub processes_bytes: u64,
    /// The kernel's own total, bytes.
    pub kernel_bytes: u64,
    /// Where the kernel says so.
    pub kernel_source: &'static str,
    /// What the difference is made of, if it is of any size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
}

impl Balance {
    /// Difference over the kernel's figure; `None` where that is 0.
    pub fn error(&self) -> Option<f64> {
        let difference = self.processes_bytes as f64 - self.kernel_bytes as f64;
        (self.kernel_bytes > 0).then(|| difference / self.kernel_bytes as f64)
    }
}

/// Anonymous memory and swap; empty where the host's totals are not known.
pub fn balances(snapshot: &Snapshot) -> Vec<Balance> {
    let Some(host) = &snapshot.host_totals else {
        return Vec::new();
    };
    let anon_pages = MEMORY_TYPES
        .iter()
        .zip(host.memory.iter().flatten())
        .find_map(|(kind, bytes)| bytes.filter(|_| *kind == "anon"));
    let rows = snapshot.processes.iter().filter(|row| row.live);
    let memory: Vec<&Memory> = rows.filter_map(|row| row.memory.as_ref()).collect();
    let unread = snapshot.own.scope.memory_pending;
    let anon = anon_pages.map(|kernel| {
        let processes = memory.iter().map(|memory| memory.anon).sum();
        Balance {
            what: "anonymous memory",
            processes_bytes: processes,
            kernel_bytes: kernel,
            kernel_source: "/proc/meminfo AnonPages",
            explanation: explain(processes, kernel, unread, ANON),
        }
    });
    let swap = host.swap_used.map(|kernel| {
        let processes = memory.iter().map(|memory| memory.swap).sum();
        Balance {
            what: "swap",
            processes_bytes: processes,
            kernel_bytes: kernel,
            kernel_source: "/proc/meminfo SwapTotal - SwapFree",
            explanation: explain(processes, kernel, unread, SWAP),
        }
    });
    anon.into_iter().chain(swap).collect()
}

/// Why processes hold more than the kernel, and why less.
const ANON: [&str; 2] = [
    "pages shared since a fork count once for each process",
    "pages of processes that are just ending, and of those not seen here",
];
const SWAP: [&str; 2] = [
    "slots shared since a fork count once for each process",
    "swapped shared memory and tmpfs belong to no process, and pages read back keep their slots for a while",
];

fn explain(ours: u64, kernel: u64, unread: u64, why: [&str; 2]) -> Option<String> {
    let difference = ours as f64 - kernel as f64;
    if difference.abs() <= f64::max(SMALL, CLOSE * kernel as f64) {
        return None;
    }
    let [more, less] = why;
    Some(if difference > 0.0 {
        more.to_owned()
    } else if unread > 0 {
        format!("{unread} processes are not read yet; {less}")
    } else {
        less.to_owned()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::metric::fixture;

    const MIB: u64 = 1 << 20;

    #[test]
    fn small_differences_explain_themselves() {
        assert_eq!(explain(1_010 * MIB, 1_000 * MIB, 0, ANON), None);
        assert_eq!(explain(0, 10 * MIB, 0, SWAP), None);
        let why = |ours, kernel, unread| explain(ours * MIB, kernel * MIB, unread, SWAP).unwrap();
        assert!(why(1_200, 1_000, 0).starts_with("slots shared"));
        assert!(why(800, 1_000, 0).starts_with("swapped shared"));
        assert!(why(800, 1_000, 3).starts_with("3 processes"));
    }

    #[test]
    fn living_groups_and_the_folded_one_are_added_up() {
        let mut snapshot = fixture::small();
        for row in &mut snapshot.processes {
            row.memory = Some(Memory {
                anon: MIB,
                swap: 2 * MIB,
                ..Memory::default()
            });
        }
        let live = snapshot.processes.iter().filter(|row| row.live).count() as u64;
        let [anon, swap] = balances(&snapshot).try_into().unwrap();
        assert_eq!(
            (anon.processes_bytes, swap.processes_bytes),
            (live * MIB, live * 2 * MIB)
        );
        assert_eq!((anon.kernel_bytes, swap.kernel_bytes), (4 * MIB, 4_096));
        snapshot.host_totals = None;
        assert!(balances(&snapshot).is_empty());
    }
}
