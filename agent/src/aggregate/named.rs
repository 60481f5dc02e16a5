//! Absolute counters that others keep under a name (interfaces, cgroups): increments by name, and
//! rows of them.

use std::{sync::Arc, time::Duration};

use rustc_hash::FxHashMap;

use super::{
    birth::View,
    group::{Account, GroupId, GroupKey, Groups},
    shrink,
};
use crate::{
    clock::Moment,
    model::{BirthGate, Budget, OTHER},
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Name(Arc<str>);

impl GroupKey for Name {
    fn reserved(&self) -> bool {
        *self.0 == *OTHER
    }
}

/// Sums; `None` where nobody counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sums<const N: usize>([Option<u64>; N]);

impl<const N: usize> Default for Sums<N> {
    fn default() -> Self {
        Self([None; N])
    }
}

impl<const N: usize> Sums<N> {
    fn add(&mut self, more: &Self) -> bool {
        let mut moved = false;
        for (sum, more) in self.0.iter_mut().zip(more.0) {
            if let Some(more) = more {
                *sum.get_or_insert(0) += more;
                moved |= more > 0;
            }
        }
        moved
    }
}

impl<const N: usize> Account for Sums<N> {
    type Cycle = Self;

    fn merge(into: &mut Self, from: Self) {
        into.add(&from);
    }

    fn book(&mut self, cycle: &mut Self, _view: &View) -> bool {
        self.add(&std::mem::take(cycle))
    }
}

#[derive(Debug)]
struct Member<const N: usize> {
    group: GroupId,
    last: [Option<u64>; N],
    seen: u32,
}

/// One row: its name (`None`: all beyond the budget), whether it is to be shown as 0, its sums.
pub type NamedRow<const N: usize> = (Option<Arc<str>>, bool, [Option<u64>; N]);

/// Counters of things that bear names; several may bear the same.
#[derive(Debug)]
pub struct NamedCounters<const N: usize> {
    groups: Groups<Name, Sums<N>>,
    members: FxHashMap<Box<str>, Member<N>>,
    cycle: u32,
    now: Option<Moment>,
}

impl<const N: usize> NamedCounters<N> {
    /// At most `budget` rows by name; they stay for `retention` after their last member.
    pub fn new(budget: usize, retention: Duration) -> Self {
        Self {
            groups: Groups::new(budget, retention),
            members: FxHashMap::default(),
            cycle: 0,
            now: None,
        }
    }

    /// The counters of `member` as they are now. All of them count if it is `newborn`, otherwise
    /// those of the first time are a baseline; counters that fell started again from 0.
    pub fn observe(&mut self, member: &str, name: &str, now: [Option<u64>; N], newborn: bool) {
        let known = self.members.get_mut(member);
        let (group, before) = match known {
            Some(known) => {
                known.seen = self.cycle;
                (known.group, std::mem::replace(&mut known.last, now))
            }
            None => {
                let group = self.groups.join(Name(name.into()));
                let seen = self.cycle;
                let last = now;
                let member_state = Member { group, last, seen };
                self.members.insert(member.into(), member_state);
                (group, if newborn { [Some(0); N] } else { now })
            }
        };
        let mut change = Sums(now);
        let mut weight = 0;
        for (change, before) in change.0.iter_mut().zip(before) {
            if let (Some(change), Some(before)) = (change, before) {
                *change = change.checked_sub(before).unwrap_or(*change);
                weight += *change;
            }
        }
        self.groups.cycle(group, weight as f32).add(&change);
    }

    /// Everything that is there has been observed.
    pub fn finish(&mut self, at: Moment) {
        let Self { groups, cycle, .. } = self;
        self.members.retain(|_, member| {
            let there = member.seen == *cycle;
            if !there {
                groups.leave(member.group);
            }
            there
        });
        shrink(&mut self.members);
        self.cycle = self.cycle.wrapping_add(1);
        self.now = Some(at);
    }

    /// The rows of the snapshot with this sequence, heaviest first, `other` last. To be called
    /// once after each `finish`.
    pub fn rows(&mut self, sequence: u64, gate: BirthGate) -> Vec<NamedRow<N>> {
        let Some(now) = self.now else {
            return Vec::new();
        };
        self.groups.arrange(&View {
            sequence,
            gate,
            now,
            seconds: 0.0,
            window_ns: 0,
        });
        if let Some(moved) = self.groups.compact() {
            for member in self.members.values_mut() {
                let group = moved.get(member.group as usize).copied();
                member.group = group.unwrap_or(GroupId::MAX);
            }
        }
        let rows = self.groups.rows().into_iter();
        rows.map(|row| (row.key.map(|key| key.0.clone()), row.held, row.account.0))
            .collect()
    }

    /// State of the budget.
    pub fn budget(&self, name: &'static str) -> Budget {
        self.groups.budget(name)
    }

    /// Rows shown as 0 until scrapers have seen their birth.
    pub fn held(&self) -> u64 {
        self.groups.held()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Rig(NamedCounters<2>, Moment, u64);

    impl Rig {
        fn cycle(&mut self, seen: &[(&str, &str, [Option<u64>; 2], bool)]) -> Vec<NamedRow<2>> {
            for (member, name, now, newborn) in seen {
                self.0.observe(member, name, *now, *newborn);
            }
            self.1 = self.1.plus(Duration::from_secs(5));
            self.0.finish(self.1);
            self.2 += 1;
            self.0.rows(self.2, BirthGate::default())
        }
    }

    fn rig(budget: usize) -> Rig {
        let counters = NamedCounters::new(budget, Duration::from_secs(60));
        Rig(counters, Moment::now(), 0)
    }

    fn sums(rows: &[NamedRow<2>], wanted: &str) -> Option<[Option<u64>; 2]> {
        let found = rows.iter().find(|row| row.0.as_deref() == Some(wanted));
        found.map(|row| row.2)
    }

    #[test]
    fn increments_of_all_that_bear_a_name() {
        let mut rig = rig(4);
        let rows = rig.cycle(&[
            ("a/1", "web", [Some(100), None], false),
            ("a/2", "web", [Some(7), None], true),
        ]);
        assert_eq!(sums(&rows, "web"), Some([Some(7), None]));
        let rows = rig.cycle(&[
            ("a/1", "web", [Some(105), None], false),
            ("a/2", "web", [Some(7), Some(3)], true),
        ]);
        // What was not counted before is a baseline when it begins to be.
        assert_eq!(sums(&rows, "web"), Some([Some(12), Some(3)]));
        // One went and one started again.
        let rows = rig.cycle(&[("a/1", "web", [Some(2), None], false)]);
        assert_eq!(sums(&rows, "web"), Some([Some(14), Some(3)]));
    }

    #[test]
    fn all_beyond_the_budget_are_one_row() {
        let mut rig = rig(1);
        let both = |n: u64| {
            [
                ("x", "x", [Some(10 * n), Some(0)], true),
                ("y", "y", [Some(n), Some(0)], true),
            ]
        };
        let mut rows = Vec::new();
        for n in 1..=4 {
            rows = rig.cycle(&both(n));
        }
        assert_eq!(rows.len(), 2);
        let all: u64 = rows.iter().filter_map(|row| row.2[0]).sum();
        assert_eq!(all, 44);
        assert!(rows.last().is_some_and(|row| row.0.is_none()));
    }
}
