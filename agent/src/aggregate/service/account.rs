//! The counters of one row of connection lives.

use std::sync::Arc;

use super::{life::Life, window::LifeWindow};
use crate::{
    aggregate::{
        birth::View,
        group::{Account, GroupKey},
    },
    model::{AbortCause, CloseReason, Histogram, SampleCounts, ServiceKey, ServiceRates},
};

impl GroupKey for ServiceKey {}

/// Increments of one cycle.
#[derive(Debug, Default)]
pub(super) struct ServiceCycle {
    pub opened: u64,
    pub closed: [u64; CloseReason::ALL.len()],
    pub aborted: [u64; AbortCause::ALL.len()],
    pub unread: u64,
    pub unacked: u64,
    pub lifetimes: SampleCounts,
    pub connects: SampleCounts,
}

/// What a life weighs: one for each open and end, and for each 64 KiB lost.
pub(super) fn activity(life: &Life) -> f32 {
    let mut bytes = life.late_unread as f32;
    if let Some(end) = &life.end {
        bytes += end.unread as f32 + end.unacked as f32;
    }
    f32::from(u8::from(life.opened)) + f32::from(u8::from(life.end.is_some())) + bytes / 65_536.0
}

fn count<const N: usize>(counts: &mut [u64; N], index: usize) {
    if let Some(count) = counts.get_mut(index) {
        *count += 1;
    }
}

fn sum<const N: usize>(into: &mut [u64; N], from: &[u64; N]) {
    for (into, from) in into.iter_mut().zip(from) {
        *into += from;
    }
}

impl ServiceCycle {
    /// Adds what happened to one connection.
    pub fn add(&mut self, life: &Life) {
        self.opened += u64::from(life.opened);
        if let Some(ns) = life.connect_ns {
            self.connects.record(ns);
        }
        self.unread += u64::from(life.late_unread);
        let Some(end) = &life.end else { return };
        count(&mut self.closed, end.reason as usize);
        if let Some(cause) = end.cause {
            count(&mut self.aborted, cause as usize);
        }
        self.unread += u64::from(end.unread);
        self.unacked += u64::from(end.unacked);
        if let Some(ns) = end.lifetime_ns {
            self.lifetimes.record(ns);
        }
    }
}

/// Counters since the appearance of a row began.
#[derive(Debug, Default)]
pub(super) struct ServiceAccount {
    pub opened: u64,
    pub closed: [u64; CloseReason::ALL.len()],
    pub aborted: [u64; AbortCause::ALL.len()],
    pub unread: u64,
    pub unacked: u64,
    pub lifetime: Arc<Histogram>,
    pub connect: Arc<Histogram>,
    pub rates: ServiceRates,
    window: LifeWindow,
}

impl Account for ServiceAccount {
    type Cycle = ServiceCycle;

    fn merge(into: &mut ServiceCycle, from: ServiceCycle) {
        into.opened += from.opened;
        sum(&mut into.closed, &from.closed);
        sum(&mut into.aborted, &from.aborted);
        into.unread += from.unread;
        into.unacked += from.unacked;
        into.lifetimes.merge(&from.lifetimes);
        into.connects.merge(&from.connects);
    }

    fn book(&mut self, cycle: &mut ServiceCycle, view: &View) -> bool {
        let ended: u64 = cycle.closed.iter().sum();
        let moved = cycle.opened | ended | cycle.unread | cycle.unacked;
        self.opened += cycle.opened;
        sum(&mut self.closed, &cycle.closed);
        sum(&mut self.aborted, &cycle.aborted);
        self.unread += cycle.unread;
        self.unacked += cycle.unacked;
        if !cycle.lifetimes.is_empty() {
            Arc::make_mut(&mut self.lifetime).add(&cycle.lifetimes);
        }
        if !cycle.connects.is_empty() {
            Arc::make_mut(&mut self.connect).add(&cycle.connects);
        }
        self.window.push(
            view.now.mono_ns,
            view.window_ns,
            view.seconds,
            cycle.opened,
            &mut cycle.lifetimes,
            &mut cycle.connects,
        );
        let (lifetime_median, storm) = self.window.lifetimes();
        self.rates = ServiceRates {
            opened: view.rate(cycle.opened),
            closed: view.rate(ended),
            unread_bytes: view.rate(cycle.unread),
            unacked_bytes: view.rate(cycle.unacked),
            lifetime_median,
            connect_median: self.window.connect_median(),
            storm,
        };
        *cycle = ServiceCycle {
            lifetimes: std::mem::take(&mut cycle.lifetimes),
            connects: std::mem::take(&mut cycle.connects),
            ..ServiceCycle::default()
        };
        moved != 0
    }
}
