//! CPU time and memory of this process.

use std::fs;

/// Usage of this process; absent fields could not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OwnUsage {
    /// CPU time since it started, seconds.
    pub cpu_seconds: Option<f64>,
    /// Resident memory, bytes.
    pub rss_bytes: Option<u64>,
}

/// Reads both.
pub fn read() -> OwnUsage {
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
    (status == 0).then_some(time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
}

fn rss_bytes() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * procfs::page_size())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let usage = read();
        assert!(usage.cpu_seconds.is_some_and(|seconds| seconds > 0.0));
        assert!(usage.rss_bytes.is_some_and(|bytes| bytes > 100_000));
    }
}
