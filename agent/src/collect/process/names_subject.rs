//! A process as grouping rules ask about it: from its record and, while it lives, from `/proc`.

use std::sync::Arc;

use hostlens_ebpf::wire::{TaskFlags, TaskKind, TaskRecord};

use super::{names::until_nul, procfs_stat::parse_stat, users::Users};
use crate::{
    collect::{cgroup::Cgroups, proc_file::ProcReader},
    config::Subject,
};

/// Bytes read of a command line at most; the class path of a large Java program has some 20 KiB.
const MOST_CMDLINE: usize = 64 << 10;
/// What the kernel appends to the path of an executable that was replaced or removed.
const DELETED: &[u8] = b" (deleted)";

/// Whether `/proc` can still tell something about the process of a record.
pub(super) fn lives(record: &TaskRecord) -> bool {
    record.kind == TaskKind::Process as u32 && record.flags & TaskFlags::ZOMBIE == 0
}

/// One process, asked about once.
pub(super) struct Asked<'a> {
    pub(super) record: &'a TaskRecord,
    /// Arguments of its execve, if that was seen; perhaps cut off.
    pub(super) seen: Option<&'a [u8]>,
    pub(super) cgroups: &'a mut Cgroups,
    pub(super) users: &'a mut Users,
    pub(super) proc: &'a mut ProcReader,
    pub(super) tick_ns: u64,
}

impl Asked<'_> {
    /// The command line in `/proc`, if the process with this pid is still the one meant.
    pub(super) fn living_cmdline(&mut self) -> Option<Vec<u8>> {
        if !lives(self.record) {
            return None;
        }
        let pid = self.record.tgid;
        let args = self.proc.read_up_to(pid, "cmdline", MOST_CMDLINE);
        let args = args.ok()?.to_vec();
        self.is_meant().then_some(args)
    }

    /// To be asked after a read: if it is the same process now, it was then.
    fn is_meant(&mut self) -> bool {
        let stat = self.proc.read_once(self.record.tgid, "stat");
        let stat = stat.ok().and_then(parse_stat);
        stat.is_some_and(|stat| stat.start == self.record.start_ns / self.tick_ns)
    }
}

impl Subject for Asked<'_> {
    fn comm(&self) -> &[u8] {
        until_nul(&self.record.comm)
    }

    fn uid(&self) -> u32 {
        self.record.uid
    }

    fn user(&mut self) -> Arc<str> {
        self.users.name(self.record.uid)
    }

    fn unit(&mut self) -> Arc<str> {
        self.cgroups.service_of(self.record)
    }

    fn exe(&mut self) -> Option<Vec<u8>> {
        use std::os::unix::ffi::OsStringExt as _;

        if !lives(self.record) {
            return None;
        }
        let path = std::fs::read_link(self.proc.path_of(self.record.tgid, "exe")).ok()?;
        let mut path = path.into_os_string().into_vec();
        if path.ends_with(DELETED) {
            path.truncate(path.len() - DELETED.len());
        }
        self.is_meant().then_some(path)
    }

    fn cmdline(&mut self) -> Option<Vec<u8>> {
        let living = self.living_cmdline();
        living.or_else(|| self.seen.map(<[u8]>::to_vec))
    }
}
