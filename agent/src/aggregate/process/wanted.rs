//! What only `/proc` can tell, and of which processes.

use std::{collections::hash_map::Entry as Slot, sync::Arc};

use hostlens_ebpf::wire::TaskFlags;
use rustc_hash::FxHashMap;

use super::table::ProcessTable;
use crate::{
    clock::Moment,
    collect::{cgroup::CgroupId, listen::Kin},
    model::{Memory, ProcessId},
};

impl ProcessTable {
    /// The living processes whose memory may have changed since it was last read: those never
    /// read first, then the oldest reading first. `out` is cleared first.
    pub fn memory_wanted(&mut self, out: &mut Vec<ProcessId>) {
        out.clear();
        let mut wanted: Vec<(u64, ProcessId)> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.needs_memory() && entry.memory_changed())
            .map(|(&id, entry)| (entry.memory_read_ns, id))
            .collect();
        wanted.sort_unstable();
        out.extend(wanted.into_iter().map(|(_, id)| id));
    }

    /// Takes a reading; `None`: the process has gone or may not be read. Gives the one before.
    pub fn set_memory(
        &mut self,
        id: ProcessId,
        memory: Option<Memory>,
        at: Moment,
    ) -> Option<Memory> {
        let entry = self.entries.get_mut(&id)?;
        let before = entry.memory;
        entry.set_memory(memory, at.mono_ns);
        before
    }

    /// Processes whose memory is yet to be read for the first time.
    pub fn memory_pending(&self) -> u64 {
        let entries = self.entries.values();
        entries
            .filter(|entry| entry.needs_memory() && entry.memory_read_ns == 0)
            .count() as u64
    }

    /// Processes with more open descriptors than their record could count. `out` is cleared
    /// first.
    pub fn fds_wanted(&self, out: &mut Vec<ProcessId>) {
        out.clear();
        out.extend(self.fds_unknown.iter().copied().filter(|id| {
            let entry = self.entries.get(id);
            entry.is_some_and(|entry| entry.flags & TaskFlags::ZOMBIE == 0)
        }));
    }

    /// Takes a count of open descriptors made at `_at`; `None`: it could not be read.
    pub fn set_open_fds(&mut self, id: ProcessId, open_fds: Option<u64>, _at: Moment) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.open_fds = open_fds;
        }
    }

    /// The cgroup and the service of every living process.
    pub fn cgroups(&self) -> impl Iterator<Item = (CgroupId, &Arc<str>)> {
        let living = self.entries.values();
        living.map(|entry| (entry.cgroup, &entry.service))
    }

    /// Every living process with its parent and threads.
    pub fn kin(&self) -> impl Iterator<Item = Kin> {
        let living = self.entries.iter();
        living.map(|(&id, entry)| Kin {
            id,
            parent: entry.ppid,
            threads: entry.threads,
        })
    }

    /// Inode number of every network namespace in use, each with one process in it.
    pub fn namespaces(&self) -> FxHashMap<u32, u32> {
        let mut namespaces: FxHashMap<u32, u32> = FxHashMap::default();
        for (id, entry) in &self.entries {
            if entry.netns == 0 || entry.flags & TaskFlags::ZOMBIE != 0 {
                continue;
            }
            match namespaces.entry(entry.netns) {
                // The lowest is the most likely to stay.
                Slot::Occupied(mut known) => *known.get_mut() = id.tgid.min(*known.get()),
                Slot::Vacant(free) => {
                    free.insert(id.tgid);
                }
            }
        }
        namespaces
    }
}
