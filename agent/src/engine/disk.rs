//! Disks: chooses the source, names services, aggregates.

use std::{sync::Arc, time::Duration};

use hostlens_ebpf::wire::{CGROUP_FOLDED, CGROUP_WRITEBACK};

use super::{disk_process::DiskProcessStage, options::EngineOptions, part::Part};
use crate::{
    aggregate::{DiskConfig, DiskTable, Owners},
    clock::Moment,
    collect::disk::{bpf::DiskBpf, diskstats::DiskReader},
    kernel::Kernel,
    model::{
        BirthGate, Budget, DiskRow, DiskUser, Lost, MapFill, ProcessDiskRow, ProgramStatus,
        ServiceDiskRow, SourceStatus, budget,
    },
};

/// Window of the quantiles.
const WINDOW: Duration = Duration::from_secs(60);

/// The part of a cycle that is about disks.
pub struct DiskStage {
    reader: DiskReader,
    /// Why the last look at the kernel's counters failed.
    unread: Option<String>,
    bpf: Result<Box<DiskBpf>, String>,
    /// Programs that were tried and not used.
    refused: Vec<ProgramStatus>,
    table: DiskTable,
    /// Only if asked for.
    processes: Option<DiskProcessStage>,
}

impl DiskStage {
    /// Takes the best source there is.
    pub fn start(kernel: &Result<Kernel, String>, options: &EngineOptions) -> Self {
        let (mut bpf, refused) = match kernel {
            Ok(kernel) => match DiskBpf::start(kernel) {
                Ok(source) => (Ok(Box::new(source)), Vec::new()),
                Err((why, refused)) => (Err(why), refused),
            },
            Err(why) => (Err(why.clone()), Vec::new()),
        };
        if let Err(why) = &bpf {
            options.ebpf.announce("disk", why);
        }
        let processes = options.process_disk_latency.then(|| {
            let source = bpf.as_deref_mut().map_err(|why| why.clone());
            DiskProcessStage::start(source, options)
        });
        Self {
            reader: DiskReader::default(),
            processes,
            unread: None,
            bpf,
            refused,
            table: DiskTable::new(DiskConfig {
                disks: options.label_sets(budget::DISKS),
                services: options.label_sets(budget::DISK_SERVICES),
                window: WINDOW,
                retention: options.retention,
            }),
        }
    }

    /// Takes what processes waited for, before a walk over all of them.
    pub fn collect(&mut self) {
        if let Some(processes) = &mut self.processes {
            processes.collect();
        }
    }

    /// Names those processes, after that walk.
    pub fn name(&mut self, owners: &dyn Owners) {
        if let Some(processes) = &mut self.processes {
            processes.cycle(owners);
        }
    }

    /// One cycle; `service` names the container or unit of a cgroup of the io controller.
    pub fn cycle(&mut self, mut service: impl FnMut(u64) -> Arc<str>) -> Option<String> {
        let at = Moment::now();
        match self.reader.read() {
            Ok(stats) => {
                self.table.disks(at, stats);
                self.unread = None;
            }
            Err(error) => self.unread = Some(format!("/proc/diskstats: {error}")),
        }
        if let Ok(bpf) = &mut self.bpf {
            if self.table.has_bare() {
                bpf.watch_bare();
            }
            self.table.set_sampled(true, bpf.watches_bare());
            let table = &mut self.table;
            bpf.take(at, |sample| {
                let user = match sample.key.cgroup {
                    CGROUP_FOLDED => DiskUser::Folded,
                    CGROUP_WRITEBACK => DiskUser::Writeback,
                    cgroup => DiskUser::Service(service(cgroup)),
                };
                table.sample(sample, &user);
            });
        }
        self.table.finish(at);
        self.unread.clone()
    }

    /// Disks.
    pub fn rows(&mut self, sequence: u64, gate: BirthGate) -> Vec<DiskRow> {
        self.table.disk_rows(sequence, gate)
    }

    /// Services at disks.
    pub fn services(&mut self, sequence: u64, gate: BirthGate) -> Vec<ServiceDiskRow> {
        self.table.service_rows(sequence, gate)
    }

    /// Processes at disks.
    pub fn processes(&mut self, sequence: u64, gate: BirthGate) -> Vec<ProcessDiskRow> {
        let processes = self.processes.as_mut();
        processes.map_or_else(Vec::new, |processes| processes.rows(sequence, gate))
    }

    /// All that was aggregated of disks and services.
    pub fn table(&self) -> &DiskTable {
        &self.table
    }

    fn degraded(&self) -> Option<String> {
        match &self.bpf {
            Err(why) => Some(format!("no times of requests, no services: {why}")),
            Ok(bpf) => {
                let off = self.table.unaccounted();
                if let Some(why) = bpf.bare_refusal() {
                    Some(format!("devices without requests are not timed: {why}"))
                } else if off.is_empty() {
                    None
                } else {
                    Some(format!(
                        "no times of {}: statistics are off (queue/iostats)",
                        off.join(", ")
                    ))
                }
            }
        }
    }
}

impl Part for DiskStage {
    fn sources(&self) -> Vec<SourceStatus> {
        let disk = SourceStatus {
            signal: "disk",
            source: match (&self.bpf, &self.unread) {
                (Ok(_), _) => "bpf_block_rq_complete",
                (Err(_), None) => "diskstats",
                (Err(_), Some(_)) => "absent",
            },
            degraded: self.unread.clone().or_else(|| self.degraded()),
        };
        let processes = self.processes.iter().map(DiskProcessStage::status);
        [disk].into_iter().chain(processes).collect()
    }

    fn programs(&self) -> Vec<ProgramStatus> {
        let mut programs = self.refused.clone();
        if let Ok(bpf) = &self.bpf {
            programs.extend(bpf.programs());
        }
        programs
    }

    fn lost(&self) -> Vec<Lost> {
        let mut lost = self.table.lost_detail();
        if let Ok(bpf) = &self.bpf {
            lost.push(Lost {
                what: "disk_request",
                count: bpf.lost(),
            });
        }
        lost.extend(self.processes.iter().filter_map(DiskProcessStage::lost));
        lost
    }

    fn maps(&self) -> Vec<MapFill> {
        let disks = self.bpf.iter().flat_map(|bpf| bpf.fill());
        let processes = self.processes.iter().flat_map(DiskProcessStage::maps);
        disks.chain(processes).collect()
    }

    fn budgets(&self) -> Vec<Budget> {
        let mut budgets = self.table.budgets();
        let processes = self.processes.iter();
        budgets.extend(processes.flat_map(|processes| processes.table().budgets()));
        budgets
    }

    fn held(&self) -> u64 {
        let processes = self.processes.as_ref();
        self.table.held() + processes.map_or(0, |processes| processes.table().held())
    }
}
