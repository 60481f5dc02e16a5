//! Sessions of processes, from `/proc/PID/stat`.
//!
//! Read only for who looks at jobs, and of each process a few times in its life: a session changes
//! by `setsid(2)` alone, which daemons and shells call right after their start.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::procfs_stat::parse_session;
use crate::{
    collect::proc_file::{self, ProcReader},
    model::ProcessId,
};

/// Reads sessions.
#[derive(Debug)]
pub struct SessionReader {
    proc: ProcReader,
    tick_ns: u64,
}

impl Default for SessionReader {
    fn default() -> Self {
        Self::new(&proc_file::proc_root())
    }
}

impl SessionReader {
    /// Reads below `proc`.
    pub fn new(proc: &Path) -> Self {
        Self {
            proc: ProcReader::new(proc),
            tick_ns: 1_000_000_000 / procfs::ticks_per_second().max(1),
        }
    }

    /// Hands the sessions of `wanted` to `take` until `budget` is used up; the others are asked
    /// for again. `None`: the process has gone.
    pub fn read_within(
        &mut self,
        wanted: &[ProcessId],
        budget: Duration,
        mut take: impl FnMut(ProcessId, Option<u32>),
    ) {
        let end = Instant::now() + budget;
        for &id in wanted {
            take(id, self.read(id));
            if Instant::now() >= end {
                break;
            }
        }
    }

    fn read(&mut self, id: ProcessId) -> Option<u32> {
        let (session, start) = parse_session(self.proc.read_once(id.tgid, "stat").ok()?)?;
        // Another process may bear the id by now.
        (start == id.start_ns / self.tick_ns).then_some(session)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::collect::process::procfs_stat::parse_stat;

    #[test]
    fn our_own_session_is_what_the_kernel_says() {
        let pid = std::process::id();
        let mut reader = SessionReader::default();
        let stat = parse_stat(reader.proc.read_once(pid, "stat").unwrap()).unwrap();
        let mine = ProcessId {
            tgid: pid,
            start_ns: stat.start * reader.tick_ns,
        };
        let reused = ProcessId {
            start_ns: mine.start_ns + reader.tick_ns,
            ..mine
        };
        // SAFETY: a system call without pointers.
        let session = unsafe { libc::getsid(0) };
        let mut read = Vec::new();
        let long = Duration::from_secs(60);
        reader.read_within(&[mine, reused], long, |_, session| read.push(session));
        assert_eq!(read, [u32::try_from(session).ok(), None]);
        // The first is read in any case, so that there is progress.
        read.clear();
        reader.read_within(&[mine, mine], Duration::ZERO, |_, session| {
            read.push(session);
        });
        assert_eq!(read.len(), 1);
    }
}
