//! Processes from `/proc`: the source that needs no BPF. It sees who lives at the time of a walk,
//! and nothing of what lived and died in between.

use std::{io, os::unix::fs::MetadataExt, path::Path};

use hostlens_ebpf::wire::{TaskCounters, TaskFlags, TaskKind, TaskRecord, UNKNOWN_U32};
use procfs::{
    FromRead,
    process::{LimitValue, Limits},
};
use rustc_hash::FxHashMap;

use super::{
    fds,
    procfs_stat::{Schedstat, Stat, parse_io, parse_schedstat, parse_stat},
};
use crate::collect::{
    Names, ProcessSink,
    proc_file::{self, ProcReader, is_denied, is_gone},
};

/// `PF_KTHREAD` of `include/linux/sched.h`.
const PF_KTHREAD: u32 = 0x0020_0000;

/// Walks between two closer looks at one process: at its limits, which hardly any changes, and at
/// all the rest even if it has not run.
const CLOSER_EVERY: u64 = 16;

/// What one walk did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcfsOutcome {
    /// Every process was read: one that was not seen has ended.
    pub complete: bool,
    /// Processes handed on.
    pub processes: u64,
    /// Processes that died while they were read.
    pub died: u64,
    /// Processes whose `stat` was not readable or made no sense.
    pub failed: u64,
    /// Processes whose disk I/O was not for us to read; their records say 0.
    pub io_unreadable: u64,
    /// Processes whose descriptors were not for us to read; their records say so.
    pub fds_unreadable: u64,
    /// Processes whose network namespace was not for us to read; their records say so.
    pub netns_unreadable: u64,
    /// Processes that could have any of these: neither kernel threads nor zombies.
    pub user_processes: u64,
}

/// What records of the last walk mean; the fields not listed always hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcfsCaps {
    /// `read_bytes` and `write_bytes`. Not without the privilege to read those of other users
    /// (CAP_SYS_PTRACE): their sums would lack most of the host. A rare process that no one may
    /// read (the first one of a hardened host) does not spoil the rest.
    pub disk: bool,
    /// `open_fds`, for the same reason.
    pub open_fds: bool,
    /// `netns`, for the same reason: else there may be namespaces that are not known.
    pub netns: bool,
    /// `voluntary` and `involuntary`: never, `/proc` has them per thread only and forgets those of
    /// threads that ended.
    pub context_switches: bool,
    /// Final records: never.
    pub ends: bool,
}

impl ProcfsOutcome {
    /// What the records of this walk mean.
    pub fn caps(&self) -> ProcfsCaps {
        let most = |unreadable: u64| unreadable <= 1 + self.user_processes / 100;
        ProcfsCaps {
            disk: most(self.io_unreadable) && self.user_processes > self.io_unreadable,
            open_fds: most(self.fds_unreadable) && self.user_processes > self.fds_unreadable,
            netns: most(self.netns_unreadable),
            context_switches: false,
            ends: false,
        }
    }
}

/// Walks over all processes.
pub struct ProcfsCollector {
    proc: ProcReader,
    known: FxHashMap<u32, Known>,
    walk: u64,
    tick_ns: u64,
}

/// What is kept of a process from walk to walk.
#[derive(Clone, Copy)]
struct Known {
    stat: Stat,
    /// Of the leading thread; `None` where the kernel does not tell.
    sched: Option<Schedstat>,
    record: TaskRecord,
    hidden: Hidden,
    seen: u64,
}

/// What was not for us to read of a process.
#[derive(Clone, Copy, Default)]
struct Hidden {
    io: bool,
    fds: bool,
    netns: bool,
}

impl Default for ProcfsCollector {
    fn default() -> Self {
        Self::new(&proc_file::proc_root())
    }
}

impl ProcfsCollector {
    /// Walks over the processes below `proc`.
    pub fn new(proc: &Path) -> Self {
        Self {
            proc: ProcReader::new(proc),
            known: FxHashMap::default(),
            walk: 0,
            tick_ns: 1_000_000_000 / procfs::ticks_per_second().max(1),
        }
    }

