//! From a process record to its names, with a memory.

use std::{path::Path, sync::Arc};

use hostlens_ebpf::wire::{EXEC_ARGS_BYTES, ExecRecord, TaskFlags, TaskRecord};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    names::{MOST_BYTES, Named, by_args, printable},
    names_subject::{Asked, lives},
    users::Users,
};
use crate::{
    clock::Moment,
    collect::{
        Names,
        cgroup::{CgroupId, Cgroups},
        proc_file::{self, ProcReader},
    },
    config::{LiveConfig, Rules},
};

/// Names remembered before the older half goes.
const MOST_NAMES: usize = 1 << 14;

/// Arguments of execve calls remembered before the older half goes.
const MOST_EXECS: usize = 1 << 12;

/// Age at which a process is asked for its command line once more, ns: servers write their titles
/// over it (`nginx: worker process`), the forked ones some time after they were first seen.
const SETTLED_NS: u64 = 2_000_000_000;

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

/// A name, and of which rules, user and cgroup it comes.
#[derive(Clone, Debug)]
struct Given {
    name: Arc<str>,
    version: u32,
    uid: u32,
    cgroup: CgroupId,
}

/// Names processes, users and services: a process by the first grouping rule that matches, else by
/// what runs. Arguments of an interpreter come from its execve, if that was seen, else from
/// `/proc/PID/cmdline`; without either its own name must do.
#[derive(Debug)]
pub struct NameResolver {
    proc: ProcReader,
    tick_ns: u64,
    users: Users,
    config: Option<LiveConfig>,
    rules: Arc<Rules>,
    rules_version: u32,
    /// Start of the cycle, ns of `CLOCK_BOOTTIME`.
    now_ns: u64,
    names: Recent<Given>,
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
            config: None,
            rules: Arc::default(),
            rules_version: 0,
            now_ns: 0,
            names: Recent::new(MOST_NAMES),
            execs: Recent::new(MOST_EXECS),
            interned: FxHashSet::default(),
            cgroups: Cgroups::below(proc),
        }
    }

    /// Asks the rules of `config` first.
    pub fn with_config(mut self, config: Option<LiveConfig>) -> Self {
        self.config = config;
        self.take_up_rules();
        self
    }

    fn take_up_rules(&mut self) {
        if let Some(config) = &self.config {
            (self.rules_version, self.rules) = config.rules();
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

    /// To be called once per cycle: takes up other rules and changes of the users' file, and gives
    /// back names that nobody holds.
    pub fn begin_cycle(&mut self) {
        self.take_up_rules();
        self.now_ns = Moment::now().boot_ns;
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
        let mut asked = Asked {
            record,
            seen: seen.as_deref(),
            cgroups: &mut self.cgroups,
            users: &mut self.users,
            proc: &mut self.proc,
            tick_ns: self.tick_ns,
        };
        // What a kernel thread is called is for the kernel to say.
        let ruled = (!kernel).then(|| self.rules.name(&mut asked)).flatten();
        if let Some(name) = ruled {
            return printable(name.as_bytes(), MOST_BYTES);
        }
        let by_comm = match by_args(&record.comm, seen.as_deref(), kernel) {
            Named::Whole(name) => return name,
            Named::Partial(name) => name,
        };
        let cmdline = asked.living_cmdline();
        match cmdline.map(|args| by_args(&record.comm, Some(&args), kernel)) {
            Some(Named::Whole(name)) => name,
            Some(Named::Partial(_)) | None => by_comm,
        }
    }

    /// Whether a name that was given still holds. Of a process that has ended nothing better can
    /// be known.
    fn holds(&self, given: &Given, record: &TaskRecord) -> bool {
        let same = given.uid == record.uid && given.cgroup == CgroupId::of(record);
        let same = same || self.rules.is_empty();
        given.version == self.version(record) && same || !lives(record)
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
        if let Some(given) = self.names.get(&key)
            && self.holds(given, record)
        {
            return Arc::clone(&given.name);
        }
        let name = self.resolve(record, &key);
        let name = self.intern(name);
        let given = Given {
            name: Arc::clone(&name),
            version: self.version(record),
            uid: record.uid,
            cgroup: CgroupId::of(record),
        };
        self.names.insert(key, given);
        name
    }

    fn version(&self, record: &TaskRecord) -> u32 {
        let settled =
            self.rules.read_cmdline() && self.now_ns.saturating_sub(record.start_ns) >= SETTLED_NS;
        self.rules_version.wrapping_mul(2) + u32::from(settled)
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
