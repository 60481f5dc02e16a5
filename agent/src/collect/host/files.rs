//! What several readers take from the host's files, each read once a cycle.

use procfs::{Current, LoadAverage, Meminfo};

use super::cpu::{self, CpuTimes};
use crate::model::MEMORY_TYPES;

/// A reading; absent what could not be read.
pub struct HostFiles {
    /// `/proc/stat`.
    pub cpu: Option<CpuTimes>,
    /// `/proc/meminfo`.
    pub memory: Option<Meminfo>,
    /// `/proc/loadavg`: over 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
}

impl HostFiles {
    /// Reads them.
    pub fn read() -> Self {
        let load = LoadAverage::current().ok();
        Self {
            cpu: cpu::read(),
            memory: Meminfo::current().ok(),
            load: load.map(|load| [load.one, load.five, load.fifteen].map(two_decimals)),
        }
    }

    /// Memory by type, bytes, in the order of [`MEMORY_TYPES`].
    pub fn memory_types(&self) -> Option<[Option<u64>; MEMORY_TYPES.len()]> {
        let memory = self.memory.as_ref()?;
        Some([
            Some(memory.mem_total),
            memory.mem_available,
            Some(memory.mem_free),
            memory.anon_pages,
            // Pages of files; tmpfs is part of what the kernel calls cached.
            (memory.buffers + memory.cached).checked_sub(memory.shmem.unwrap_or(0)),
            memory.shmem,
            Some(memory.slab),
            memory.page_tables,
            Some(memory.dirty),
            Some(memory.writeback),
        ])
    }
}

/// What `/proc/loadavg` shows; the detour over `f32` would show more digits.
fn two_decimals(load: f32) -> f64 {
    (f64::from(load) * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn parts_of_memory_are_less_than_all_of_it() {
        let types = HostFiles::read().memory_types().unwrap();
        let total = types[0].unwrap();
        for (name, bytes) in MEMORY_TYPES.iter().zip(types).skip(1) {
            assert!(bytes.unwrap() < total, "{name}");
        }
        assert_eq!(two_decimals(0.42), 0.42);
    }
}