    /// Hands every process to `sink`. Fails if `/proc` cannot be listed.
    pub fn collect(
        &mut self,
        sink: &mut dyn ProcessSink,
        names: &mut dyn Names,
    ) -> io::Result<ProcfsOutcome> {
        let mut outcome = ProcfsOutcome::default();
        self.walk += 1;
        for pid in proc_file::pids(self.proc.root())? {
            match self.read(pid, &mut outcome) {
                Ok(record) => {
                    outcome.processes += 1;
                    sink.process(&record, names);
                }
                Err(error) if is_gone(&error) => outcome.died += 1,
                Err(_) => outcome.failed += 1,
            }
        }
        let walk = self.walk;
        self.known.retain(|_, known| known.seen == walk);
        outcome.complete = outcome.failed == 0;
        Ok(outcome)
    }

    fn read(&mut self, pid: u32, outcome: &mut ProcfsOutcome) -> io::Result<TaskRecord> {
        let stat = parse_stat(self.proc.read_once(pid, "stat")?)
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        let sched = self
            .proc
            .read_once(pid, "schedstat")
            .ok()
            .and_then(parse_schedstat);
        let known = self
            .known
            .get(&pid)
            .filter(|known| known.stat.start == stat.start)
            .copied();
        let look_closer = (self.walk + u64::from(pid)).is_multiple_of(CLOSER_EVERY);
        let (record, hidden) = match known {
            // A single thread that has not run since has not done I/O either, nor opened
            // anything, nor changed its user. Most processes of a host are like that.
            Some(known)
                if known.stat == stat
                    && sched.is_some()
                    && known.sched == sched
                    && stat.threads <= 1
                    && !look_closer =>
            {
                (known.record, known.hidden)
            }
            known => self.read_anew(pid, &stat, sched, known, look_closer)?,
        };
        if record.flags & TaskFlags::HAS_MM != 0 {
            outcome.user_processes += 1;
            outcome.io_unreadable += u64::from(hidden.io);
            outcome.fds_unreadable += u64::from(hidden.fds);
            outcome.netns_unreadable += u64::from(hidden.netns);
        }
        self.known.insert(
            pid,
            Known {
                stat,
                sched,
                record,
                hidden,
                seen: self.walk,
            },
        );
        Ok(record)
    }

    fn read_anew(
        &mut self,
        pid: u32,
        stat: &Stat,
        sched: Option<Schedstat>,
        known: Option<Known>,
        look_closer: bool,
    ) -> io::Result<(TaskRecord, Hidden)> {
        let mut record = self.record_of(pid, stat);
        // The owner of the folder itself is the effective user, also where its files belong to
        // root because the process must not be traced (`task_dump_owner`).
        record.uid = self.proc.metadata(pid, "")?.uid();
        // The tick counters are exact to 10 ms; this one to 1 ns, but of the leading thread alone.
        // Both never exceed the truth and never go down, so neither does the larger one.
        if let Some(sched) = sched {
            let counters = &mut record.counters;
            counters.runtime_ns = counters.runtime_ns.max(sched.ran_ns);
            // Delays are of the leading thread alone: that is no measure of a process of several.
            if stat.threads <= 1 {
                counters.run_delay_ns = sched.run_delay_ns;
                record.flags |= TaskFlags::RUN_DELAY;
            }
        }
        if let Some(known) = known {
            record.fd_limit = known.record.fd_limit;
            if stat.start_stack == 0 {
                // Its address space is gone: it is ending, which is no execve.
                record.exec_id = known.record.exec_id;
            }
        }
        let mut hidden = Hidden::default();
        if record.flags & TaskFlags::HAS_MM == 0 {
            // Kernel threads and zombies have no descriptors and do no I/O of a user.
            record.open_fds = 0;
            return Ok((record, hidden));
        }
        if known.is_none() || look_closer {
            self.read_limit(pid, &mut record);
        }
        self.read_guarded(pid, &mut record, &mut hidden)?;
        Ok((record, hidden))
    }

