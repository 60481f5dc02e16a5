//! The counters of one row of listeners, and of one row of refusals.

use crate::{
    aggregate::{
        birth::View,
        group::{Account, GroupKey},
    },
    model::{ListenerKey, ListenerRates, RefusedKey},
};

impl GroupKey for ListenerKey {}
impl GroupKey for RefusedKey {}

/// Increments of one cycle, or of a socket that has no row yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ListenerCycle {
    pub drops: u64,
    pub accepted: u64,
    pub resets: u64,
}

impl ListenerCycle {
    /// Adds other increments.
    pub fn add(&mut self, other: &Self) {
        self.drops += other.drops;
        self.accepted += other.accepted;
        self.resets += other.resets;
    }

    /// What the increments weigh: a connection 1, one turned away 10, as those are looked for.
    pub fn activity(&self) -> f32 {
        self.accepted as f32 + 10.0 * (self.drops + self.resets) as f32
    }
}

/// Counters since the appearance of a row began.
#[derive(Debug, Default)]
pub(super) struct ListenerAccount {
    pub sum: ListenerCycle,
    pub rates: ListenerRates,
}

impl Account for ListenerAccount {
    type Cycle = ListenerCycle;

    fn merge(into: &mut ListenerCycle, from: ListenerCycle) {
        into.add(&from);
    }

    fn book(&mut self, cycle: &mut ListenerCycle, view: &View) -> bool {
        let cycle = std::mem::take(cycle);
        self.rates = ListenerRates {
            accepted: view.rate(cycle.accepted),
            drops: view.rate(cycle.drops),
        };
        self.sum.add(&cycle);
        cycle != ListenerCycle::default()
    }
}

/// The counter of one row of refusals.
#[derive(Debug, Default)]
pub(super) struct RefusedAccount {
    pub refused: u64,
    pub rate: f64,
}

impl Account for RefusedAccount {
    type Cycle = u64;

    fn merge(into: &mut u64, from: u64) {
        *into += from;
    }

    fn book(&mut self, cycle: &mut u64, view: &View) -> bool {
        let more = std::mem::take(cycle);
        self.rate = view.rate(more);
        self.refused += more;
        more != 0
    }
}
