//! Groups of identities under a budget of label sets.
//!
//! Every group with members is known. At most `limit` have a row of their own:
//!
//! ```text
//! new ──► named ──► ended (no members; its counters stay for the retention) ──► gone
//!    │      │ ▲
//!    │      ▼ │ lighter than one that is folded
//!    │   lingering (counters frozen until every scraper has seen them) ──► folded
//!    └──► folded: increments and gauges count for `other`
//! ```
//!
//! A part of the limit is left to lingering rows, so that replacing a named group neither exceeds
//! the limit nor takes an increment away before it was seen.

mod arrange;
pub(super) mod slots;

use std::{fmt, hash::Hash, time::Duration};

use rustc_hash::FxHashMap;

use super::birth::{Birth, View};
use crate::{clock::Moment, model::Budget};
use slots::Slots;

/// Number of a group, valid as long as it has members.
pub(super) type GroupId = u32;

/// What identifies a group.
pub(super) trait GroupKey: Clone + Eq + Hash + Ord + fmt::Debug {
    /// Would look like the row of all folded groups, so it is never named.
    fn reserved(&self) -> bool {
        false
    }
}

/// The counters of one row.
pub(super) trait Account: Default {
    /// Increments of one cycle.
    type Cycle: Default;

    /// Adds one cycle's increments to another's.
    fn merge(into: &mut Self::Cycle, from: Self::Cycle);
    /// Books and empties the increments of a cycle; whether a counter moved. Called every cycle.
    fn book(&mut self, cycle: &mut Self::Cycle, view: &View) -> bool;
    /// Opens births inside the row; whether one was opened just now.
    fn show(&mut self, _view: &View) -> bool {
        false
    }
}

/// Where the increments of a group go.
#[derive(Debug)]
enum Place<C> {
    /// First seen in this cycle; named or folded when the cycle is over and all are known.
    New(Option<Box<C>>),
    /// Row of this index.
    Named(u32),
    /// To `other`, while the frozen row of this index is still shown.
    Lingering(u32),
    /// To `other`.
    Folded,
}

#[derive(Debug)]
struct Group<K, C> {
    key: K,
    members: u32,
    /// What its members did in this cycle, in the unit of weight times seconds.
    activity: f32,
    /// What its members hold, in the unit of weight.
    level: f32,
    weight: f32,
    /// Cycles in a row in which it was clearly heavier than the lightest named one.
    streak: u8,
    weighed: bool,
    place: Place<C>,
}

/// An exposed label set.
#[derive(Debug)]
struct Row<A: Account> {
    /// The group; without meaning in the row of `other`.
    group: GroupId,
    account: A,
    cycle: A::Cycle,
    birth: Birth,
    /// Since when it has no members.
    idle_since: Option<Moment>,
    lingering_since: Option<Moment>,
}

/// What a row of the snapshot is made from.
pub(super) struct RowView<'a, K, A> {
    /// Index of its gauges, see [`Groups::gauge_index`].
    pub index: usize,
    /// Identity; `None` for all folded groups together.
    pub key: Option<&'a K>,
    /// Counters.
    pub account: &'a A,
    /// To be shown as 0.
    pub held: bool,
    /// Has members whose gauges count for it.
    pub live: bool,
    /// How many.
    pub members: u64,
    /// Its counters are frozen and about to end.
    pub lingering: bool,
}

/// All groups that share a budget.
#[derive(Debug)]
pub(super) struct Groups<K, A: Account> {
    limit: usize,
    /// Part of the limit left to lingering rows.
    reserve: usize,
    retention: Duration,
    ids: FxHashMap<K, GroupId>,
    groups: Slots<Group<K, A::Cycle>>,
    rows: Vec<Row<A>>,
    /// Keys whose row ended, until scrapers have seen that: a row that starts again from 0 in
    /// between would look to them like a counter that fell.
    departed: FxHashMap<K, Birth>,
    /// Once there, it stays.
    other: Option<Row<A>>,
    other_cycle: A::Cycle,
    /// Live groups without a row of their own, as of the last arrangement.
    folded: u64,
    /// Members of all groups, as of the last arrangement.
    members: u64,
    /// Something without a group counts for the gauges of `other` now.
    ungrouped: bool,
    folds: u64,
    evictions: u64,
}

impl<K: GroupKey, A: Account> Groups<K, A> {
    /// No groups yet. At most `limit` rows beside `other`; counters of ended groups stay for
    /// `retention`.
    pub fn new(limit: usize, retention: Duration) -> Self {
        Self {
            limit,
            reserve: (limit / 10).max(1).min(limit.saturating_sub(1)),
            retention,
            ids: FxHashMap::default(),
            groups: Slots::default(),
            rows: Vec::new(),
            departed: FxHashMap::default(),
            other: None,
            other_cycle: A::Cycle::default(),
            folded: 0,
            members: 0,
            ungrouped: false,
            folds: 0,
            evictions: 0,
        }
    }

