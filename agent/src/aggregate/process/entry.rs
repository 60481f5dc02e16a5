//! One process: its last counters, and what a new set of records of it adds.

use std::sync::Arc;

use hostlens_ebpf::wire::{TaskCounters, TaskFlags, TaskRecord, UNKNOWN_U32};

use super::{
    counts::{Counts, Known},
    cpu::CpuTime,
    jobs::Session,
};
use crate::{
    aggregate::group::GroupId,
    collect::cgroup::CgroupId,
    model::{ExitReason, Memory, ProcessRates},
};

const SIGKILL: u32 = libc::SIGKILL.cast_unsigned();
/// Stands for the time of a reading where every record brings its own.
const FROM_RECORD: u64 = u64::MAX;

/// What records add to the counters of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub cpu: CpuTime,
    pub counts: Counts,
    pub known: Known,
}

/// Where a process belongs.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub group: GroupId,
    pub service: Arc<str>,
}

impl Change {
    /// As rates over `seconds`; none without any time.
    pub fn rates(&self, seconds: f64) -> ProcessRates {
        let per_second = |amount: u64| match seconds {
            seconds if seconds > 0.0 => amount as f64 / seconds,
            _ => 0.0,
        };
        ProcessRates {
            // Told by another source, once groups are made.
            swap: None,
            cpu: per_second(self.cpu.total()) / 1e9,
            read_bytes: per_second(self.counts.read_bytes),
            write_bytes: per_second(self.counts.write_bytes),
            major_faults: per_second(self.counts.major_faults),
            run_delay: per_second(self.counts.run_delay_ns) / 1e9,
            block_delay: per_second(self.counts.block_delay_ns) / 1e9,
        }
    }
}

/// A living process.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The last record's.
    pub ppid: u32,
    pub uid: u32,
    pub exec_id: u32,
    /// [`crate::collect::Names::version`] of its name.
    pub named: u32,
    pub threads: u32,
    pub netns: u32,
    pub flags: u32,
    pub fd_limit: u64,
    pub open_fds: Option<u64>,
    rss: [i64; 4],
    pub cgroup: CgroupId,
    /// Container or unit, told apart or not.
    pub service: Arc<str>,
    /// Its group.
    pub group: GroupId,
    /// Cycle of the last record.
    pub seen: u32,
    /// Complete walks in a row without it.
    pub missed: u8,
    /// Its counters are not known yet; whether all of them count once they are.
    pub fresh: Option<bool>,
    /// Counters of the leader and of threads that ended, in this cycle.
    own: TaskCounters,
    /// Absolute counters booked so far or there before we came.
    booked: TaskCounters,
    /// Of what it read, what came from swap and is yet to be left out.
    from_swap: u64,
    cpu: CpuTime,
    pub memory: Option<Memory>,
    /// `CLOCK_MONOTONIC` ns of the last attempt to read its memory; 0: none yet; or
    /// [`FROM_RECORD`].
    pub memory_read_ns: u64,
    /// Changes when its memory may have.
    mark: u64,
    mark_read: u64,
    pub rates: ProcessRates,
    pub session: Session,
}

/// Why a process ended, from the wait status and flags of its final record. A victim of the
/// out-of-memory killer that was leaving by itself already is not one of its kills.
pub(super) fn exit_reason(record: &TaskRecord) -> ExitReason {
    let oom = record.flags & TaskFlags::OOM_VICTIM != 0;
    match (record.exit_code & 0x7f, record.exit_code >> 8 & 0xff) {
        (0, 0) => ExitReason::Success,
        (0, _) => ExitReason::Failure,
        (SIGKILL, _) if oom => ExitReason::Oom,
        (signal, _) => ExitReason::Signal(signal as u8),
    }
}

/// `now` − `before`, and `before` becomes the larger: counters that fell a little behind, as when
/// a thread ends while the walk passes, are caught up with, never booked back.
fn advance(before: &mut TaskCounters, now: &TaskCounters) -> TaskCounters {
    let mut delta = [0; TaskCounters::COUNT];
    let mut reached = before.array();
    for ((delta, reached), now) in delta.iter_mut().zip(&mut reached).zip(now.array()) {
        *delta = now.saturating_sub(*reached);
        *reached += *delta;
    }
    *before = TaskCounters::from_array(reached);
    TaskCounters::from_array(delta)
}

