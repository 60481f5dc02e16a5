//! The counters of one peer row.

use std::sync::Arc;

use super::connection::Change;
use crate::{
    aggregate::{
        birth::View,
        group::{Account, GroupKey},
        window::Window,
    },
    model::{Histogram, Owner, PeerKey, SampleCounts},
};

/// What identifies a group of connections to the same peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct PeerGroup {
    pub peer: PeerKey,
    /// Whose they are, where peers are told apart by that.
    pub owner: Option<Arc<Owner>>,
}

impl GroupKey for PeerGroup {}

/// Increments of one cycle.
#[derive(Debug, Default)]
pub(super) struct PeerCycle {
    pub sent: u64,
    pub received: u64,
    pub segments: u64,
    pub retransmitted: u64,
    pub samples: SampleCounts,
}

impl PeerCycle {
    /// Adds what one record brought.
    #[inline]
    pub fn add(&mut self, change: &Change) {
        self.sent += change.sent;
        self.received += change.received;
        self.segments += u64::from(change.segments);
        self.retransmitted += u64::from(change.retransmitted);
        if let Some(ns) = change.sample {
            self.samples.record(ns);
        }
    }
}

/// What a change weighs: one for a sample, a connection that was opened, or 64 KiB.
#[inline]
pub(super) fn activity(change: &Change) -> f32 {
    let bytes = change.sent + change.received;
    bytes as f32 / 65_536.0 + change.opened as f32 + u32::from(change.sample.is_some()) as f32
}

/// Counters since the appearance of a row began.
#[derive(Debug, Default)]
pub(super) struct PeerAccount {
    pub sent: u64,
    pub received: u64,
    pub segments: u64,
    pub retransmitted: u64,
    pub rtt: Arc<Histogram>,
    pub window: Window,
    /// Bytes per second over the last cycle: sent, received.
    pub rates: [f64; 2],
}

impl Account for PeerAccount {
    type Cycle = PeerCycle;

    fn merge(into: &mut PeerCycle, from: PeerCycle) {
        into.sent += from.sent;
        into.received += from.received;
        into.segments += from.segments;
        into.retransmitted += from.retransmitted;
        into.samples.merge(&from.samples);
    }

    fn book(&mut self, cycle: &mut PeerCycle, view: &View) -> bool {
        self.rates = [view.rate(cycle.sent), view.rate(cycle.received)];
        let sampled = !cycle.samples.is_empty();
        let counted = cycle.sent | cycle.received | cycle.segments | cycle.retransmitted;
        self.sent += cycle.sent;
        self.received += cycle.received;
        self.segments += cycle.segments;
        self.retransmitted += cycle.retransmitted;
        if sampled {
            Arc::make_mut(&mut self.rtt).add(&cycle.samples);
        }
        self.window.push(
            view.now.mono_ns,
            view.window_ns,
            &mut cycle.samples,
            cycle.segments,
            cycle.retransmitted,
        );
        let samples = std::mem::take(&mut cycle.samples);
        *cycle = PeerCycle {
            samples,
            ..PeerCycle::default()
        };
        sampled || counted != 0
    }
}
