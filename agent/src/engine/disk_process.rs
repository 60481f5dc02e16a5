//! Processes at disks: takes the source if there is one, names owners, aggregates.

use std::time::Duration;

use super::options::EngineOptions;
use crate::{
    aggregate::{DiskProcessConfig, DiskProcessTable, Owners},
    clock::Moment,
    collect::disk::{bpf::DiskBpf, process::DiskProcesses},
    model::{BirthGate, Lost, MapFill, ProcessDiskRow, SourceStatus, budget},
};

/// Window of the quantiles.
const WINDOW: Duration = Duration::from_secs(60);

/// What is told of processes at disks, if asked for.
pub struct DiskProcessStage {
    source: Result<DiskProcesses, String>,
    table: DiskProcessTable,
}

impl DiskProcessStage {
    /// Starts the programs where there are some for disks.
    pub fn start(disks: Result<&mut DiskBpf, String>, options: &EngineOptions) -> Self {
        let source = disks.and_then(DiskBpf::processes);
        if let Err(why) = &source {
            options.ebpf.announce("disk_process", why);
        }
        Self {
            source,
            table: DiskProcessTable::new(DiskProcessConfig {
                budget: options.label_sets(budget::DISK_PROCESSES),
                window: WINDOW,
                retention: options.retention,
            }),
        }
    }

    /// Takes what was done, before a walk over all processes.
    pub fn collect(&mut self) {
        if let Ok(source) = &mut self.source {
            let table = &mut self.table;
            source.take(Moment::now(), |sample| table.sample(sample));
        }
    }

    /// Ends a cycle, after that walk.
    pub fn cycle(&mut self, owners: &dyn Owners) {
        self.table.finish(Moment::now(), owners);
    }

    /// Processes at disks.
    pub fn rows(&mut self, sequence: u64, gate: BirthGate) -> Vec<ProcessDiskRow> {
        self.table.rows(sequence, gate)
    }

    /// What was aggregated.
    pub fn table(&self) -> &DiskProcessTable {
        &self.table
    }

    /// Where it comes from.
    pub fn status(&self) -> SourceStatus {
        SourceStatus {
            signal: "disk_process",
            source: match &self.source {
                Ok(_) => "bpf_block_io_start",
                Err(_) => "absent",
            },
            degraded: self.source.as_ref().err().cloned(),
        }
    }

    /// Requests that found no room.
    pub fn lost(&self) -> Option<Lost> {
        let source = self.source.as_ref().ok()?;
        Some(Lost {
            what: "disk_process_request",
            count: source.lost(),
        })
    }

    /// Fill of its maps.
    pub fn maps(&self) -> Vec<MapFill> {
        let source = self.source.as_ref();
        source.map_or_else(|_| Vec::new(), |source| source.fill().to_vec())
    }
}
