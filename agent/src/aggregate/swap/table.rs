//! All swap I/O and its groups.

use std::{cmp::Reverse, sync::Arc};

use rustc_hash::FxHashMap;

use super::{
    SwapConfig,
    account::{SwapAccount, SwapCycle},
};
use crate::{
    aggregate::{Owners, birth::View, group::Groups, shrink},
    clock::Moment,
    collect::swap::{SwapParty, SwapTransfer},
    model::{BirthGate, Budget, Owner, SwapKey, SwapMeasure, SwapNobody, SwapRates, SwapRow},
};

/// Complete cycles swap I/O waits for its owner to become known: one that lived briefly is known
/// once its final record came.
const PATIENCE: u8 = 2;
/// A MiB weighs one.
const WEIGHT: f32 = 1024.0 * 1024.0;

/// A process nobody has told of yet.
#[derive(Clone, Copy, Debug, Default)]
struct Waiting {
    sums: SwapCycle,
    cycles: u8,
}

fn nobody_in(kind: SwapNobody, service: Arc<str>) -> SwapKey {
    SwapKey::Nobody { kind, service }
}

/// Turns swap I/O of parties into counters of groups. Transfers may come at any time.
#[derive(Debug)]
pub struct SwapTable {
    groups: Groups<SwapKey, SwapAccount>,
    service_label: bool,
    details: bool,
    /// By process id and start. Bounded by the source, which tells of each party once a cycle.
    processes: FxHashMap<(u32, u64), Waiting>,
    /// Bytes written by cgroup.
    mapless: FxHashMap<u64, u64>,
    /// Rates over the last cycle by process id.
    single: FxHashMap<u32, SwapRates>,
    measure: SwapMeasure,
    began: Option<Moment>,
    seconds: f64,
}

impl SwapTable {
    /// An empty table for what is told by this measure.
    pub fn new(config: SwapConfig, measure: SwapMeasure) -> Self {
        Self {
            groups: Groups::new(config.budget, config.retention),
            service_label: config.service_label,
            details: config.details,
            single: FxHashMap::default(),
            processes: FxHashMap::default(),
            mapless: FxHashMap::default(),
            measure,
            began: None,
            seconds: 0.0,
        }
    }

    /// Takes what was moved for one party.
    pub fn transfer(&mut self, transfer: SwapTransfer) {
        let sums = SwapCycle {
            in_bytes: transfer.in_bytes,
            out_bytes: transfer.out_bytes,
        };
        let nobody = match transfer.party {
            SwapParty::Process { tgid, start_ns } => {
                let waiting = self.processes.entry((tgid, start_ns)).or_default();
                waiting.sums.add(sums);
                return;
            }
            SwapParty::Mapless { cgroup } => {
                *self.mapless.entry(cgroup).or_default() += sums.out_bytes;
                return;
            }
            SwapParty::Exited => SwapNobody::Exited,
            SwapParty::Ksm => SwapNobody::Ksm,
            SwapParty::Kernel => SwapNobody::Kernel,
        };
        self.book(nobody_in(nobody, Arc::default()), sums);
    }

    /// A cycle is over at `at`, all processes alive are known, and zswap wrote back so many bytes
    /// in it. `service` names a cgroup of the memory controller.
    pub fn finish(
        &mut self,
        at: Moment,
        zswap_bytes: u64,
        owners: &dyn Owners,
        service: &mut dyn FnMut(u64) -> Arc<str>,
    ) {
        self.seconds = self
            .began
            .map_or(0.0, |before| at.since(before).as_secs_f64());
        self.began = Some(at);
        self.single.clear();
        for ((tgid, start_ns), mut waiting) in std::mem::take(&mut self.processes) {
            waiting.cycles += 1;
            if self.details && self.seconds > 0.0 {
                let rates = SwapRates {
                    in_bytes: waiting.sums.in_bytes as f64 / self.seconds,
                    out_bytes: waiting.sums.out_bytes as f64 / self.seconds,
                };
                self.single.insert(tgid, rates);
            }
            match owners.owner(tgid, start_ns) {
                Some(owner) => self.book(SwapKey::Owner(owner), waiting.sums),
                None if waiting.cycles > PATIENCE => {
                    self.book(SwapKey::Owner(Owner::unknown()), waiting.sums);
                }
                None => {
                    self.processes.insert((tgid, start_ns), waiting);
                }
            }
        }
        shrink(&mut self.processes);
        self.tell_mapless(zswap_bytes, service);
    }

    /// Both kinds look alike where they are written; the kernel tells how much was zswap's. Taken
    /// from the cgroups that wrote most.
    fn tell_mapless(&mut self, mut zswap_bytes: u64, service: &mut dyn FnMut(u64) -> Arc<str>) {
        let mut cgroups: Vec<_> = self.mapless.drain().collect();
        cgroups.sort_unstable_by_key(|&(cgroup, bytes)| (Reverse(bytes), cgroup));
        for (cgroup, bytes) in cgroups {
            let zswap = bytes.min(zswap_bytes);
            zswap_bytes -= zswap;
            let written = |out_bytes| SwapCycle {
                in_bytes: 0,
                out_bytes,
            };
            let of = match self.service_label && bytes > zswap {
                true => service(cgroup),
                false => Arc::default(),
            };
            let writeback = nobody_in(SwapNobody::ZswapWriteback, Arc::default());
            self.book(writeback, written(zswap));
            self.book(nobody_in(SwapNobody::Shmem, of), written(bytes - zswap));
        }
    }

    /// Rates of single processes over the last cycle, by process id; empty unless details were
    /// asked for.
    pub fn single(&self) -> &FxHashMap<u32, SwapRates> {
        &self.single
    }

    fn book(&mut self, key: SwapKey, sums: SwapCycle) {
        if sums == SwapCycle::default() {
            return;
        }
        // A group has members only while pages are moved: nothing of it is a gauge.
        let group = self.groups.join(key);
        let weight = (sums.in_bytes + sums.out_bytes) as f32 / WEIGHT;
        self.groups.cycle(group, weight).add(sums);
        self.groups.leave(group);
    }

    /// The rows of the snapshot with this sequence: heaviest first, all folded groups last. To be
    /// called once after each `finish`: it also decides who keeps a name. Empty before the first.
    pub fn rows(&mut self, sequence: u64, gate: BirthGate) -> Vec<SwapRow> {
        let Some(now) = self.began else {
            return Vec::new();
        };
        self.groups.arrange(&View {
            sequence,
            gate,
            now,
            seconds: self.seconds,
            window_ns: 0,
        });
        // No number of a group is kept here.
        let _ = self.groups.compact();
        let rows = self.groups.rows().into_iter();
        rows.map(|view| SwapRow {
            key: view.key.cloned().unwrap_or(SwapKey::Folded),
            held: view.held,
            measure: self.measure,
            in_bytes: view.account.sums.in_bytes,
            out_bytes: view.account.sums.out_bytes,
            rates: view.account.rates,
        })
        .collect()
    }

    /// State of the budget.
    pub fn budgets(&self) -> Vec<Budget> {
        vec![self.groups.budget("swap")]
    }

    /// Label sets shown as 0 until scrapers have seen their birth.
    pub fn held(&self) -> u64 {
        self.groups.held()
    }
}
