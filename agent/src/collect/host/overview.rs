//! The one line about the host that `top` shows.

use std::path::Path;

use procfs::{FromRead, LoadAverage, Meminfo};

use super::cpu::CpuTimes;
use crate::{
    clock::Moment,
    collect::proc_file::{self, ProcReader},
    model::HostOverview,
};

/// Reads memory and load, and turns CPU times into CPUs in use.
pub struct OverviewReader {
    proc: ProcReader,
    before: Option<(Moment, CpuTimes)>,
}

impl Default for OverviewReader {
    fn default() -> Self {
        Self::new(&proc_file::proc_root())
    }
}

impl OverviewReader {
    /// Reads below `proc`.
    pub fn new(proc: &Path) -> Self {
        Self {
            proc: ProcReader::new(proc),
            before: None,
        }
    }

    /// The host at `now`. `cpu` are the CPU times read in this cycle, `None` if that failed; CPU
    /// use is known from the second reading on. What cannot be read is absent.
    pub fn read(&mut self, now: Moment, cpu: Option<CpuTimes>) -> HostOverview {
        let cpu_busy = cpu.and_then(|cpu| {
            let (then, before) = self.before.replace((now, cpu))?;
            let elapsed = now.since(then).as_nanos();
            // One CPU going offline takes its time out of the sum: no use is better than nonsense.
            let busy = cpu.busy_ns().checked_sub(before.busy_ns())?;
            (elapsed > 0).then(|| busy as f64 / elapsed as f64)
        });
        let memory = self.memory();
        HostOverview {
            cpus: cpu.map(|cpu| cpu.cpus).filter(|cpus| *cpus > 0),
            cpu_busy,
            memory_total: memory.as_ref().map(|memory| memory.mem_total),
            memory_available: memory.as_ref().and_then(|memory| memory.mem_available),
            swap_total: memory.as_ref().map(|memory| memory.swap_total),
            swap_free: memory.as_ref().map(|memory| memory.swap_free),
            load: self.load(),
        }
    }

    fn memory(&mut self) -> Option<Meminfo> {
        Meminfo::from_read(self.proc.read_host("meminfo").ok()?).ok()
    }

    fn load(&mut self) -> Option<[f64; 3]> {
        let load = LoadAverage::from_read(self.proc.read_host("loadavg").ok()?).ok()?;
        Some([load.one, load.five, load.fifteen].map(|load| {
            // The file has two decimals; the detour over f32 would show more.
            (f64::from(load) * 100.0).round() / 100.0
        }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use super::*;

    #[test]
    fn cpu_use_is_a_difference() {
        let mut reader = OverviewReader::default();
        let now = Moment::now();
        let times = |user_ns| CpuTimes {
            user_ns,
            cpus: 2,
            ..CpuTimes::default()
        };
        let first = reader.read(now, Some(times(1_000_000_000)));
        assert_eq!((first.cpus, first.cpu_busy), (Some(2), None));
        let then = now.plus(Duration::from_secs(2));
        let second = reader.read(then, Some(times(4_000_000_000)));
        assert_eq!(second.cpu_busy, Some(1.5));
        let unread = reader.read(then.plus(Duration::from_secs(1)), None);
        assert_eq!((unread.cpus, unread.cpu_busy), (None, None));
        let back = reader.read(
            then.plus(Duration::from_secs(3)),
            Some(times(7_000_000_000)),
        );
        assert_eq!(back.cpu_busy, Some(1.0));
        let offline = reader.read(then.plus(Duration::from_secs(4)), Some(times(1)));
        assert_eq!(offline.cpu_busy, None);
    }

    #[test]
    fn this_host_has_memory() {
        let host = OverviewReader::default().read(Moment::now(), None);
        assert!(host.memory_total > host.memory_available);
        assert!(host.swap_total >= host.swap_free);
        assert!(host.load.unwrap().iter().all(|load| *load >= 0.0));
    }

    #[test]
    fn what_cannot_be_read_is_absent() {
        let mut reader = OverviewReader::new(Path::new("/nonexistent"));
        assert_eq!(reader.read(Moment::now(), None), HostOverview::default());
    }
}
