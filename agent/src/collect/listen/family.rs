//! Who descends from whom.

use std::hash::{BuildHasher, BuildHasherDefault};

use rustc_hash::{FxHashMap, FxHasher};

use crate::model::ProcessId;

/// Descendants looked at, at most: beyond these a family is taken for its first members.
const MOST: usize = 1_024;
/// Processes looked at, at most, for the heirs of one that has gone.
const HEIRS: usize = 64;

/// One living process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kin {
    /// Identity.
    pub id: ProcessId,
    /// Process id of its parent.
    pub parent: u32,
    /// Its threads.
    pub threads: u32,
}

/// All living processes as a tree.
#[derive(Debug, Default)]
pub struct Family {
    kin: FxHashMap<u32, Kin>,
    children: FxHashMap<u32, Vec<u32>>,
    /// By start, for the heirs of the dead; sorted when first needed.
    by_start: Option<Vec<ProcessId>>,
}

impl Family {
    /// The tree of these processes.
    pub fn new(processes: impl Iterator<Item = Kin>) -> Self {
        let mut family = Self::default();
        for kin in processes {
            family
                .children
                .entry(kin.parent)
                .or_default()
                .push(kin.id.tgid);
            family.kin.insert(kin.id.tgid, kin);
        }
        family
    }

    /// The process, if it lives; a start of 0 stands for any.
    pub fn get(&self, id: ProcessId) -> Option<Kin> {
        let kin = *self.kin.get(&id.tgid)?;
        (id.start_ns == 0 || kin.id.start_ns == id.start_ns).then_some(kin)
    }

    /// A living process and its descendants, it first, then its children.
    pub fn descendants(&self, id: ProcessId) -> Vec<Kin> {
        let Some(first) = self.get(id) else {
            return Vec::new();
        };
        let mut found = vec![first];
        let mut next = 0;
        while let Some(parent) = found.get(next).map(|kin| kin.id.tgid) {
            next += 1;
            for child in self.children.get(&parent).into_iter().flatten() {
                // A tree read while it changes may hold a circle: none is longer than the bound.
                if found.len() >= MOST {
                    return found;
                }
                if *child != parent
                    && let Some(kin) = self.kin.get(child)
                {
                    found.push(*kin);
                }
            }
        }
        found
    }

    /// Processes that may have inherited from one that has gone: started after it, those nearest
    /// to it first.
    pub fn heirs(&mut self, id: ProcessId) -> Vec<Kin> {
        let kin = &self.kin;
        let by_start = self.by_start.get_or_insert_with(|| {
            let mut all: Vec<ProcessId> = kin.values().map(|kin| kin.id).collect();
            all.sort_unstable_by_key(|id| (id.start_ns, id.tgid));
            all
        });
        let first = by_start.partition_point(|other| other.start_ns < id.start_ns);
        by_start
            .iter()
            .skip(first)
            .take(HEIRS)
            .filter_map(|id| kin.get(&id.tgid).copied())
            .collect()
    }

    /// Changes when a descendant comes or goes.
    pub fn mark(&self, id: ProcessId) -> u64 {
        let hasher = BuildHasherDefault::<FxHasher>::default();
        let members = self.descendants(id);
        members.iter().fold(members.len() as u64, |mark, kin| {
            mark.wrapping_add(hasher.hash_one(kin.id))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn kin(tgid: u32, parent: u32) -> Kin {
        Kin {
            id: ProcessId {
                tgid,
                start_ns: u64::from(tgid) * 10,
            },
            parent,
            threads: 1,
        }
    }

    fn id(tgid: u32) -> ProcessId {
        kin(tgid, 0).id
    }

    fn pids(kin: &[Kin]) -> Vec<u32> {
        kin.iter().map(|kin| kin.id.tgid).collect()
    }

    #[test]
    fn descendants_without_strangers_and_reused_ids() {
        let family =
            Family::new([kin(1, 0), kin(10, 1), kin(11, 10), kin(12, 11), kin(20, 1)].into_iter());
        assert_eq!(pids(&family.descendants(id(10))), [10, 11, 12]);
        let other = ProcessId {
            tgid: 10,
            start_ns: 7,
        };
        assert!(family.descendants(other).is_empty());
        let any = ProcessId {
            tgid: 10,
            start_ns: 0,
        };
        assert_eq!(family.descendants(any).len(), 3);
    }

    #[test]
    fn a_circle_ends() {
        let family = Family::new([kin(5, 6), kin(6, 5), kin(7, 7)].into_iter());
        assert_eq!(family.descendants(id(5)).len(), MOST);
        assert_eq!(family.descendants(id(7)).len(), 1);
    }

    #[test]
    fn heirs_come_nearest_first() {
        let mut family = Family::new((1..200).map(|tgid| kin(tgid, 0)));
        let heirs = pids(&family.heirs(id(100)));
        assert_eq!(heirs.len(), HEIRS);
        assert_eq!(heirs[..3], [100, 101, 102]);
    }

    #[test]
    fn the_mark_tells_of_changes() {
        let before = Family::new([kin(10, 1), kin(11, 10)].into_iter());
        let after = Family::new([kin(10, 1), kin(12, 10)].into_iter());
        assert_ne!(before.mark(id(10)), after.mark(id(10)));
        let beside = Family::new([kin(11, 10), kin(10, 1), kin(30, 1)].into_iter());
        assert_eq!(before.mark(id(10)), beside.mark(id(10)));
    }
}
