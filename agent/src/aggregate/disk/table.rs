//! All disks, the services that use them, and their groups.

use std::sync::Arc;

use hostlens_ebpf::wire::DiskOp;
use rustc_hash::FxHashMap;

use super::{
    DiskConfig,
    account::{DiskAccount, DiskCycle, NameKey},
    known::Known,
};
use crate::{
    aggregate::{birth::View, group::Account as _, group::Groups},
    clock::Moment,
    collect::disk::{DiskSample, DiskStat},
    model::{BirthGate, Budget, DiskRow, DiskUser, Lost, ServiceDiskRow},
};

/// Name of the row of [`DiskUser::Writeback`]; no service can have it.
const WRITEBACK: &str = "\0writeback";
/// Weight of a request and of this many bytes.
const BYTES: f32 = 65_536.0;

/// Turns counters and samples into rows. Per cycle: [`DiskTable::disks`], then samples, then
/// [`DiskTable::finish`], then rows.
#[derive(Debug)]
pub struct DiskTable {
    config: DiskConfig,
    known: FxHashMap<u32, Known>,
    disks: Groups<NameKey, DiskAccount>,
    services: Groups<NameKey, DiskAccount>,
    /// Programs hand in samples, of devices without requests too.
    sampled: bool,
    sampled_bare: bool,
    /// Bytes read and written as programs saw them and as the kernel counted them, of disks and
    /// cycles where both did.
    totals: (u64, u64),
    /// Requests of disks that could not be named.
    nameless: u64,
    began: Option<Moment>,
    now: Option<Moment>,
    seconds: f64,
}

impl DiskTable {
    /// An empty table.
    pub fn new(config: DiskConfig) -> Self {
        Self {
            disks: Groups::new(config.disks, config.retention),
            services: Groups::new(config.services, config.retention),
            config,
            known: FxHashMap::default(),
            sampled: false,
            sampled_bare: false,
            totals: (0, 0),
            nameless: 0,
            began: None,
            now: None,
            seconds: 0.0,
        }
    }

    /// Whether programs see requests, and whether they see bios at devices that have none.
    pub fn set_sampled(&mut self, requests: bool, bios: bool) {
        (self.sampled, self.sampled_bare) = (requests, bios);
    }

    /// All disks there are at `at`.
    pub fn disks(&mut self, at: Moment, stats: Vec<DiskStat>) {
        let complete_before = self.began.is_some();
        let mut before = std::mem::take(&mut self.known);
        for stat in stats {
            let dev = stat.dev;
            let same = before
                .remove(&dev)
                .filter(|known| known.stat.name == stat.name);
            let (mut known, cycle, first) = match same {
                Some(mut known) => {
                    let cycle = known.look(stat);
                    (known, cycle, false)
                }
                None => {
                    let (known, cycle) = Known::first(stat, complete_before);
                    (known, cycle, true)
                }
            };
            known.observe(at.mono_ns);
            if !first && known.counted && self.sampled && !known.stat.bare {
                self.totals.1 += [DiskOp::Read, DiskOp::Write]
                    .iter()
                    .filter_map(|op| cycle.ops.get(*op as usize))
                    .map(|op| op.bytes)
                    .sum::<u64>();
            }
            if known.group.is_none() && !known.stat.idle() {
                known.group = Some(self.disks.join(NameKey(Arc::clone(&known.stat.name))));
            }
            if let Some(group) = known.group {
                let weight = weight(&cycle);
                DiskAccount::merge(self.disks.cycle(group, weight), cycle);
            }
            self.known.insert(dev, known);
        }
        for gone in before.into_values() {
            if let Some(group) = gone.group {
                self.disks.leave(group);
            }
        }
    }

    /// Requests that programs saw since the last cycle, by whose they are.
    pub fn sample(&mut self, sample: &DiskSample, user: &DiskUser) {
        let Some(known) = self.known.get_mut(&sample.key.dev) else {
            self.nameless += sample.io.count() + sample.untimed;
            return;
        };
        let requests = (sample.io.count() + sample.untimed) as f32;
        let weight = requests + sample.bytes as f32 / BYTES;
        let group = match known.group {
            Some(group) => group,
            None => {
                let name = Arc::clone(&known.stat.name);
                *known.group.insert(self.disks.join(NameKey(name)))
            }
        };
        if known.counted && !known.stat.bare && self.began.is_some() && moves(sample) {
            self.totals.0 += sample.bytes;
        }
        let cycle = self
            .disks
            .cycle(group, if known.counted { 0.0 } else { weight });
        cycle.add(sample, known.timed, !known.counted);
        let name = match user {
            DiskUser::Service(name) => Arc::clone(name),
            DiskUser::Writeback => WRITEBACK.into(),
            DiskUser::Folded => {
                self.services.other_cycle().add(sample, known.timed, true);
                return;
            }
        };
        // A service has members only while requests are handed in: nothing of it is a gauge.
        let group = self.services.join(NameKey(name));
        self.services
            .cycle(group, weight)
            .add(sample, known.timed, true);
        self.services.leave(group);
    }

