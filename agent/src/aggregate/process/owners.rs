//! Names processes to those who know only their ids: living ones, and those that ended lately.

use rustc_hash::FxHashMap;

use super::table::ProcessTable;
use crate::{
    aggregate::Owners,
    model::{Owner, ProcessId},
};

/// Starts read from `/proc` are in ticks of 10 ms, those of kernel programs are exact; nobody
/// gets the id of a process that started less than this before.
const TICK_NS: u64 = 10_000_000;
/// Ended processes are named for at least this long, ns, unless too many end.
const REMEMBERED_NS: u64 = 60_000_000_000;
/// Ended processes that are named in any case; twice as many are held at most.
const REMEMBERED: usize = 16_384;

/// Who bears a process id, and who bore it before.
#[derive(Debug, Default)]
pub(super) struct Bearers {
    /// Start of the process that bears an id now.
    starts: FxHashMap<u32, u64>,
    /// Two generations of ended processes: start and owner of the last that bore an id.
    young: FxHashMap<u32, (u64, Owner)>,
    old: FxHashMap<u32, (u64, Owner)>,
    turned_ns: u64,
}

fn same_start(wanted: u64, start: u64) -> bool {
    wanted == 0 || wanted.abs_diff(start) < TICK_NS
}

impl Bearers {
    /// A process bears its id from now on.
    pub fn born(&mut self, id: ProcessId) {
        self.starts.insert(id.tgid, id.start_ns);
    }

    /// A process has gone.
    pub fn ended(&mut self, id: ProcessId, owner: Option<Owner>) {
        if self.starts.get(&id.tgid) == Some(&id.start_ns) {
            self.starts.remove(&id.tgid);
        }
        let Some(owner) = owner else { return };
        if self.young.len() >= REMEMBERED {
            self.turn();
        }
        self.young.insert(id.tgid, (id.start_ns, owner));
    }

    /// Forgets those that ended long ago.
    pub fn age(&mut self, now_ns: u64) {
        if now_ns.saturating_sub(self.turned_ns) >= REMEMBERED_NS {
            self.turned_ns = now_ns;
            self.turn();
        }
        crate::aggregate::shrink(&mut self.starts);
    }

    fn turn(&mut self) {
        self.old = std::mem::take(&mut self.young);
    }

    pub fn living(&self, tgid: u32, start_ns: u64) -> Option<ProcessId> {
        let &start = self.starts.get(&tgid)?;
        same_start(start_ns, start).then_some(ProcessId {
            tgid,
            start_ns: start,
        })
    }

    pub fn gone(&self, tgid: u32, start_ns: u64) -> Option<&Owner> {
        [&self.young, &self.old].into_iter().find_map(|ended| {
            let (start, owner) = ended.get(&tgid)?;
            same_start(start_ns, *start).then_some(owner)
        })
    }
}

impl ProcessTable {
    /// The names under which a living process is grouped.
    pub(super) fn owner_of(&self, id: ProcessId) -> Option<Owner> {
        let key = self.groups.key(self.entries.get(&id)?.group)?;
        Some(Owner {
            process: key.process.clone(),
            user: key.user.clone(),
            service: key.service.clone(),
        })
    }
}

impl Owners for ProcessTable {
    fn owner(&self, tgid: u32, start_ns: u64) -> Option<Owner> {
        let living = self.bearers.living(tgid, start_ns);
        living
            .and_then(|id| self.owner_of(id))
            .or_else(|| self.bearers.gone(tgid, start_ns).cloned())
    }

    fn as_of(&self) -> u64 {
        self.walk_began().map_or(0, |began| began.mono_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn owner(process: &str) -> Owner {
        Owner {
            process: process.into(),
            user: "root".into(),
            service: "".into(),
        }
    }

    fn id(tgid: u32, start_ns: u64) -> ProcessId {
        ProcessId { tgid, start_ns }
    }

    #[test]
    fn the_last_that_bore_an_id_is_named_for_a_while() {
        let mut bearers = Bearers::default();
        bearers.age(100 * SECOND);
        bearers.born(id(7, SECOND));
        assert_eq!(bearers.living(7, SECOND), Some(id(7, SECOND)));
        assert_eq!(bearers.living(7, 0), Some(id(7, SECOND)));
        // As /proc has it, in ticks.
        assert_eq!(bearers.living(7, SECOND - 9_000_000), Some(id(7, SECOND)));
        assert_eq!(bearers.living(7, 2 * SECOND), None, "another process");
        bearers.ended(id(7, SECOND), Some(owner("nginx")));
        assert_eq!(bearers.living(7, 0), None);
        bearers.born(id(7, 3 * SECOND));
        assert_eq!(bearers.gone(7, SECOND), Some(&owner("nginx")));
        assert_eq!(bearers.gone(7, 3 * SECOND), None);
        bearers.age(159 * SECOND);
        assert!(bearers.gone(7, SECOND).is_some());
        bearers.age(160 * SECOND);
        assert!(bearers.gone(7, SECOND).is_some());
        bearers.age(220 * SECOND);
        assert!(bearers.gone(7, SECOND).is_none());
    }

    #[test]
    fn a_late_end_does_not_take_the_id_from_its_next_bearer() {
        let mut bearers = Bearers::default();
        bearers.born(id(7, SECOND));
        bearers.born(id(7, 3 * SECOND));
        bearers.ended(id(7, SECOND), Some(owner("nginx")));
        assert_eq!(bearers.living(7, 0), Some(id(7, 3 * SECOND)));
    }

    #[test]
    fn memory_of_the_ended_is_bounded() {
        let mut bearers = Bearers::default();
        for tgid in 0..100_000 {
            bearers.ended(id(tgid, SECOND), Some(owner("sh")));
        }
        assert!(bearers.young.len() + bearers.old.len() <= 2 * REMEMBERED);
        assert!(bearers.gone(99_999, SECOND).is_some());
        assert!(bearers.gone(100_000 - REMEMBERED as u32, SECOND).is_some());
    }
}
