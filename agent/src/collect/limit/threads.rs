//! How many threads the user of a process may have: `RLIMIT_NPROC`, from `/proc/PID/limits`.
//!
//! prlimit(2) would cost less, but of other users' processes it answers only those with
//! `CAP_SYS_RESOURCE`.

use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use crate::{
    collect::proc_file::{ProcReader, leading_number, line_value, proc_root},
    model::ProcessId,
};

/// Hardly anybody changes a limit of a process that runs; those are seen after this many cycles.
const TRUSTED_CYCLES: u32 = 120;

/// Limits of processes, read once in a while.
pub struct ThreadLimits {
    proc: ProcReader,
    known: FxHashMap<ProcessId, Known>,
    cycle: u32,
}

struct Known {
    /// `None`: there is none, or it cannot be read.
    limit: Option<u64>,
    /// Cycle in which it was read.
    read: u32,
    /// Cycle in which it was last asked for.
    used: u32,
}

impl Default for ThreadLimits {
    fn default() -> Self {
        Self {
            proc: ProcReader::new(&proc_root()),
            known: FxHashMap::default(),
            cycle: 0,
        }
    }
}

impl ThreadLimits {
    /// Reads the limits of those processes that have none yet, or an old one, as many as `budget`
    /// allows but one at least; forgets those that are not asked for any more.
    pub fn read_within(&mut self, ids: impl Iterator<Item = ProcessId>, budget: Duration) {
        self.cycle = self.cycle.wrapping_add(1);
        let (cycle, start) = (self.cycle, Instant::now());
        let mut first = true;
        for id in ids {
            let fresh = match self.known.get_mut(&id) {
                Some(known) => {
                    known.used = cycle;
                    cycle.wrapping_sub(known.read) < TRUSTED_CYCLES
                }
                None => false,
            };
            if fresh || (!first && start.elapsed() >= budget) {
                continue;
            }
            first = false;
            let text = self.proc.read_once(id.tgid, "limits").ok();
            let known = Known {
                limit: text.and_then(max_processes),
                read: cycle,
                used: cycle,
            };
            self.known.insert(id, known);
        }
        self.known.retain(|_, known| known.used == cycle);
    }

    /// The limit of a process, if it has one and it was read.
    pub fn of(&self, id: ProcessId) -> Option<u64> {
        self.known.get(&id)?.limit
    }
}

/// The soft limit; `None` if there is none.
fn max_processes(limits: &[u8]) -> Option<u64> {
    leading_number(line_value(limits, b"Max processes")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: &[u8] =
        b"Limit                     Soft Limit           Hard Limit           Units     \n\
        Max resident set          unlimited            unlimited            bytes     \n\
        Max processes             1024                 96365                processes \n";

    #[test]
    fn the_soft_limit_counts() {
        assert_eq!(max_processes(LIMITS), Some(1024));
        let none =
            b"Max processes             unlimited            unlimited            processes \n";
        assert_eq!(max_processes(none), None);
        assert_eq!(max_processes(b"Max open files  1  2\n"), None);
    }

    #[test]
    fn limits_are_read_once_and_forgotten_with_their_process() {
        let own = ProcessId {
            tgid: std::process::id(),
            start_ns: 1,
        };
        let gone = ProcessId {
            tgid: u32::MAX,
            start_ns: 1,
        };
        let mut limits = ThreadLimits::default();
        limits.read_within([gone, own].into_iter(), Duration::from_secs(5));
        assert_eq!(limits.of(gone), None);
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: `limit` is valid for the duration of the call.
        let status = unsafe { libc::getrlimit(libc::RLIMIT_NPROC, &raw mut limit) };
        assert_eq!(status, 0);
        let real = Some(limit.rlim_cur).filter(|&limit| limit != libc::RLIM_INFINITY);
        assert_eq!(limits.of(own), real);
        limits.read_within([gone].into_iter(), Duration::ZERO);
        assert_eq!(limits.known.len(), 1);
    }
}