impl Entry {
    /// A process seen for the first time. All its counters count if it is `newborn`, otherwise
    /// the first complete set is a baseline.
    pub fn new(record: &TaskRecord, newborn: bool, place: Place, cycle: u32) -> Self {
        Self {
            ppid: record.ppid,
            uid: record.uid,
            exec_id: record.exec_id,
            named: 0,
            threads: record.threads,
            netns: record.netns,
            flags: record.flags,
            fd_limit: record.fd_limit,
            open_fds: None,
            rss: record.rss,
            cgroup: CgroupId::of(record),
            service: place.service,
            group: place.group,
            seen: cycle,
            missed: 0,
            fresh: Some(newborn),
            own: TaskCounters::default(),
            booked: TaskCounters::default(),
            from_swap: 0,
            cpu: CpuTime::default(),
            memory: None,
            memory_read_ns: 0,
            mark: 0,
            mark_read: 0,
            rates: ProcessRates::default(),
            session: Session::default(),
        }
    }

    /// Takes a record of a walk; its counters are complete only with those of its threads.
    pub fn observe(&mut self, record: &TaskRecord, cycle: u32, page_size: Option<u64>) {
        self.own = record.counters;
        self.ppid = record.ppid;
        self.threads = record.threads;
        self.netns = record.netns;
        self.flags = record.flags;
        self.fd_limit = record.fd_limit;
        self.rss = record.rss;
        if record.open_fds != UNKNOWN_U32 {
            self.open_fds = Some(u64::from(record.open_fds));
        }
        if record.flags & TaskFlags::HAS_MM == 0 {
            self.memory = None;
        } else if let (true, Some(page_size)) =
            (record.flags & TaskFlags::RSS_EXACT != 0, page_size)
        {
            self.memory_read_ns = FROM_RECORD;
            let [file, anon, swap, shmem] = record
                .rss
                .map(|pages| pages.max(0).unsigned_abs().saturating_mul(page_size));
            self.memory = Some(Memory {
                anon,
                file,
                shmem,
                swap,
            });
        }
        self.seen = cycle;
        self.missed = 0;
    }

    /// The walk is over: what this process did since the last, `threads` included. `complete`:
    /// none of its records can be missing.
    pub fn join(&mut self, threads: Option<&TaskCounters>, complete: bool) -> Change {
        let mut sum = self.own;
        if let Some(threads) = threads {
            sum += *threads;
        }
        if self.fresh == Some(false) && !complete {
            return Change::default();
        }
        self.reach(&sum)
    }

    /// Takes the final record.
    pub fn finish(&mut self, record: &TaskRecord) -> Change {
        self.flags |= record.flags;
        self.reach(&record.counters)
    }

    fn reach(&mut self, sum: &TaskCounters) -> Change {
        let before = self.cpu;
        let mut counts = Counts::from(advance(&mut self.booked, sum));
        let from_swap = counts.read_bytes.min(self.from_swap);
        counts.read_bytes -= from_swap;
        self.from_swap -= from_swap;
        let booked = &self.booked;
        self.cpu
            .advance(booked.runtime_ns, booked.utime_ns, booked.stime_ns);
        self.mark = [booked.runtime_ns, booked.minor_faults, booked.major_faults]
            .into_iter()
            .chain(self.rss.map(i64::cast_unsigned))
            .fold(0, |mark: u64, part| {
                mark.rotate_left(9).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ part
            });
        // A series of the group begins with its first member, not with its first increment.
        let known = Known::of(self.flags);
        match self.fresh.take() {
            Some(false) => {
                // The baseline holds it.
                self.from_swap = 0;
                Change {
                    known,
                    ..Change::default()
                }
            }
            fresh => {
                let cpu = self.cpu.since(before);
                let idle = fresh.is_none() && cpu.total() == 0 && counts == Counts::default();
                Change {
                    cpu,
                    counts,
                    known: if idle { Known::default() } else { known },
                }
            }
        }
    }

    /// So much of what it reads comes from swap.
    pub fn swapped_in(&mut self, bytes: u64) {
        self.from_swap += bytes;
    }

    /// CPU time since it started, ns.
    pub fn cpu_ns(&self) -> u64 {
        self.booked.runtime_ns
    }

    /// Last known absolute counters.
    pub fn booked(&self) -> &TaskCounters {
        &self.booked
    }

    /// Has an address space whose size only `/proc` can tell.
    pub fn needs_memory(&self) -> bool {
        const NONE: u32 = TaskFlags::KERNEL_THREAD | TaskFlags::ZOMBIE;
        self.flags & TaskFlags::HAS_MM != 0
            && self.flags & NONE == 0
            && self.memory_read_ns != FROM_RECORD
    }

    /// Whether its memory may differ from what was read last.
    pub fn memory_changed(&self) -> bool {
        self.memory_read_ns == 0 || self.mark != self.mark_read
    }

    /// Notes the result of an attempt to read its memory.
    pub fn set_memory(&mut self, memory: Option<Memory>, now_ns: u64) {
        self.memory = memory;
        self.memory_read_ns = now_ns.max(1);
        self.mark_read = self.mark;
    }
}
