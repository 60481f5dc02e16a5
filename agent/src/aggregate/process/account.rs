//! The counters of one process row.

use std::sync::Arc;

use hostlens_ebpf::wire::TaskTotals;

use super::{cpu::CpuTime, entry::Change};
use crate::{
    aggregate::{
        birth::{Birth, View},
        group::{Account, GroupKey},
    },
    model::{ExitReason, OTHER, ProcessRates},
};

/// Reasons named in one row at most; further ones are `ExitReason::Other`.
pub(super) const REASONS: usize = 8;

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
    pub read_bytes: u64,
    pub write_bytes: u64,
    pub minor_faults: u64,
    pub major_faults: u64,
    pub voluntary: u64,
    pub involuntary: u64,
    pub started: u64,
    /// Few at a time: one entry per reason.
    exits: Vec<(ExitReason, u64)>,
}

impl ProcessCycle {
    /// Adds what one record brought.
    pub fn add(&mut self, change: &Change) {
        self.cpu.user += change.cpu.user;
        self.cpu.system += change.cpu.system;
        let counts = &change.counts;
        self.read_bytes += counts.read_bytes;
        self.write_bytes += counts.write_bytes;
        self.minor_faults += counts.minor_faults;
        self.major_faults += counts.major_faults;
        self.voluntary += counts.voluntary;
        self.involuntary += counts.involuntary;
    }

    /// Counts ends.
    pub fn exit(&mut self, reason: ExitReason, count: u64) {
        match self.exits.iter_mut().find(|exit| exit.0 == reason) {
            Some((_, known)) => *known += count,
            None => self.exits.push((reason, count)),
        }
    }

    fn is_empty(&self) -> bool {
        let Self {
            cpu,
            read_bytes,
            write_bytes,
            minor_faults,
            major_faults,
            voluntary,
            involuntary,
            started,
            exits,
        } = self;
        let counts = [
            read_bytes,
            write_bytes,
            minor_faults,
            major_faults,
            voluntary,
            involuntary,
            started,
        ];
        cpu.total() == 0 && exits.is_empty() && counts.iter().all(|count| **count == 0)
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
    pub read_bytes: u64,
    pub write_bytes: u64,
    pub minor_faults: u64,
    pub major_faults: u64,
    pub voluntary: u64,
    pub involuntary: u64,
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
            .filter(|exit| exit.reason != ExitReason::Other);
        let reason = match known(&self.exits, reason) {
            None if named.count() >= REASONS => ExitReason::Other,
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
pub(super) fn rates(view: &View, cpu_ns: u64, counts: &TaskTotals) -> ProcessRates {
    ProcessRates {
        cpu: view.rate(cpu_ns) / 1e9,
        read_bytes: view.rate(counts.read_bytes),
        write_bytes: view.rate(counts.write_bytes),
        major_faults: view.rate(counts.major_faults),
    }
}

impl Account for ProcessAccount {
    type Cycle = ProcessCycle;

    fn merge(into: &mut ProcessCycle, from: ProcessCycle) {
        into.cpu.user += from.cpu.user;
        into.cpu.system += from.cpu.system;
        into.read_bytes += from.read_bytes;
        into.write_bytes += from.write_bytes;
        into.minor_faults += from.minor_faults;
        into.major_faults += from.major_faults;
        into.voluntary += from.voluntary;
        into.involuntary += from.involuntary;
        into.started += from.started;
        for (reason, count) in from.exits {
            into.exit(reason, count);
        }
    }

    fn book(&mut self, cycle: &mut ProcessCycle, view: &View) -> bool {
        let moved = !cycle.is_empty();
        let cycle = std::mem::take(cycle);
        let counts = TaskTotals {
            read_bytes: cycle.read_bytes,
            write_bytes: cycle.write_bytes,
            major_faults: cycle.major_faults,
            ..TaskTotals::default()
        };
        self.rates = rates(view, cycle.cpu.total(), &counts);
        self.cpu.user += cycle.cpu.user;
        self.cpu.system += cycle.cpu.system;
        self.read_bytes += cycle.read_bytes;
        self.write_bytes += cycle.write_bytes;
        self.minor_faults += cycle.minor_faults;
        self.major_faults += cycle.major_faults;
        self.voluntary += cycle.voluntary;
        self.involuntary += cycle.involuntary;
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