    /// A member joins the group of `key`.
    pub fn join(&mut self, key: K) -> GroupId {
        let known = self.ids.get(&key).copied();
        if let Some(id) = known
            && let Some(group) = self.groups.get_mut(id)
        {
            group.members += 1;
            return id;
        }
        let id = self.groups.insert(Group {
            key: key.clone(),
            members: 1,
            activity: 0.0,
            level: 0.0,
            weight: 0.0,
            streak: 0,
            weighed: false,
            place: Place::New(None),
        });
        self.ids.insert(key, id);
        id
    }

    /// A member joins the group of `key` if there is one: for members too light to make one.
    pub fn join_known(&mut self, key: &K) -> Option<GroupId> {
        let id = *self.ids.get(key)?;
        self.groups.get_mut(id)?.members += 1;
        Some(id)
    }

    /// Whether something counts for the gauges of `other` without belonging to any group.
    pub fn set_ungrouped(&mut self, any: bool) {
        self.ungrouped = any;
    }

    /// Whether the gauges of `other` stand for anything.
    fn other_is_live(&self) -> bool {
        self.folded > 0 || self.ungrouped
    }

    /// A member leaves. The number stays valid until the next arrangement.
    pub fn leave(&mut self, id: GroupId) {
        if let Some(group) = self.groups.get_mut(id) {
            group.members = group.members.saturating_sub(1);
        }
    }

    /// Where a member's increments are to be added; `activity` is their weight.
    pub fn cycle(&mut self, id: GroupId, activity: f32) -> &mut A::Cycle {
        let Some(group) = self.groups.get_mut(id) else {
            return &mut self.other_cycle;
        };
        group.activity += activity;
        match &mut group.place {
            Place::New(cycle) => cycle.get_or_insert_default(),
            Place::Named(row) => match self.rows.get_mut(*row as usize) {
                Some(row) => &mut row.cycle,
                None => &mut self.other_cycle,
            },
            Place::Lingering(_) | Place::Folded => &mut self.other_cycle,
        }
    }

    /// Where increments go that belong to no known group.
    pub fn other_cycle(&mut self) -> &mut A::Cycle {
        &mut self.other_cycle
    }

    /// A member holds `level` of something, in the unit of weight. Counts for this cycle.
    pub fn hold(&mut self, id: GroupId, level: f32) {
        if let Some(group) = self.groups.get_mut(id) {
            group.level += level;
        }
    }

    /// The key of a group.
    pub fn key(&self, id: GroupId) -> Option<&K> {
        self.groups.get(id).map(|group| &group.key)
    }

    /// Number of gauge sets: one for each row and, last, one for `other`.
    pub fn gauge_count(&self) -> usize {
        self.rows.len() + 1
    }

    /// Which gauge set a group's members count for.
    pub fn gauge_index(&self, id: GroupId) -> usize {
        match self.groups.get(id).map(|group| &group.place) {
            Some(Place::Named(row)) => *row as usize,
            _ => self.rows.len(),
        }
    }

    /// All rows, heaviest first, `other` last.
    pub fn rows(&self) -> Vec<RowView<'_, K, A>> {
        let mut weighed: Vec<(f32, RowView<'_, K, A>)> = Vec::with_capacity(self.rows.len() + 1);
        let mut unnamed = self.members;
        for (index, row) in self.rows.iter().enumerate() {
            let Some(group) = self.groups.get(row.group) else {
                continue;
            };
            let lingering = row.lingering_since.is_some();
            let members = if lingering { 0 } else { group.members.into() };
            unnamed = unnamed.saturating_sub(members);
            let view = RowView {
                index,
                key: Some(&group.key),
                account: &row.account,
                held: row.birth.held(),
                live: members > 0,
                members,
                lingering,
            };
            weighed.push((if lingering { -1.0 } else { group.weight }, view));
        }
        weighed.sort_by(|(left, a), (right, b)| right.total_cmp(left).then(a.key.cmp(&b.key)));
        let mut rows: Vec<_> = weighed.into_iter().map(|(_, view)| view).collect();
        rows.extend(self.other.as_ref().map(|row| RowView {
            index: self.rows.len(),
            key: None,
            account: &row.account,
            held: row.birth.held(),
            live: self.other_is_live(),
            members: unnamed,
            lingering: false,
        }));
        rows
    }

    /// Rows shown as 0 for now.
    pub fn held(&self) -> u64 {
        let rows = self.rows.iter().chain(&self.other);
        rows.filter(|row| row.birth.held()).count() as u64
    }

    /// State of the budget.
    pub fn budget(&self, name: &'static str) -> Budget {
        Budget {
            name,
            limit: self.limit as u64,
            named: self.rows.len() as u64,
            folded: self.folded,
            folds: self.folds,
            evictions: self.evictions,
        }
    }

    /// Gives memory back after a peak. Group numbers may change: the new one of each old one.
    pub fn compact(&mut self) -> Option<Vec<GroupId>> {
        super::shrink(&mut self.ids);
        let moved = self.groups.compact()?;
        let new = |id: GroupId| moved.get(id as usize).copied().unwrap_or(GroupId::MAX);
        for id in self.ids.values_mut() {
            *id = new(*id);
        }
        for row in &mut self.rows {
            row.group = new(row.group);
        }
        Some(moved)
    }
}
