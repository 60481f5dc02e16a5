//! From a process record to its names, with a memory.

use std::{path::Path, sync::Arc};

use hostlens_ebpf::wire::{EXEC_ARGS_BYTES, ExecRecord, TaskFlags, TaskKind, TaskRecord};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    names::{Named, by_args},
    procfs_stat::parse_stat,
    users::Users,
};
use crate::collect::{
    Names,
    cgroup::Cgroups,
    proc_file::{self, ProcReader},
};

/// Names remembered before the older half goes.
const MOST_NAMES: usize = 1 << 14;

/// Arguments of execve calls remembered before the older half goes.
const MOST_EXECS: usize = 1 << 12;

/// Bytes read of a command line at most; the class path of a large Java program has some 20 KiB.
const MOST_CMDLINE: usize = 64 << 10;

/// One execve of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct ExecId {
    tgid: u32,
    start_ns: u64,
    exec_id: u32,
}

/// A bounded map that forgets by halves: what was not used since the last change of generation
/// goes with it.
#[derive(Debug)]
struct Recent<V> {
    young: FxHashMap<ExecId, V>,
    old: FxHashMap<ExecId, V>,
    most: usize,
}

impl<V> Recent<V> {
    fn new(most: usize) -> Self {
        Self {
            young: FxHashMap::default(),
            old: FxHashMap::default(),
            most,
        }
    }

    fn insert(&mut self, key: ExecId, value: V) {
        if self.young.len() >= self.most / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    fn take(&mut self, key: &ExecId) -> Option<V> {
        self.young.remove(key).or_else(|| self.old.remove(key))
    }

    fn get(&self, key: &ExecId) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }
}

/// Names processes, users and services. Arguments of an interpreter come from its execve, if that was seen,
/// else from `/proc/PID/cmdline`; without either its own name must do.
#[derive(Debug)]
pub struct NameResolver {
    proc: ProcReader,
    tick_ns: u64,
    users: Users,
    names: Recent<Arc<str>>,
    execs: Recent<Box<[u8]>>,
    interned: FxHashSet<Arc<str>>,
    cgroups: Cgroups,
}

impl Default for NameResolver {
    fn default() -> Self {
        Self::new(&proc_file::proc_root(), Users::default())
    }
}

impl NameResolver {
    /// Looks up processes below `proc`.
    pub fn new(proc: &Path, users: Users) -> Self {
        Self {
            proc: ProcReader::new(proc),
            tick_ns: 1_000_000_000 / procfs::ticks_per_second().max(1),
            users,
            names: Recent::new(MOST_NAMES),
            execs: Recent::new(MOST_EXECS),
            interned: FxHashSet::default(),
            cgroups: Cgroups::below(proc),
        }
    }

    /// The containers and units of cgroups, asked for those of processes too.
    pub fn cgroups(&mut self) -> &mut Cgroups {
        &mut self.cgroups
    }

    /// The same, to be looked at only.
    pub fn known_cgroups(&self) -> &Cgroups {
        &self.cgroups
    }

    /// To be called once per cycle: takes up changes of the users' file and gives back names that
    /// nobody holds.
    pub fn begin_cycle(&mut self) {
        // Without the file, users are shown by number or as last known.
        let _ = self.users.refresh();
        if self.interned.len() > MOST_NAMES {
            self.interned.retain(|name| Arc::strong_count(name) > 1);
        }
    }

    /// Keeps the arguments of an execve until its process is to be named.
    pub fn remember(&mut self, exec: &ExecRecord) {
        let key = ExecId {
            tgid: exec.tgid,
            start_ns: exec.start_ns,
            exec_id: exec.exec_id,
        };
        let len = (exec.len as usize).min(EXEC_ARGS_BYTES);
        let args = exec.args.get(..len).unwrap_or_default();
        self.execs.insert(key, args.into());
    }

    fn resolve(&mut self, record: &TaskRecord, key: &ExecId) -> String {
        let kernel = record.flags & TaskFlags::KERNEL_THREAD != 0;
        let seen = self.execs.take(key);
        let by_comm = match by_args(&record.comm, seen.as_deref(), kernel) {
            Named::Whole(name) => return name,
            Named::Partial(name) => name,
        };
        let lives =
            record.kind == TaskKind::Process as u32 && record.flags & TaskFlags::ZOMBIE == 0;
        let cmdline = lives.then(|| self.cmdline(record)).flatten();
        match cmdline.map(|args| by_args(&record.comm, Some(&args), kernel)) {
            Some(Named::Whole(name)) => name,
            Some(Named::Partial(_)) | None => by_comm,
        }
    }

    /// The command line, if the process with this pid is still the one meant.
    fn cmdline(&mut self, record: &TaskRecord) -> Option<Vec<u8>> {
        let args = self.proc.read_up_to(record.tgid, "cmdline", MOST_CMDLINE);
        let args = args.ok()?.to_vec();
        // Read afterwards: if it is the same process now, it was then.
        let stat = parse_stat(self.proc.read_once(record.tgid, "stat").ok()?)?;
        (stat.start == record.start_ns / self.tick_ns).then_some(args)
    }

    fn intern(&mut self, name: String) -> Arc<str> {
        if let Some(known) = self.interned.get(name.as_str()) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.interned.insert(Arc::clone(&name));
        name
    }
}

impl Names for NameResolver {
    fn process(&mut self, record: &TaskRecord) -> Arc<str> {
        let key = ExecId {
            tgid: record.tgid,
            start_ns: record.start_ns,
            exec_id: record.exec_id,
        };
        if let Some(name) = self.names.get(&key) {
            return Arc::clone(name);
        }
        let name = self.resolve(record, &key);
        let name = self.intern(name);
        self.names.insert(key, Arc::clone(&name));
        name
    }

    fn user(&mut self, uid: u32) -> Arc<str> {
        self.users.name(uid)
    }

    fn service(&mut self, record: &TaskRecord) -> Arc<str> {
        self.cgroups.service_of(record)
    }
}

#[cfg(test)]
#[path = "names_resolver_tests.rs"]
mod tests;
