//! Processes that wait for disks, and their groups.

use rustc_hash::FxHashMap;

use super::account::DiskAccount;
use crate::{
    aggregate::{
        Owners,
        birth::View,
        group::{GroupKey, Groups},
        shrink,
    },
    clock::Moment,
    collect::disk::{DiskSample, process::DiskProcessSample},
    model::{BirthGate, Budget, OTHER, Owner, ProcessDiskRow},
};

use super::DiskProcessConfig;

/// Complete cycles requests wait for their process to become known: one that lived briefly is
/// known once its final record came.
const PATIENCE: u8 = 2;

/// Whose.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct OwnerKey(Owner);

impl GroupKey for OwnerKey {
    fn reserved(&self) -> bool {
        *self.0.process == *OTHER && *self.0.user == *OTHER
    }
}

/// Requests of a process nobody has told of yet.
#[derive(Debug, Default)]
struct Waiting {
    samples: Vec<DiskSample>,
    cycles: u8,
}

impl Waiting {
    fn add(&mut self, more: DiskSample) {
        let mut samples = self.samples.iter_mut();
        match samples.find(|sample| sample.key == more.key) {
            Some(sample) => sample.io.merge(&more.io),
            None => self.samples.push(more),
        }
    }
}

/// Turns requests of processes into histograms of groups. Per cycle: samples, a walk over all
/// processes, then [`DiskProcessTable::finish`], then rows.
#[derive(Debug)]
pub struct DiskProcessTable {
    config: DiskProcessConfig,
    groups: Groups<OwnerKey, DiskAccount>,
    /// By process id and start. Bounded by the slots of the source.
    waiting: FxHashMap<(u32, u64), Waiting>,
    began: Option<Moment>,
    seconds: f64,
}

impl DiskProcessTable {
    /// An empty table.
    pub fn new(config: DiskProcessConfig) -> Self {
        Self {
            groups: Groups::new(config.budget, config.retention),
            config,
            waiting: FxHashMap::default(),
            began: None,
            seconds: 0.0,
        }
    }

    /// Takes what a process waited for. It waits for the next walk over processes: one that has
    /// just executed another program would be named by what it was before.
    pub fn sample(&mut self, sample: DiskProcessSample) {
        let key = sample.key;
        let mut more = DiskSample {
            io: sample.io,
            ..DiskSample::default()
        };
        more.key.op = key.op;
        let waiting = self.waiting.entry((key.tgid, key.start_ns)).or_default();
        waiting.add(more);
    }

    /// A cycle is over at `at`, and all processes alive are known.
    pub fn finish(&mut self, at: Moment, owners: &dyn Owners) {
        for ((tgid, start_ns), mut waiting) in std::mem::take(&mut self.waiting) {
            waiting.cycles += 1;
            let owner = match owners.owner(tgid, start_ns) {
                Some(owner) => owner,
                None if waiting.cycles > PATIENCE => Owner::unknown(),
                None => {
                    self.waiting.insert((tgid, start_ns), waiting);
                    continue;
                }
            };
            // A group has members only while requests are handed in: nothing of it is a gauge.
            let group = self.groups.join(OwnerKey(owner));
            for sample in &waiting.samples {
                let weight = sample.io.count() as f32;
                self.groups.cycle(group, weight).add(sample, true, true);
            }
            self.groups.leave(group);
        }
        shrink(&mut self.waiting);
        self.seconds = self
            .began
            .map_or(0.0, |before| at.since(before).as_secs_f64());
        self.began = Some(at);
    }

    /// The rows of the snapshot with this sequence: heaviest first, all folded groups last. To be
    /// called once after each `finish`: it also decides who keeps a name. Empty before the first.
    pub fn rows(&mut self, sequence: u64, gate: BirthGate) -> Vec<ProcessDiskRow> {
        let Some(now) = self.began else {
            return Vec::new();
        };
        self.groups.arrange(&View {
            sequence,
            gate,
            now,
            seconds: self.seconds,
            window_ns: u64::try_from(self.config.window.as_nanos()).unwrap_or(u64::MAX),
        });
        // No number of a group is kept here.
        let _ = self.groups.compact();
        let rows = self.groups.rows().into_iter();
        rows.map(|view| ProcessDiskRow {
            owner: view.key.map(|key| key.0.clone()),
            ops: view.account.ops(view.held),
        })
        .collect()
    }

    /// State of the budget.
    pub fn budgets(&self) -> Vec<Budget> {
        vec![self.groups.budget("process_disks")]
    }

    /// Label sets shown as 0 until scrapers have seen their birth.
    pub fn held(&self) -> u64 {
        self.groups.held()
    }
}
