//! Attempts to connect that came to nothing.

use std::time::Duration;

use crate::{
    aggregate::{
        birth::View,
        group::{Account, GroupKey, Groups},
    },
    model::{Budget, FailureKey, FailureRow, budget},
};

/// Label sets.
pub const BUDGET: usize = budget::FAILURES;

impl GroupKey for FailureKey {}

/// One counter and its rate.
#[derive(Debug, Default)]
struct FailureAccount {
    failures: u64,
    rate: f64,
}

impl Account for FailureAccount {
    type Cycle = u64;

    fn merge(into: &mut u64, from: u64) {
        *into += from;
    }

    fn book(&mut self, cycle: &mut u64, view: &View) -> bool {
        let more = std::mem::take(cycle);
        self.failures += more;
        self.rate = view.rate(more);
        more > 0
    }
}

/// Counters of failed attempts.
#[derive(Debug)]
pub struct FailureTable {
    groups: Groups<FailureKey, FailureAccount>,
}

impl FailureTable {
    /// An empty table of at most `budget` label sets.
    pub fn new(budget: usize, retention: Duration) -> Self {
        Self {
            groups: Groups::new(budget, retention),
        }
    }

    /// An attempt failed.
    pub fn book(&mut self, key: FailureKey) {
        let group = self.groups.join(key);
        *self.groups.cycle(group, 1.0) += 1;
        self.groups.leave(group);
    }

    /// The rows: heaviest first, all folded groups last. Once per cycle.
    pub fn rows(&mut self, view: &View) -> Vec<FailureRow> {
        self.groups.arrange(view);
        // Nobody keeps numbers of these groups.
        self.groups.compact();
        let rows = self.groups.rows().into_iter();
        rows.map(|view| FailureRow {
            key: view.key.cloned().unwrap_or(FailureKey::Folded),
            held: view.held,
            failures: view.account.failures,
            rate: view.account.rate,
        })
        .collect()
    }

    /// State of the budget.
    pub fn budget(&self) -> Budget {
        self.groups.budget("failure")
    }

    /// Label sets shown as 0 until scrapers have seen their birth.
    pub fn held(&self) -> u64 {
        self.groups.held()
    }
}
