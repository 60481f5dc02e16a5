//! Processes from `/proc`: the source that needs no BPF. It sees who lives at the time of a walk,
//! and nothing of what lived and died in between.

use std::{io, path::Path};

use hostlens_ebpf::wire::{TaskFlags, TaskKind, TaskRecord, UNKNOWN_U32};
use procfs::{
    FromRead,
    process::{LimitValue, Limits},
};
use rustc_hash::FxHashMap;

use super::{
    fds,
    procfs_stat::{Stat, parse_io, parse_schedstat, parse_stat},
};
use crate::collect::{
    Names, ProcessSink,
    proc_file::{self, ProcReader, is_denied, is_gone},
};

/// `PF_KTHREAD` of `include/linux/sched.h`.
const PF_KTHREAD: u32 = 0x0020_0000;

/// Walks between two looks at the limits of one process; hardly any process changes its own.
const LIMITS_EVERY: u64 = 16;

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
    start: u64,
    exec_id: u32,
    fd_limit: u64,
    seen: u64,
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
        // Since 2.1 the owner of the folder itself is the effective user, also where its files
        // belong to root because the process must not be traced (`task_dump_owner`).
        let uid = std::os::unix::fs::MetadataExt::uid(&self.proc.metadata(pid, "")?);
        let mut record = self.from_stat(pid, &stat);
        record.uid = uid;
        // The tick counters are exact to 10 ms; this one to 1 ns, but of the leading thread alone.
        // Both never exceed the truth and never go down, so neither does the larger one.
        if let Some(runtime) = self
            .proc
            .read_once(pid, "schedstat")
            .ok()
            .and_then(parse_schedstat)
        {
            record.runtime_ns = record.runtime_ns.max(runtime);
        }
        let fresh = self.remember(pid, &stat, &mut record);
        if record.flags & TaskFlags::HAS_MM == 0 {
            // Kernel threads and zombies have no descriptors and do no I/O of a user.
            record.open_fds = 0;
            return Ok(record);
        }
        if fresh || (self.walk + u64::from(pid)).is_multiple_of(LIMITS_EVERY) {
            self.read_limit(pid, &mut record);
        }
        outcome.user_processes += 1;
        self.read_guarded(pid, &mut record, outcome)?;
        Ok(record)
    }

    fn from_stat(&self, pid: u32, stat: &Stat) -> TaskRecord {
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
        let utime_ns = stat.utime.saturating_mul(self.tick_ns);
        let stime_ns = stat.stime.saturating_mul(self.tick_ns);
        TaskRecord {
            kind: TaskKind::Process as u32,
            tgid: pid,
            start_ns: stat.start.saturating_mul(self.tick_ns),
            runtime_ns: utime_ns.saturating_add(stime_ns),
            utime_ns,
            stime_ns,
            minor_faults: stat.minor_faults,
            major_faults: stat.major_faults,
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

    /// Takes over what the last walk knew of the same process; true if there was none.
    fn remember(&mut self, pid: u32, stat: &Stat, record: &mut TaskRecord) -> bool {
        let known = self
            .known
            .get(&pid)
            .filter(|known| known.start == stat.start);
        let fresh = known.is_none();
        if let Some(known) = known {
            record.fd_limit = known.fd_limit;
            if stat.start_stack == 0 {
                // Its address space is gone: it is ending, which is no execve.
                record.exec_id = known.exec_id;
            }
        }
        self.known.insert(
            pid,
            Known {
                start: stat.start,
                exec_id: record.exec_id,
                fd_limit: record.fd_limit,
                seen: self.walk,
            },
        );
        fresh
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
        if let Some(known) = self.known.get_mut(&pid) {
            known.fd_limit = record.fd_limit;
        }
    }

    /// Reads what the kernel only shows to the same user or to CAP_SYS_PTRACE. Fails if the
    /// process is gone.
    fn read_guarded(
        &mut self,
        pid: u32,
        record: &mut TaskRecord,
        outcome: &mut ProcfsOutcome,
    ) -> io::Result<()> {
        match self.proc.read_once(pid, "io").map(parse_io) {
            Ok(Some((read, written))) => {
                record.read_bytes = read;
                record.write_bytes = written;
            }
            // Denied, or a kernel without CONFIG_TASK_IO_ACCOUNTING, which has no such file.
            Ok(None) | Err(_) => outcome.io_unreadable += 1,
        }
        match fds::count(&mut self.proc, pid) {
            Ok(open) => record.open_fds = open,
            Err(error) if is_denied(&error) => outcome.fds_unreadable += 1,
            Err(error) => return Err(error),
        }
        match self.proc.metadata(pid, "ns/net") {
            Ok(metadata) => {
                let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
                record.netns = u32::try_from(inode).unwrap_or(0);
            }
            Err(error) if is_denied(&error) => outcome.netns_unreadable += 1,
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
