//! Owners of sockets where no kernel program tells them: by the descriptors of `/proc/PID/fd`.
//!
//! Looking through all descriptors of a host can take most of a second, so it is done only while
//! there are sockets whose owner is not known, a few milliseconds per cycle, and where it is
//! likely to help first: processes that are new or have more or fewer descriptors than before,
//! then those that hold sockets, and once in a while all others.
//!
//! Of several processes that hold one socket the oldest is its owner: it called `listen()` or
//! `connect()` before it forked. Process 1 gives way to any other, as a service manager keeps the
//! sockets it opened for its services. An owner stays one until it ends or is seen without the
//! socket.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use rustc_hash::{FxHashMap, FxHashSet};

use super::owners_pass::{Pass, Scanned, Step};
use crate::collect::{
    proc_file::{self, ProcReader},
    process::procfs_stat::parse_stat,
};

/// Time per cycle that is spent on the search.
pub const DEFAULT_BUDGET: Duration = Duration::from_millis(5);

/// Sockets that are looked for at the same time.
const MOST_WANTED: usize = 1 << 16;

/// Cycles between two searches through processes that did not seem to matter.
const FULL_EVERY: u64 = 12;

/// Cycles that a socket is remembered without being asked for.
const REMEMBERED: u64 = 2;

/// Owners checked per cycle for whether they still live, some 10 µs each.
const MOST_CHECKED: usize = 32;

/// A process that holds a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketOwner {
    /// Process id.
    pub tgid: u32,
    /// Its start, ns of `CLOCK_BOOTTIME` in whole clock ticks, as the walk over `/proc` has it.
    pub start_ns: u64,
}

/// Finds the processes that hold sockets.
pub struct SocketOwners {
    found: FxHashMap<u32, Found>,
    wanted: FxHashMap<u32, Wanted>,
    /// What the last looks at them showed.
    processes: FxHashMap<u32, Scanned>,
    pass: Option<Pass>,
    /// Number of passes begun.
    passes: u64,
    cycle: u64,
    /// Cycle in which the last pass over everything began.
    last_full: Option<u64>,
    /// Where the next check of owners begins.
    cursor: usize,
    proc: ProcReader,
    tick_ns: u64,
}

/// A socket whose owner is known.
struct Found {
    owner: SocketOwner,
    /// Pass that last saw it.
    seen: u64,
    /// Cycle in which it was last asked for.
    used: u64,
}

/// A socket whose owner is not known.
struct Wanted {
    /// Passes begun before it was first asked for.
    since: u64,
    /// A whole pass did not find it.
    missed: bool,
    used: u64,
}

impl Default for SocketOwners {
    fn default() -> Self {
        Self::new(&proc_file::proc_root())
    }
}

impl SocketOwners {
    fn new(proc: &Path) -> Self {
        Self {
            found: FxHashMap::default(),
            wanted: FxHashMap::default(),
            processes: FxHashMap::default(),
            pass: None,
            passes: 0,
            cycle: 0,
            last_full: None,
            cursor: 0,
            proc: ProcReader::new(proc),
            tick_ns: 1_000_000_000 / procfs::ticks_per_second().max(1),
        }
    }

    /// Begins a cycle: forgets sockets that nobody asks for any more and owners that ended.
    pub fn begin_cycle(&mut self) {
        self.cycle += 1;
        let oldest = self.cycle.saturating_sub(REMEMBERED);
        self.found.retain(|_, found| found.used >= oldest);
        self.wanted.retain(|_, wanted| wanted.used >= oldest);
        self.check_owners();
    }

    /// The owner of the socket with this inode number, as far as known; if it is not, the next
    /// [`Self::search`] looks for it. `None` for inode 0: no process holds such a socket.
    pub fn owner(&mut self, inode: u32) -> Option<SocketOwner> {
        if inode == 0 {
            return None;
        }
        let cycle = self.cycle;
        if let Some(found) = self.found.get_mut(&inode) {
            found.used = cycle;
            return Some(found.owner);
        }
        if let Some(wanted) = self.wanted.get_mut(&inode) {
            wanted.used = cycle;
        } else if self.wanted.len() < MOST_WANTED {
            self.wanted.insert(
                inode,
                Wanted {
                    since: self.passes,
                    missed: false,
                    used: cycle,
                },
            );
        }
        None
    }