    fn record_of(&self, pid: u32, stat: &Stat) -> TaskRecord {
        let kernel = stat.flags & PF_KTHREAD != 0;
        let zombie = matches!(stat.state, b'Z' | b'X');
        let mut flags = 0;
        if kernel {
            flags |= TaskFlags::KERNEL_THREAD;
        }
        if zombie {
            flags |= TaskFlags::ZOMBIE;
        }
        if !kernel && !zombie {
            flags |= TaskFlags::HAS_MM;
        }
        let block_delay_ns = stat.block_delay.saturating_mul(self.tick_ns);
        // 0 may mean that nobody counts.
        if block_delay_ns > 0 && stat.threads <= 1 {
            flags |= TaskFlags::BLOCK_DELAY;
        }
        let utime_ns = stat.utime.saturating_mul(self.tick_ns);
        let stime_ns = stat.stime.saturating_mul(self.tick_ns);
        TaskRecord {
            kind: TaskKind::Process as u32,
            tgid: pid,
            start_ns: stat.start.saturating_mul(self.tick_ns),
            counters: TaskCounters {
                runtime_ns: utime_ns.saturating_add(stime_ns),
                utime_ns,
                stime_ns,
                minor_faults: stat.minor_faults,
                major_faults: stat.major_faults,
                block_delay_ns,
                ..TaskCounters::default()
            },
            // One sum stands for the split: a hint that memory changed, no more.
            rss: [0, i64::try_from(stat.rss).unwrap_or(i64::MAX), 0, 0],
            fd_limit: u64::MAX,
            ppid: stat.ppid,
            exec_id: exec_hint(stat),
            threads: stat.threads,
            open_fds: UNKNOWN_U32,
            flags,
            comm: stat.comm,
            ..TaskRecord::default()
        }
    }

    /// Reads the descriptor limit, which anybody may. Stays "unlimited" if that fails.
    fn read_limit(&mut self, pid: u32, record: &mut TaskRecord) {
        let Some(limits) = self
            .proc
            .read_once(pid, "limits")
            .ok()
            .and_then(|text| Limits::from_read(text).ok())
        else {
            return;
        };
        record.fd_limit = match limits.max_open_files.soft_limit {
            LimitValue::Value(limit) => limit,
            LimitValue::Unlimited => u64::MAX,
        };
    }

    /// Reads what the kernel only shows to the same user or to CAP_SYS_PTRACE. Fails if the
    /// process is gone.
    fn read_guarded(
        &mut self,
        pid: u32,
        record: &mut TaskRecord,
        hidden: &mut Hidden,
    ) -> io::Result<()> {
        match self.proc.read_once(pid, "io").map(parse_io) {
            Ok(Some((read, written))) => {
                record.counters.read_bytes = read;
                record.counters.write_bytes = written;
            }
            // Denied, or a kernel without CONFIG_TASK_IO_ACCOUNTING, which has no such file.
            Ok(None) | Err(_) => hidden.io = true,
        }
        match fds::count(&mut self.proc, pid) {
            Ok(open) => record.open_fds = open,
            Err(error) if is_denied(&error) => hidden.fds = true,
            Err(error) => return Err(error),
        }
        match self.proc.metadata(pid, "ns/net") {
            Ok(metadata) => record.netns = u32::try_from(metadata.ino()).unwrap_or(0),
            Err(error) if is_denied(&error) => hidden.netns = true,
            // It has left its namespaces and is about to end.
            Err(_) => {}
        }
        Ok(())
    }
}

/// Stands for the count of execve calls, which `/proc` does not have: changes with the name, and
/// with the stack, whose address every execve draws by lot (unless address randomisation is off,
/// or the process is not ours to see). FNV-1a.
fn exec_hint(stat: &Stat) -> u32 {
    stat.comm
        .iter()
        .chain(&stat.start_stack.to_ne_bytes())
        .fold(0x811C_9DC5, |hash: u32, byte| {
            (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
        })
}

#[cfg(test)]
#[path = "procfs_tests.rs"]
mod tests;
