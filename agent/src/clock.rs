//! The instants a cycle is stamped with.

use std::time::{Duration, SystemTime};

/// One instant on the three clocks that records refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// `CLOCK_MONOTONIC`, ns: socket births and durations.
    pub mono_ns: u64,
    /// `CLOCK_BOOTTIME`, ns: process starts.
    pub boot_ns: u64,
    /// Wall clock, for people.
    pub wall: SystemTime,
}

impl Moment {
    /// Reads all three clocks.
    pub fn now() -> Self {
        Self {
            mono_ns: read(libc::CLOCK_MONOTONIC),
            boot_ns: read(libc::CLOCK_BOOTTIME),
            wall: SystemTime::now(),
        }
    }

    /// The instant `after` later on every clock; how simulated time advances in tests.
    pub fn plus(self, after: Duration) -> Self {
        let ns = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        Self {
            mono_ns: self.mono_ns.saturating_add(ns),
            boot_ns: self.boot_ns.saturating_add(ns),
            wall: self.wall + after,
        }
    }

    /// Time since `earlier`; zero if it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.mono_ns.saturating_sub(earlier.mono_ns))
    }
}

fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid, writable timespec for the duration of the call.
    let status = unsafe { libc::clock_gettime(clock, &raw mut time) };
    if status != 0 {
        // Both clocks exist on every kernel that can run the agent; 0 makes births unknown.
        return 0;
    }
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
