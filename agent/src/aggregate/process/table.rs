//! All living processes and their groups.

use std::sync::Arc;

use hostlens_ebpf::wire::{
    TaskCounters, TaskKind, TaskRecord, TaskTotals, ThreadRecord, UNKNOWN_U32,
};
use rustc_hash::FxHashMap;

use super::{
    ProcessCaps, ProcessConfig,
    account::{ProcessAccount, ProcessCycle, ProcessKey},
    counts::Known,
    cpu::CpuTime,
    entry::{Change, Entry, Place, exit_reason},
    jobs::EndedJobs,
    owners::Bearers,
};
use crate::{
    aggregate::{
        WalkOutcome, ended::Ended, group::Groups, horizon::Horizon, overflow::Overflow, shrink,
    },
    clock::Moment,
    collect::{Names, ProcessSink, cgroup::CgroupId},
    model::{ExitReason, Lost, ProcessId, ProcessRates},
};

/// Complete walks without an identity after which it has gone.
const GONE: u8 = 2;
/// Memory that weighs as much as one millisecond of CPU time per second, bytes.
const HELD: f32 = 16.0 * 1024.0 * 1024.0;

/// Counters of final records that found no room: processes, then what they did.
const OVERFLOW: usize = 1 + TaskCounters::COUNT;

fn overflow(processes: u64, counters: &TaskCounters) -> [u64; OVERFLOW] {
    let mut values = [processes; OVERFLOW];
    let [_, rest @ ..] = &mut values;
    *rest = counters.array();
    values
}

/// Turns process records into counters of groups by name, user and service. Records may come at
/// any time; `begin` and `finish` frame a walk over all tasks.
#[derive(Debug)]
pub struct ProcessTable {
    pub(super) config: ProcessConfig,
    page_size: Option<u64>,
    no_service: Arc<str>,
    /// Boxed: a map holds room for twice as many.
    pub(super) entries: FxHashMap<ProcessId, Box<Entry>>,
    pub(super) groups: Groups<ProcessKey, ProcessAccount>,
    /// Counters of living threads in this walk, by process.
    threads: FxHashMap<u32, TaskCounters>,
    pub(super) fds_unknown: Vec<ProcessId>,
    ended: Ended<ProcessId>,
    pub(super) ended_jobs: EndedJobs,
    pub(super) bearers: Bearers,
    overflow: Overflow<OVERFLOW>,
    lost_finals: u64,
    cpu_ns: u64,
    pub(super) caps: ProcessCaps,
    cycle: u32,
    began: Option<Moment>,
    /// Processes started later are known not to have been there before: start of the last
    /// complete walk but one (`CLOCK_BOOTTIME` ns), at first of the first walk.
    horizon: Horizon,
    pub(super) now: Option<Moment>,
    pub(super) seconds: f64,
    /// Seconds since the epoch at which the clock of process starts was 0.
    pub(super) boot_seconds: f64,
}

/// What a change weighs: one for a millisecond of CPU time, a MiB of disk traffic, or a start.
fn activity(change: &Change) -> f32 {
    let disk = change.counts.read_bytes + change.counts.write_bytes;
    change.cpu.total() as f32 / 1e6 + disk as f32 / 1_048_576.0
}

impl ProcessTable {
    /// An empty table.
    pub fn new(config: ProcessConfig) -> Self {
        Self {
            groups: Groups::new(config.budget, config.retention),
            config,
            page_size: None,
            no_service: "".into(),
            entries: FxHashMap::default(),
            threads: FxHashMap::default(),
            fds_unknown: Vec::new(),
            ended: Ended::default(),
            ended_jobs: EndedJobs::default(),
            bearers: Bearers::default(),
            overflow: Overflow::default(),
            lost_finals: 0,
            cpu_ns: 0,
            caps: ProcessCaps::default(),
            cycle: 0,
            began: None,
            horizon: Horizon::default(),
            now: None,
            seconds: 0.0,
            boot_seconds: 0.0,
        }
    }

    /// With the size of a page, in bytes, memory is taken from records that hold exact page
    /// counts; without, it is wanted from `/proc` for these processes too.
    pub fn with_page_size(mut self, bytes: u64) -> Self {
        self.page_size = Some(bytes);
        self
    }

