//! What the agent itself uses.

use crate::collect::{proc_file, process::memory::parse_statm};

/// CPU time and memory of the agent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OwnUsage {
    /// CPU time of all its threads since it started, seconds, exact to the nanosecond.
    pub cpu_seconds: Option<f64>,
    /// Resident memory, bytes.
    pub rss_bytes: Option<u64>,
}

/// Reads both; what cannot be read is absent.
pub fn usage() -> OwnUsage {
    OwnUsage {
        cpu_seconds: cpu_seconds(),
        rss_bytes: rss_bytes(),
    }
}

fn cpu_seconds() -> Option<f64> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid, writable timespec for the duration of the call.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    (status == 0).then(|| time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
}

fn rss_bytes() -> Option<u64> {
    let text = std::fs::read(proc_file::proc_root().join("self/statm")).ok()?;
    parse_statm(&text)?
        .resident
        .checked_mul(procfs::page_size())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn working_takes_time_and_room() {
        let before = usage();
        assert!(before.cpu_seconds.unwrap() > 0.0);
        let mut room = vec![0u8; 64 << 20];
        for page in room.chunks_mut(4096) {
            page[0] = 1;
        }
        let after = usage();
        assert!(after.cpu_seconds > before.cpu_seconds);
        assert!(after.rss_bytes.unwrap() > 64 << 20);
        drop(room);
    }
}
