//! Open file descriptors of one process.

use std::io;

use crate::collect::proc_file::ProcReader;

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

    #[test]
    fn both_ways_count_a_quiet_process_alike() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        // It opens and closes its libraries while it starts; wait until it sleeps.
        let mut proc = ProcReader::new(&proc_root());
        while !proc
            .read_once(child.id(), "wchan")
            .is_ok_and(|wchan| wchan.windows(5).any(|part| part == b"sleep"))
        {
            std::thread::yield_now();
        }
        let counted = count(&mut proc, child.id());
        let read = by_reading(&mut proc, child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(counted.unwrap(), read.unwrap());
    }

    #[test]
    fn every_open_file_of_ours_counts() {
        // Other tests open and close files meanwhile; the child process has only these.
        let script = "exec 7</dev/null 8</dev/null 9</dev/null; read line";
        let mut child = std::process::Command::new("sh")
            .args(["-c", script])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let mut proc = ProcReader::new(&proc_root());
        let nine = format!("/proc/{}/fd/9", child.id());
        while !std::path::Path::new(&nine).exists() {
            std::thread::yield_now();
        }
        let counted = count(&mut proc, child.id());
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(counted.unwrap(), 6);
    }
}