    /// Looks for sockets that were asked for, for about `budget` but one step at least; the next
    /// call goes on where this one ended.
    pub fn search(&mut self, budget: Duration) {
        let start = Instant::now();
        loop {
            let Some(mut pass) = self.pass.take().or_else(|| self.begin_pass()) else {
                return;
            };
            let step = pass.step(
                &mut self.proc,
                &mut self.processes,
                self.tick_ns,
                |inode, owner| note(&mut self.found, &mut self.wanted, self.passes, inode, owner),
            );
            match step {
                Step::More if !self.wanted.is_empty() || pass.is_inside() => {
                    self.pass = Some(pass);
                }
                // All are found; the other processes can wait.
                Step::More => self.drop_moved(),
                Step::End => {
                    self.drop_moved();
                    let passes = self.passes;
                    let covered = self.wanted.values_mut().filter(|it| it.since < passes);
                    covered.for_each(|wanted| wanted.missed = true);
                }
            }
            if start.elapsed() >= budget {
                return;
            }
        }
    }

    /// Why owners may be missing, in words; `None` if nothing keeps them from being found.
    pub fn degraded(&self) -> Option<String> {
        let missed = self.wanted.values().filter(|wanted| wanted.missed).count();
        let denied = self.processes.values().filter(|it| it.denied).count();
        if missed > 0 && denied > 0 {
            return Some(format!(
                "owners of {missed} sockets unknown: descriptors of {denied} processes not \
                 readable (needs CAP_SYS_PTRACE)"
            ));
        }
        let searched = self.wanted.len() - missed;
        (searched > 0 && self.pass.is_some())
            .then(|| format!("owners of {searched} sockets are still being looked for"))
    }

    /// A pass if there is something to look for that it might find.
    fn begin_pass(&mut self) -> Option<Pass> {
        if self.wanted.is_empty() {
            return None;
        }
        let full = self
            .last_full
            .is_none_or(|last| self.cycle >= last + FULL_EVERY);
        if !full && self.wanted.values().all(|wanted| wanted.missed) {
            return None;
        }
        let mut pids: Vec<u32> = proc_file::pids(self.proc.root()).ok()?.collect();
        pids.sort_unstable();
        self.processes
            .retain(|pid, _| pids.binary_search(pid).is_ok());
        self.passes += 1;
        if full {
            self.last_full = Some(self.cycle);
        }
        Some(Pass::new(self.passes, full, pids))
    }

    /// Forgets owners that this pass looked at and saw without the socket.
    fn drop_moved(&mut self) {
        let (passes, processes) = (self.passes, &self.processes);
        self.found.retain(|_, found| {
            let scanned = processes
                .get(&found.owner.tgid)
                .is_some_and(|process| process.scanned == passes);
            !scanned || found.seen == passes
        });
    }

    /// Forgets sockets of owners that ended: another process may hold them.
    fn check_owners(&mut self) {
        let owners: Vec<(u32, u64)> = self
            .processes
            .iter()
            .filter(|(_, process)| process.sockets > 0)
            .map(|(tgid, process)| (*tgid, process.start_ns))
            .collect();
        let first = self.cursor.checked_rem(owners.len()).unwrap_or(0);
        let (before, from) = owners.split_at(first);
        let mut ended = FxHashSet::default();
        for &(tgid, start_ns) in from.iter().chain(before).take(MOST_CHECKED) {
            self.cursor = self.cursor.wrapping_add(1);
            let stat = self.proc.read_once(tgid, "stat").ok().and_then(parse_stat);
            let lives =
                stat.is_some_and(|stat| stat.start.saturating_mul(self.tick_ns) == start_ns);
            if !lives {
                ended.insert(tgid);
                self.processes.remove(&tgid);
            }
        }
        if !ended.is_empty() {
            self.found
                .retain(|_, found| !ended.contains(&found.owner.tgid));
        }
    }
}

/// Books what a pass saw.
fn note(
    found: &mut FxHashMap<u32, Found>,
    wanted: &mut FxHashMap<u32, Wanted>,
    pass: u64,
    inode: u32,
    owner: SocketOwner,
) {
    if let Some(wanted) = wanted.remove(&inode) {
        let used = wanted.used;
        found.insert(
            inode,
            Found {
                owner,
                seen: pass,
                used,
            },
        );
    } else if let Some(known) = found.get_mut(&inode)
        && (known.owner == owner || is_before(owner, known.owner))
    {
        known.owner = owner;
        known.seen = pass;
    }
}

/// Whether `one` rather than `other` is the owner of a socket that both hold.
fn is_before(one: SocketOwner, other: SocketOwner) -> bool {
    let rank = |owner: SocketOwner| (owner.tgid == 1, owner.start_ns, owner.tgid);
    rank(one) < rank(other)
}

#[cfg(test)]
#[path = "owners_tests.rs"]
mod tests;
