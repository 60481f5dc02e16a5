//! The counters of one row of peers, and of one row of listeners.

use std::sync::Arc;

use hostlens_ebpf::wire::Excluded;

use crate::{
    aggregate::{
        birth::View,
        group::{Account, GroupKey},
        window::Window,
    },
    collect::TurnSamples,
    model::{Histogram, PeerKey, QUANTILES, SampleCounts},
};

impl GroupKey for PeerKey {}

/// Turns left out, by [`Excluded`].
pub(super) type LeftOut = [u64; Excluded::COUNT];

/// Adds turns left out; whether there were any.
pub(super) fn leave_out<More: Into<u64>>(sum: &mut LeftOut, more: [More; Excluded::COUNT]) -> bool {
    let mut any = false;
    for (sum, more) in sum.iter_mut().zip(more) {
        let more = more.into();
        any |= more > 0;
        *sum += more;
    }
    any
}

/// What turns weigh: one for each answer, and ten for each second somebody waited for one, as slow
/// answers are what one looks for. Turns left out weigh little: a row of them tells nothing else.
pub(super) fn activity(turns: &TurnSamples, waited_ns: u64) -> f32 {
    let left_out: u64 = turns.excluded.iter().copied().map(u64::from).sum();
    waited_ns as f32 / 1e8 + turns.first.count() as f32 + left_out as f32 / 100.0
}

/// A histogram and the last window of it.
#[derive(Debug, Default)]
pub(super) struct Times {
    pub seconds: Arc<Histogram>,
    window: Window,
}

impl Times {
    /// Quantiles over the window, seconds; `None` without an answer in it.
    pub fn quantiles(&self) -> Option<[f64; QUANTILES.len()]> {
        self.window.quantiles()
    }

    /// Books and empties the samples of a cycle; whether there were any.
    fn book(&mut self, samples: &mut SampleCounts, view: &View) -> bool {
        let any = !samples.is_empty();
        if any {
            Arc::make_mut(&mut self.seconds).add(samples);
        }
        self.window
            .push(view.now.mono_ns, view.window_ns, samples, 0, 0);
        any
    }
}

/// Increments of one cycle: of a peer the response and the peer's own part of it, of a listener
/// waiting and serving.
#[derive(Debug, Default)]
pub(super) struct TurnCycle {
    first: SampleCounts,
    second: SampleCounts,
    left_out: LeftOut,
}

impl TurnCycle {
    /// Adds what one group of connections brought.
    pub fn add(&mut self, turns: &TurnSamples) {
        self.first.merge(&turns.first);
        self.second.merge(&turns.second);
        leave_out(&mut self.left_out, turns.excluded);
    }
}

/// Counters since the appearance of a row began.
#[derive(Debug, Default)]
pub(super) struct TurnAccount {
    pub first: Times,
    pub second: Times,
    pub left_out: LeftOut,
    /// Answers per second over the last cycle.
    pub rate: f64,
}

impl Account for TurnAccount {
    type Cycle = TurnCycle;

    fn merge(into: &mut TurnCycle, from: TurnCycle) {
        into.first.merge(&from.first);
        into.second.merge(&from.second);
        leave_out(&mut into.left_out, from.left_out);
    }

    fn book(&mut self, cycle: &mut TurnCycle, view: &View) -> bool {
        self.rate = view.rate(cycle.first.count());
        let left_out = leave_out(&mut self.left_out, std::mem::take(&mut cycle.left_out));
        let first = self.first.book(&mut cycle.first, view);
        let second = self.second.book(&mut cycle.second, view);
        first || second || left_out
    }
}
