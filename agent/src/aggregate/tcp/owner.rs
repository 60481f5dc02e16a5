//! Whose connections are: each owner once, under a number that connections carry.

use std::sync::Arc;

use hostlens_ebpf::wire::SockRecord;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::{
    aggregate::{Owners, group::slots::Slots, shrink},
    model::{Owner, ProcessId},
};

/// Number of an owner; [`NOBODY`] if the record names none.
pub(super) type OwnerId = u32;

/// A record that names no process.
pub(super) const NOBODY: OwnerId = u32::MAX;

/// Owners held at most.
const LIMIT: usize = 65_536;
/// Cycles for which an owner without connections stays, as its next one may be about to come.
const IDLE_CYCLES: u8 = 3;

#[derive(Debug)]
struct Known {
    process: ProcessId,
    /// `None` until somebody could say.
    owner: Option<Arc<Owner>>,
    /// Connections, flows and events that bear the number.
    holders: u32,
    idle: u8,
    /// Something of it was booked to nobody, as it took too long.
    given_up: bool,
}

/// All owners of connections.
#[derive(Debug)]
pub(super) struct OwnerBook {
    ids: FxHashMap<ProcessId, OwnerId>,
    slots: Slots<Known>,
    unresolved: Vec<OwnerId>,
    unknown: Arc<Owner>,
    /// Records whose owner found no room.
    beyond: u64,
}

impl Default for OwnerBook {
    fn default() -> Self {
        Self {
            ids: FxHashMap::default(),
            slots: Slots::default(),
            unresolved: Vec::new(),
            unknown: Arc::new(Owner::unknown()),
            beyond: 0,
        }
    }
}

impl OwnerBook {
    /// The owner that a record names, held once more: to be released.
    pub fn hold_of(&mut self, record: &SockRecord) -> OwnerId {
        if record.owner_tgid == 0 {
            return NOBODY;
        }
        let process = ProcessId {
            tgid: record.owner_tgid,
            start_ns: record.owner_start_ns,
        };
        let id = match self.ids.get(&process) {
            Some(&id) => id,
            None if self.ids.len() >= LIMIT => {
                self.beyond += 1;
                return NOBODY;
            }
            None => {
                let id = self.slots.insert(Known {
                    process,
                    owner: None,
                    holders: 0,
                    idle: 0,
                    given_up: false,
                });
                self.ids.insert(process, id);
                self.unresolved.push(id);
                id
            }
        };
        self.hold(id);
        id
    }

    /// One more bears the number.
    pub fn hold(&mut self, id: OwnerId) {
        if let Some(known) = self.slots.get_mut(id) {
            known.holders += 1;
        }
    }

    /// One less bears the number.
    pub fn release(&mut self, id: OwnerId) {
        if let Some(known) = self.slots.get_mut(id) {
            known.holders = known.holders.saturating_sub(1);
        }
    }

    /// Whether a record names this owner, or none.
    #[inline]
    pub fn is(&self, id: OwnerId, record: &SockRecord) -> bool {
        record.owner_tgid == 0
            || self.slots.get(id).is_some_and(|known| {
                known.process.tgid == record.owner_tgid
                    && known.process.start_ns == record.owner_start_ns
            })
    }

    /// The names, where they are known.
    pub fn get(&self, id: OwnerId) -> Option<&Arc<Owner>> {
        self.slots.get(id)?.owner.as_ref()
    }

    /// The process.
    pub fn process(&self, id: OwnerId) -> Option<ProcessId> {
        Some(self.slots.get(id)?.process)
    }

    /// The names of what nobody could say.
    pub fn unknown(&self) -> &Arc<Owner> {
        &self.unknown
    }

    /// Something of this owner is booked to nobody: it is to be told of once it is known.
    pub fn give_up(&mut self, id: OwnerId) -> Arc<Owner> {
        if let Some(known) = self.slots.get_mut(id) {
            known.given_up = true;
        }
        Arc::clone(&self.unknown)
    }

    /// Asks for the names of those who have none.
    pub fn resolve(&mut self, owners: &dyn Owners) {
        let slots = &mut self.slots;
        self.unresolved.retain(|&id| {
            let Some(known) = slots.get_mut(id) else {
                return false;
            };
            if known.owner.is_none() && !known.given_up {
                let ProcessId { tgid, start_ns } = known.process;
                known.owner = owners.owner(tgid, start_ns).map(Arc::new);
            }
            known.owner.is_none()
        });
    }

    /// Once per cycle: asks for all names again, as processes change theirs (`execve`, `setuid`),
    /// and forgets owners without connections. Those whose connections must move.
    pub fn refresh(&mut self, owners: &dyn Owners) -> FxHashSet<OwnerId> {
        let mut changed = FxHashSet::default();
        let mut gone = Vec::new();
        for (id, known) in self.slots.iter_mut() {
            known.idle = if known.holders > 0 { 0 } else { known.idle + 1 };
            if known.idle >= IDLE_CYCLES {
                gone.push((id, known.process));
                continue;
            }
            let ProcessId { tgid, start_ns } = known.process;
            let Some(now) = owners.owner(tgid, start_ns) else {
                continue;
            };
            if known.owner.as_deref() != Some(&now) {
                if known.owner.is_some() || known.given_up {
                    changed.insert(id);
                }
                known.given_up = false;
                known.owner = Some(Arc::new(now));
            }
        }
        for (id, process) in gone {
            self.slots.remove(id);
            self.ids.remove(&process);
        }
        let slots = &self.slots;
        self.unresolved
            .retain(|&id| slots.get(id).is_some_and(|known| known.owner.is_none()));
        shrink(&mut self.ids);
        changed
    }

    /// Gives memory back after a peak: the new number of each old one.
    pub fn compact(&mut self) -> Option<Vec<OwnerId>> {
        let moved = self.slots.compact()?;
        let new = |id: OwnerId| moved.get(id as usize).copied().unwrap_or(NOBODY);
        for id in self.ids.values_mut().chain(&mut self.unresolved) {
            *id = new(*id);
        }
        Some(moved)
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Records whose owner found no room.
    pub fn beyond(&self) -> u64 {
        self.beyond
    }
}
