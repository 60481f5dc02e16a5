//! One line about the host.

use std::time::{Duration, Instant};

use super::{cpu::CpuTimes, files::HostFiles};
use crate::model::HostOverview;

/// Reads the overview; CPU use is over the time since the last call.
#[derive(Default)]
pub struct OverviewReader {
    last: Option<(Instant, CpuTimes)>,
}

impl OverviewReader {
    /// Of what could be read; the rest is absent.
    pub fn read(&mut self, files: &HostFiles) -> HostOverview {
        let (cpu, memory) = (files.cpu, &files.memory);
        HostOverview {
            // Not what this process may use, which a cgroup may limit.
            cpus: cpu.map(|cpu| cpu.cpus).filter(|cpus| *cpus > 0),
            cpu_busy: cpu.and_then(|cpu| self.cpu_busy(Instant::now(), cpu)),
            memory_total: memory.as_ref().map(|memory| memory.mem_total),
            memory_available: memory.as_ref().and_then(|memory| memory.mem_available),
            swap_total: memory.as_ref().map(|memory| memory.swap_total),
            swap_free: memory.as_ref().map(|memory| memory.swap_free),
            load: files.load,
        }
    }

    fn cpu_busy(&mut self, now: Instant, cpu: CpuTimes) -> Option<f64> {
        let (then, before) = self.last.replace((now, cpu))?;
        let elapsed = now.saturating_duration_since(then);
        // A CPU that goes offline takes its time out of the sum: absent is better than nonsense.
        let busy = cpu.busy_ns().checked_sub(before.busy_ns())?;
        (elapsed > Duration::ZERO).then(|| busy as f64 / elapsed.as_nanos() as f64)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn cpu_use_is_a_difference() {
        let times = |user_ns| CpuTimes {
            user_ns,
            ..CpuTimes::default()
        };
        let mut reader = OverviewReader::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(reader.cpu_busy(at(0), times(1_000_000_000)), None);
        assert_eq!(reader.cpu_busy(at(2), times(4_000_000_000)), Some(1.5));
        assert_eq!(reader.cpu_busy(at(2), times(4_000_000_000)), None);
        assert_eq!(reader.cpu_busy(at(3), times(1)), None);
        assert_eq!(reader.cpu_busy(at(4), times(500_000_001)), Some(0.5));
    }

    #[test]
    fn this_host_has_memory_and_load() {
        let host = OverviewReader::default().read(&HostFiles::read());
        assert!(host.cpus >= Some(1));
        assert!(host.memory_total > host.memory_available);
        assert!(host.swap_total >= host.swap_free);
        assert!(host.load.unwrap().iter().all(|load| *load >= 0.0));
    }
}