    /// A walk over all tasks begins.
    pub fn begin(&mut self, at: Moment) {
        match self.began {
            None => self.horizon.start(at.boot_ns),
            Some(before) => self.seconds = at.since(before).as_secs_f64(),
        }
        let boot = at
            .wall
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0.0, |wall| wall.as_secs_f64() - at.boot_ns as f64 / 1e9);
        // Two clocks read one after the other jitter; only a step of the wall clock counts.
        if (boot - self.boot_seconds).abs() > 1.0 {
            self.boot_seconds = boot;
        }
        self.began = Some(at);
        self.cycle = self.cycle.wrapping_add(1);
        self.threads.clear();
        self.fds_unknown.clear();
    }

    /// The walk is over.
    pub fn finish(&mut self, at: Moment, outcome: WalkOutcome, caps: ProcessCaps) {
        self.now = Some(at);
        self.caps = caps;
        let mut gone = Vec::new();
        for (&id, entry) in &mut self.entries {
            if entry.seen != self.cycle {
                entry.missed += u8::from(outcome.complete);
                entry.rates = ProcessRates::default();
                if entry.missed >= GONE {
                    gone.push(id);
                }
            } else {
                let change = entry.join(self.threads.get(&id.tgid), outcome.complete);
                entry.rates = change.rates(self.seconds);
                if change != Change::default() {
                    self.cpu_ns += change.cpu.total();
                    self.groups
                        .cycle(entry.group, activity(&change))
                        .add(&change);
                }
            }
            if let Some(memory) = entry.memory {
                let held = (memory.anon + memory.swap) as f32 / HELD;
                self.groups.hold(entry.group, held);
            }
        }
        for id in gone {
            self.vanish(id);
        }
        if outcome.complete {
            self.settle_overflow();
            self.horizon.walked(self.began.unwrap_or(at).boot_ns);
        }
        self.ended.age();
        self.bearers.age(at.mono_ns);
        shrink(&mut self.entries);
        shrink(&mut self.threads);
    }

    /// When the last walk over all tasks began.
    pub(super) fn walk_began(&self) -> Option<Moment> {
        self.began
    }

    /// CPU time booked so far, ns: named groups, `other` and what is gone.
    pub fn cpu_total_ns(&self) -> u64 {
        self.cpu_ns
    }

    /// Final records that were lost so far; their counters are booked to `other`.
    pub fn lost_detail(&self) -> Vec<Lost> {
        vec![Lost {
            what: "process_final",
            count: self.lost_finals,
        }]
    }

    /// Living processes.
    pub fn tracked(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Joins the group of a process; `service` is asked for unless it is known.
    fn join_group(
        &mut self,
        record: &TaskRecord,
        service: Option<Arc<str>>,
        names: &mut dyn Names,
    ) -> Place {
        let service = service.unwrap_or_else(|| names.service(record));
        let shown = if self.config.service_label {
            &service
        } else {
            &self.no_service
        };
        let group = self.groups.join(ProcessKey {
            process: names.process(record),
            user: names.user(record.uid),
            service: Arc::clone(shown),
        });
        Place { group, service }
    }

    /// Takes up a process seen for the first time.
    fn admit(&mut self, id: ProcessId, record: &TaskRecord, names: &mut dyn Names) {
        let newborn = self.horizon.is_newborn(id.start_ns);
        let place = self.join_group(record, None, names);
        if newborn {
            self.groups.cycle(place.group, 1.0).started += 1;
        }
        let mut entry = Entry::new(record, newborn, place, self.cycle);
        entry.named = names.version(record);
        self.entries.insert(id, Box::new(entry));
    }

    /// Moves a process whose name, user or service may have changed; what it did before stays
    /// where it is. One that has ended keeps the name it lived under, unless it became another
    /// since.
    fn regroup(&mut self, id: ProcessId, record: &TaskRecord, names: &mut dyn Names) {
        let Some(entry) = self.entries.get(&id) else {
            return;
        };
        let named = names.version(record);
        let same_name = entry.named == named || record.kind != TaskKind::Process as u32;
        let same = (entry.exec_id, entry.uid) == (record.exec_id, record.uid);
        let cgroup = CgroupId::of(record);
        let moved = entry.cgroup != cgroup;
        if !moved && same && same_name {
            return;
        }
        // Of one that ended the id alone is left, which tells less than its paths did.
        let ended = record.kind == TaskKind::Final as u32;
        let service = (ended && !moved).then(|| Arc::clone(&entry.service));
        let former = entry.group;
        let place = self.join_group(record, service, names);
        self.groups.leave(former);
        if let Some(entry) = self.entries.get_mut(&id) {
            self.groups.cycle(place.group, 0.0).known |= Known::of(entry.flags);
            entry.group = place.group;
            entry.service = place.service;
            entry.cgroup = cgroup;
            entry.exec_id = record.exec_id;
            entry.uid = record.uid;
            entry.named = named;
        }
    }

    fn live(&mut self, id: ProcessId, record: &TaskRecord, names: &mut dyn Names) {
        if self.entries.contains_key(&id) {
            self.regroup(id, record, names);
        } else if self.ended.contains(&id) {
            return;
        } else {
            self.admit(id, record, names);
            self.bearers.born(id);
        }
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.observe(record, self.cycle, self.page_size);
        }
        if record.open_fds == UNKNOWN_U32 {
            self.fds_unknown.push(id);
        }
    }

    fn end(&mut self, id: ProcessId, record: &TaskRecord, names: &mut dyn Names) {
        if !self.ended.insert(id) {
            return;
        }
        if !self.entries.contains_key(&id) {
            self.admit(id, record, names);
        }
        self.regroup(id, record, names);
        self.bearers.ended(id, self.owner_of(id));
        let Some(mut entry) = self.entries.remove(&id) else {
            return;
        };
        let change = entry.finish(record);
        self.note_end(&entry, &change);
        self.cpu_ns += change.cpu.total();
        let cycle = self.groups.cycle(entry.group, activity(&change));
        cycle.add(&change);
        cycle.exit(exit_reason(record), 1);
        self.groups.leave(entry.group);
    }

    /// Drops a process that has gone without a final record.
    fn vanish(&mut self, id: ProcessId) {
        self.bearers.ended(id, self.owner_of(id));
        let Some(entry) = self.entries.remove(&id) else {
            return;
        };
        if self.caps.ends {
            self.overflow.vanished(overflow(1, entry.booked()));
            let cycle = self.groups.cycle(entry.group, 0.0);
            cycle.exit(ExitReason::Other, 1);
        }
        self.groups.leave(entry.group);
    }

    fn settle_overflow(&mut self) {
        let Some([processes, counters @ ..]) = self.overflow.settle() else {
            return;
        };
        let counters = TaskCounters::from_array(counters);
        let mut cpu = CpuTime::default();
        cpu.advance(counters.runtime_ns, counters.utime_ns, counters.stime_ns);
        self.cpu_ns += counters.runtime_ns;
        let cycle: &mut ProcessCycle = self.groups.other_cycle();
        cycle.add(&Change {
            cpu,
            counts: counters.into(),
            known: Known::default(),
        });
        if processes > 0 {
            // No walk has seen them, so they started since.
            cycle.started += processes;
            cycle.exit(ExitReason::Other, processes);
        }
    }
}

impl ProcessSink for ProcessTable {
    fn process(&mut self, record: &TaskRecord, names: &mut dyn Names) {
        const PROCESS: u32 = TaskKind::Process as u32;
        const FINAL: u32 = TaskKind::Final as u32;
        let id = ProcessId {
            tgid: record.tgid,
            start_ns: record.start_ns,
        };
        match record.kind {
            PROCESS => self.live(id, record, names),
            FINAL => self.end(id, record, names),
            _ => (),
        }
    }

    fn thread(&mut self, record: &ThreadRecord) {
        *self.threads.entry(record.tgid).or_default() += record.counters;
    }

    fn lost(&mut self, totals: &TaskTotals) {
        self.lost_finals = totals.processes;
        self.overflow
            .report(overflow(totals.processes, &totals.counters));
    }
}
