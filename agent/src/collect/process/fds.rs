//! Open file descriptors of one process.

use std::{
    io,
    time::{Duration, Instant},
};

use crate::{
    collect::proc_file::{ProcReader, proc_root},
    model::ProcessId,
};

/// Counts descriptors of processes whose tables are too large for the kernel program.
pub struct FdReader {
    proc: ProcReader,
    /// Where the next call begins: a budget that is too small must not starve the same ones.
    cursor: usize,
}

impl Default for FdReader {
    fn default() -> Self {
        Self {
            proc: ProcReader::new(&proc_root()),
            cursor: 0,
        }
    }
}

impl FdReader {
    /// Counts as many as `budget` allows (at least one) and hands each result on; `None` if it
    /// could not be read. Those left out keep what they had.
    pub fn count_within(
        &mut self,
        ids: &[ProcessId],
        budget: Duration,
        mut each: impl FnMut(ProcessId, Option<u64>),
    ) {
        let start = Instant::now();
        let first = self.cursor.checked_rem(ids.len()).unwrap_or(0);
        let (before, from) = ids.split_at(first);
        for (done, &id) in from.iter().chain(before).enumerate() {
            if done > 0 && start.elapsed() >= budget {
                self.cursor = first + done;
                return;
            }
            each(id, count(&mut self.proc, id.tgid).ok().map(u64::from));
        }
        self.cursor = 0;
    }
}

/// Counts the open descriptors of process `pid`, exactly.
///
/// Since 6.2 the size of `/proc/PID/fd` is their number (`proc_fd_getattr`), for 2 µs; before
/// that it is 0, and the folder must be read. A process of another user answers EACCES without
/// CAP_SYS_PTRACE.
pub fn count(proc: &mut ProcReader, pid: u32) -> io::Result<u32> {
    let size = proc.metadata(pid, "fd")?.len();
    if size > 0 {
        return Ok(u32::try_from(size).unwrap_or(u32::MAX - 1));
    }
    by_reading(proc, pid)
}

/// Counts by reading the folder; also what a size of 0 is checked by.
fn by_reading(proc: &mut ProcReader, pid: u32) -> io::Result<u32> {
    let mut open = 0u32;
    for entry in std::fs::read_dir(proc.path_of(pid, "fd"))? {
        entry?;
        open = open.saturating_add(1);
    }
    Ok(open)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::collect::proc_file::proc_root;

    /// What both ways count for a shell that opened the files of `script`, which ends in 9.
    fn of_shell(script: &str) -> (u32, u32) {
        // Other tests open and close files of our own process meanwhile, not of this one.
        let mut child = std::process::Command::new("sh")
            .args(["-c", &format!("exec {script}; read line")])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut proc = ProcReader::new(&proc_root());
        let last = format!("/proc/{}/fd/9", child.id());
        while !std::path::Path::new(&last).exists() {
            std::thread::yield_now();
        }
        let counted = count(&mut proc, child.id()).unwrap();
        let read = by_reading(&mut proc, child.id()).unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
        (counted, read)
    }

    #[test]
    fn every_open_file_counts_either_way() {
        let (few, few_read) = of_shell("9</dev/null");
        let (more, more_read) = of_shell("7</dev/null 8</dev/null 9</dev/null");
        assert!(few >= 4);
        assert_eq!((few, more), (few_read, more_read));
        assert_eq!(more, few + 2);
    }

    #[test]
    fn a_missing_process_is_an_error() {
        assert!(count(&mut ProcReader::new(&proc_root()), u32::MAX).is_err());
    }
}