    /// A cycle is over at `at`.
    pub fn finish(&mut self, at: Moment) {
        self.seconds = self
            .began
            .map_or(0.0, |before| at.since(before).as_secs_f64());
        self.began = Some(at);
        self.now = Some(at);
    }

    fn view(&self, sequence: u64, gate: BirthGate) -> Option<View> {
        Some(View {
            sequence,
            gate,
            now: self.now?,
            seconds: self.seconds,
            window_ns: u64::try_from(self.config.window.as_nanos()).unwrap_or(u64::MAX),
        })
    }

    /// The disks of the snapshot with this sequence: heaviest first, all folded ones last. To be
    /// called once after each `finish`: it also decides who keeps a name. Empty before the first.
    pub fn disk_rows(&mut self, sequence: u64, gate: BirthGate) -> Vec<DiskRow> {
        let Some(view) = self.view(sequence, gate) else {
            return Vec::new();
        };
        self.disks.arrange(&view);
        if let Some(moved) = self.disks.compact() {
            for group in self
                .known
                .values_mut()
                .filter_map(|known| known.group.as_mut())
            {
                *group = moved.get(*group as usize).copied().unwrap_or(*group);
            }
        }
        let rows = self.disks.rows().into_iter().map(|view| {
            let of = |known: &&Known| view.key.is_some_and(|key| key.0 == known.stat.name);
            let known = self.known.values().find(of).filter(|_| view.live);
            let counted = known.filter(|known| known.counted);
            let sees = |known: &Known| {
                if known.stat.bare {
                    self.sampled_bare
                } else {
                    self.sampled
                }
            };
            let evidence = counted.map(|known| &known.evidence);
            DiskRow {
                device: view.key.map(|key| Arc::clone(&key.0)),
                live: view.live,
                // What has gone, or stands for many, keeps what it had.
                timed: known.map_or(self.sampled, |known| known.timed && sees(known)),
                counted: known.is_none_or(|known| known.counted || sees(known)),
                errors_seen: known.map_or(self.sampled, sees),
                ops: view.account.ops(view.held),
                queue_length: counted.map(|known| known.stat.in_flight),
                busy_seconds: match known {
                    Some(known) if !known.counted => None,
                    _ => Some(view.account.busy(view.held)),
                },
                busy_ratio: evidence.and_then(|evidence| evidence.busy_ratio),
                throughput: evidence.and_then(|evidence| evidence.throughput),
                best_throughput: evidence.and_then(|evidence| evidence.best()),
                of_best: evidence.and_then(|evidence| evidence.of_best()),
                verdict: evidence.and_then(|evidence| evidence.verdict()),
            }
        });
        rows.collect()
    }

    /// The services of the same snapshot, likewise.
    pub fn service_rows(&mut self, sequence: u64, gate: BirthGate) -> Vec<ServiceDiskRow> {
        let Some(view) = self.view(sequence, gate) else {
            return Vec::new();
        };
        self.services.arrange(&view);
        // No number of a group is kept here.
        let _ = self.services.compact();
        let rows = self.services.rows().into_iter();
        rows.map(|view| ServiceDiskRow {
            user: match view.key {
                Some(NameKey(name)) if &**name == WRITEBACK => DiskUser::Writeback,
                Some(NameKey(name)) => DiskUser::Service(Arc::clone(name)),
                None => DiskUser::Folded,
            },
            ops: view.account.ops(view.held),
        })
        .collect()
    }

    /// Bytes read and written since the second cycle: as programs saw them, and as the kernel
    /// counted them; `None` without programs.
    pub fn totals(&self) -> Option<(u64, u64)> {
        self.sampled.then_some(self.totals)
    }

    /// State of the budgets.
    pub fn budgets(&self) -> Vec<Budget> {
        vec![
            self.disks.budget("disk"),
            self.services.budget("disk_service"),
        ]
    }

    /// Label sets shown as 0.
    pub fn held(&self) -> u64 {
        self.disks.held() + self.services.held()
    }

    /// Requests whose detail was lost.
    pub fn lost_detail(&self) -> Vec<Lost> {
        vec![Lost {
            what: "disk_name",
            count: self.nameless,
        }]
    }

    /// Whether a device without requests was ever used.
    pub fn has_bare(&self) -> bool {
        self.known.values().any(|known| known.stat.bare)
    }

    /// Names of disks whose statistics are switched off.
    pub fn unaccounted(&self) -> Vec<Arc<str>> {
        let off = self
            .known
            .values()
            .filter(|known| known.group.is_some() && !known.stat.accounted && !known.stat.bare);
        let mut names: Vec<_> = off.map(|known| Arc::clone(&known.stat.name)).collect();
        names.sort();
        names
    }
}

fn weight(cycle: &DiskCycle) -> f32 {
    let ops = cycle.ops.iter();
    ops.map(|op| op.requests as f32 + op.bytes as f32 / BYTES)
        .sum()
}

/// Read or written, as opposed to given back.
fn moves(sample: &DiskSample) -> bool {
    sample.key.op == DiskOp::Read as u32 || sample.key.op == DiskOp::Write as u32
}
