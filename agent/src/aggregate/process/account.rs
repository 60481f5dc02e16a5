//! The counters of one process row.

use std::sync::Arc;

use super::{
    counts::{Counts, Known},
    cpu::CpuTime,
    entry::Change,
};
use crate::{
    aggregate::{
        birth::{Birth, View},
        group::{Account, GroupKey},
    },
    model::{ExitReason, OTHER, ProcessRates, budget::EXIT_REASONS},
};

/// What identifies a group of processes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ProcessKey {
    pub process: Arc<str>,
    pub user: Arc<str>,
    pub service: Arc<str>,
}

impl GroupKey for ProcessKey {
    fn reserved(&self) -> bool {
        *self.process == *OTHER && *self.user == *OTHER
    }
}

/// Increments of one cycle.
#[derive(Debug, Default)]
pub(super) struct ProcessCycle {
    pub cpu: CpuTime,
    pub counts: Counts,
    pub known: Known,
    pub started: u64,
    /// Few at a time: one entry per reason.
    exits: Vec<(ExitReason, u64)>,
}

impl ProcessCycle {
    /// Adds what one record brought.
    pub fn add(&mut self, change: &Change) {
        self.cpu.user += change.cpu.user;
        self.cpu.system += change.cpu.system;
        self.counts += change.counts;
        self.known |= change.known;
    }

    /// Counts ends.
    pub fn exit(&mut self, reason: ExitReason, count: u64) {
        match self.exits.iter_mut().find(|exit| exit.0 == reason) {
            Some((_, known)) => *known += count,
            None => self.exits.push((reason, count)),
        }
    }

    fn is_empty(&self) -> bool {
        self.cpu.total() == 0
            && self.started == 0
            && self.exits.is_empty()
            && self.counts == Counts::default()
    }
}

/// Ends for one reason; a series of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exits {
    pub reason: ExitReason,
    pub count: u64,
    pub birth: Birth,
}

/// Counters since the appearance of a row began.
#[derive(Debug, Default)]
pub(super) struct ProcessAccount {
    pub cpu: CpuTime,
    pub counts: Counts,
    pub known: Known,
    pub started: u64,
    pub exits: Vec<Exits>,
    pub rates: ProcessRates,
}

impl ProcessAccount {
    fn exit(&mut self, reason: ExitReason, count: u64, view: &View) {
        let known = |exits: &[Exits], reason| exits.iter().position(|exit| exit.reason == reason);
        let named = self
            .exits
            .iter()
            .filter(|exit| !matches!(exit.reason, ExitReason::Other | ExitReason::Oom));
        let reason = match known(&self.exits, reason) {
            None if reason != ExitReason::Oom && named.count() >= EXIT_REASONS => ExitReason::Other,
            _ => reason,
        };
        match known(&self.exits, reason).and_then(|at| self.exits.get_mut(at)) {
            Some(exit) => exit.count += count,
            None => self.exits.push(Exits {
                reason,
                count,
                birth: Birth::new(view),
            }),
        }
    }
}

/// CPU, disk and faults per second.
pub(super) fn rates(view: &View, cpu_ns: u64, counts: &Counts) -> ProcessRates {
    ProcessRates {
        // Told by another source, once groups are made.
        swap: None,
        cpu: view.rate(cpu_ns) / 1e9,
        read_bytes: view.rate(counts.read_bytes),
        write_bytes: view.rate(counts.write_bytes),
        major_faults: view.rate(counts.major_faults),
        run_delay: view.rate(counts.run_delay_ns) / 1e9,
        block_delay: view.rate(counts.block_delay_ns) / 1e9,
    }
}

impl Account for ProcessAccount {
    type Cycle = ProcessCycle;

    fn merge(into: &mut ProcessCycle, from: ProcessCycle) {
        into.cpu.user += from.cpu.user;
        into.cpu.system += from.cpu.system;
        into.counts += from.counts;
        into.known |= from.known;
        into.started += from.started;
        for (reason, count) in from.exits {
            into.exit(reason, count);
        }
    }

    fn book(&mut self, cycle: &mut ProcessCycle, view: &View) -> bool {
        let moved = !cycle.is_empty();
        let cycle = std::mem::take(cycle);
        self.rates = rates(view, cycle.cpu.total(), &cycle.counts);
        self.cpu.user += cycle.cpu.user;
        self.cpu.system += cycle.cpu.system;
        self.counts += cycle.counts;
        self.known |= cycle.known;
        self.started += cycle.started;
        for (reason, count) in cycle.exits {
            self.exit(reason, count, view);
        }
        moved
    }

    fn show(&mut self, view: &View) -> bool {
        let opened = self.exits.iter_mut().map(|exit| exit.birth.show(view));
        opened.fold(false, |any, opened| any | opened)
    }
}
