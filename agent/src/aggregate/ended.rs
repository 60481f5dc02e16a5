//! Identities that ended a moment ago. A walk's record of one may still be on its way: it must not
//! bring the identity back and book it twice.

use std::hash::Hash;

use rustc_hash::FxHashSet;

/// Two generations of ended identities; one cycle each.
#[derive(Debug)]
pub(super) struct Ended<Id> {
    young: FxHashSet<Id>,
    old: FxHashSet<Id>,
}

impl<Id> Default for Ended<Id> {
    fn default() -> Self {
        Self {
            young: FxHashSet::default(),
            old: FxHashSet::default(),
        }
    }
}

impl<Id: Eq + Hash> Ended<Id> {
    /// Remembers one; false if it was known to have ended.
    pub fn insert(&mut self, id: Id) -> bool {
        !self.old.contains(&id) && self.young.insert(id)
    }

    /// Whether it ended in this cycle or the one before.
    pub fn contains(&self, id: &Id) -> bool {
        self.young.contains(id) || self.old.contains(id)
    }

    /// Forgets what ended before the last cycle.
    pub fn age(&mut self) {
        let room = self.young.len();
        std::mem::swap(&mut self.young, &mut self.old);
        self.young.clear();
        if self.young.capacity() > 1024 && room < self.young.capacity() / 4 {
            self.young.shrink_to(room * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_for_one_more_cycle() {
        let mut ended = Ended::default();
        assert!(ended.insert(1u64));
        assert!(!ended.insert(1));
        ended.age();
        assert!(ended.contains(&1));
        assert!(!ended.insert(1));
        ended.age();
        assert!(!ended.contains(&1));
    }
}
