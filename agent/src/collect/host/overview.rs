//! One line about the host: `/proc/stat`, `/proc/meminfo`, `/proc/loadavg`.

use std::time::Instant;

use procfs::{Current, LoadAverage, Meminfo};

use super::totals;
use crate::model::HostOverview;

/// Reads the overview; CPU use is over the time since the last call.
#[derive(Default)]
pub struct OverviewReader {
    last: Option<(Instant, u64)>,
}

impl OverviewReader {
    /// Reads what can be read; the rest is absent.
    pub fn read(&mut self) -> HostOverview {
        let memory = Meminfo::current().ok();
        let load = LoadAverage::current().ok();
        HostOverview {
            cpus: std::thread::available_parallelism()
                .ok()
                .map(|cpus| cpus.get() as u64),
            cpu_busy: self.cpu_busy(),
            memory_total: memory.as_ref().map(|memory| memory.mem_total),
            memory_available: memory.as_ref().and_then(|memory| memory.mem_available),
            swap_total: memory.as_ref().map(|memory| memory.swap_total),
            swap_free: memory.as_ref().map(|memory| memory.swap_free),
            load: load.map(|load| [load.one, load.five, load.fifteen].map(f64::from)),
        }
    }

    fn cpu_busy(&mut self) -> Option<f64> {
        let now = (Instant::now(), totals::busy_cpu_ns()?);
        let (at, busy) = self.last.replace(now)?;
        let seconds = (now.0 - at).as_secs_f64();
        (seconds > 0.0).then(|| now.1.saturating_sub(busy) as f64 / 1e9 / seconds)
    }
}
