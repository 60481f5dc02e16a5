//! One pass over the descriptors of processes, in small steps.

use rustc_hash::FxHashMap;

use super::{owners::SocketOwner, owners_fds::FdWalk};
use crate::collect::{
    proc_file::{ProcReader, is_denied},
    process::procfs_stat::parse_stat,
};

/// Descriptors looked at in one step, some 2 µs each.
const FDS_PER_STEP: usize = 32;

/// What the last look at a process showed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Its start, ns of `CLOCK_BOOTTIME`.
    pub start_ns: u64,
    /// Open descriptors (since 6.2; 0 before).
    pub fds: u64,
    /// Sockets among them.
    pub sockets: u32,
    /// They are not for us to read.
    pub denied: bool,
    /// Pass that last looked at all of them.
    pub scanned: u64,
}

/// Which processes are looked at, the likeliest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tier {
    /// Those that are new, or have more or fewer descriptors than at the last look.
    Changed,
    /// Those that held sockets.
    Holding,
    /// All others.
    Rest,
}

/// Whether a pass has more to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It has.
    More,
    /// It looked at all it meant to.
    End,
}

/// A pass under way.
#[derive(Debug)]
pub struct Pass {
    number: u64,
    full: bool,
    tier: Tier,
    pids: Vec<u32>,
    next: usize,
    open: Option<Open>,
}

/// The process being looked at.
#[derive(Debug)]
struct Open {
    owner: SocketOwner,
    walk: FdWalk,
    seen: Scanned,
}

impl Pass {
    /// Pass `number` (from 1) over these processes; with `full`, over those as well that seem not
    /// to matter.
    pub fn new(number: u64, full: bool, pids: Vec<u32>) -> Self {
        Self {
            number,
            full,
            tier: Tier::Changed,
            pids,
            next: 0,
            open: None,
        }
    }

    /// Whether it has looked at some of a process's descriptors and not at all of them.
    pub fn is_inside(&self) -> bool {
        self.open.is_some()
    }

    /// Looks at one process, or at some descriptors of one: tens of microseconds. `note` gets the
    /// inode number of each socket and the process that holds it.
    pub fn step(
        &mut self,
        proc: &mut ProcReader,
        processes: &mut FxHashMap<u32, Scanned>,
        tick_ns: u64,
        mut note: impl FnMut(u32, SocketOwner),
    ) -> Step {
        if let Some(open) = &mut self.open {
            let Open { owner, walk, seen } = open;
            let more = walk.step(FDS_PER_STEP, |inode| {
                seen.sockets = seen.sockets.saturating_add(1);
                note(inode, *owner);
            });
            if !more {
                processes.insert(owner.tgid, *seen);
                self.open = None;
            }
            return Step::More;
        }
        let Some(pid) = self.pids.get(self.next).copied() else {
            self.next = 0;
            self.tier = match self.tier {
                Tier::Changed => Tier::Holding,
                Tier::Holding if self.full => Tier::Rest,
                Tier::Holding | Tier::Rest => return Step::End,
            };
            return Step::More;
        };
        self.next += 1;
        self.consider(pid, proc, processes, tick_ns);
        Step::More
    }

    /// Opens the descriptors of a process if it is its turn.
    fn consider(
        &mut self,
        pid: u32,
        proc: &mut ProcReader,
        processes: &mut FxHashMap<u32, Scanned>,
        tick_ns: u64,
    ) {
        let known = processes.get(&pid).copied();
        let fds = match (self.tier, known) {
            (Tier::Changed, _) => {
                let Ok(folder) = proc.metadata(pid, "fd") else {
                    return;
                };
                if known.is_some_and(|known| known.fds == folder.len()) {
                    return;
                }
                folder.len()
            }
            // It ended since.
            (_, None) => return,
            (tier, Some(known)) => {
                let turn = match tier {
                    Tier::Holding => known.sockets > 0,
                    Tier::Changed | Tier::Rest => true,
                };
                if !turn || known.scanned == self.number {
                    return;
                }
                known.fds
            }
        };
        let walk = match FdWalk::open(proc.path_of(pid, "fd")) {
            Ok(walk) => walk,
            Err(error) => {
                let seen = Scanned {
                    fds,
                    denied: is_denied(&error),
                    ..Scanned::default()
                };
                processes.insert(pid, seen);
                return;
            }
        };
        // Read after the folder was opened: if the process has ended between, and its number is
        // another's, the folder is empty.
        let Some(stat) = proc.read_once(pid, "stat").ok().and_then(parse_stat) else {
            return;
        };
        let start_ns = stat.start.saturating_mul(tick_ns);
        let seen = Scanned {
            start_ns,
            fds,
            sockets: 0,
            denied: false,
            scanned: self.number,
        };
        let owner = SocketOwner {
            tgid: pid,
            start_ns,
        };
        self.open = Some(Open { owner, walk, seen });
    }
}
