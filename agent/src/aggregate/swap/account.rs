//! The counters of one row.

use crate::{
    aggregate::{
        birth::View,
        group::{Account, GroupKey},
    },
    model::{SwapKey, SwapRates},
};

impl GroupKey for SwapKey {}

/// Increments of one cycle, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SwapCycle {
    pub in_bytes: u64,
    pub out_bytes: u64,
}

impl SwapCycle {
    /// Adds another's.
    pub fn add(&mut self, more: Self) {
        self.in_bytes += more.in_bytes;
        self.out_bytes += more.out_bytes;
    }
}

/// Counters since the appearance of a row began.
#[derive(Debug, Default)]
pub(super) struct SwapAccount {
    pub sums: SwapCycle,
    pub rates: SwapRates,
}

impl Account for SwapAccount {
    type Cycle = SwapCycle;

    fn merge(into: &mut SwapCycle, from: SwapCycle) {
        into.add(from);
    }

    fn book(&mut self, cycle: &mut SwapCycle, view: &View) -> bool {
        let cycle = std::mem::take(cycle);
        self.rates = SwapRates {
            in_bytes: view.rate(cycle.in_bytes),
            out_bytes: view.rate(cycle.out_bytes),
        };
        self.sums.add(cycle);
        cycle != SwapCycle::default()
    }
}
