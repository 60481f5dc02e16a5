//! Limits: reads what only files tell, and makes rows of it and of what the other parts know.

use std::{path::Path, sync::Arc, time::Duration};

use super::{options::EngineOptions, part::Part, process::ProcessStage, stages::Stages};
use crate::{
    aggregate::{
        DescriptorLimits, FdTypes, ProcessTable, ephemeral_ports, filesystem_limits, fold,
        listen_backlog, user_threads,
    },
    clock::Moment,
    collect::{
        cgroup::Cgroups,
        limit::{cgroup::CgroupLimits, host::HostLimits, threads::ThreadLimits},
        process::fd_types::FdTypeReader,
    },
    kernel::Kernel,
    model::{
        Budget, FdRow, FilesystemRow, LimitRow, Limited, ListenerRow, Lost, MapFill, PortUseRow,
        ProgramStatus, SourceStatus, budget,
    },
};

/// Time per cycle for reading limits of processes.
const THREADS_BUDGET: Duration = Duration::from_millis(2);
/// Time per cycle for reading limits of control groups and what they use.
const CGROUPS_BUDGET: Duration = Duration::from_millis(5);
/// Distance of two passes over descriptors by type.
const FD_TYPES_EVERY: Duration = Duration::from_secs(60);
/// Time per cycle for such a pass.
const FD_TYPES_BUDGET: Duration = Duration::from_millis(3);

/// The part of a cycle that tells how near things are to their limits.
pub struct LimitStage {
    host: HostLimits,
    threads: ThreadLimits,
    cgroups: CgroupLimits,
    descriptors: DescriptorLimits,
    fd_reader: FdTypeReader,
    fd_types: FdTypes,
    /// When the last pass over descriptors began.
    passed: Option<Moment>,
    /// It is under way.
    passing: bool,
    fds: Vec<FdRow>,
    rows: Vec<LimitRow>,
    /// Rows of each resource by name.
    budget: usize,
}

impl LimitStage {
    /// Nothing is known yet.
    pub fn start(kernel: &Result<Kernel, String>, options: &EngineOptions) -> Self {
        Self {
            host: HostLimits::default(),
            threads: ThreadLimits::default(),
            cgroups: CgroupLimits::default(),
            descriptors: DescriptorLimits::default(),
            fd_reader: FdTypeReader::start(kernel),
            fd_types: FdTypes::new(budget::FD_TYPES),
            passed: None,
            passing: false,
            fds: Vec::new(),
            rows: Vec::new(),
            budget: options.label_sets(budget::LIMITS),
        }
    }

    /// Reads and follows, all processes alive being known.
    pub fn cycle(&mut self, process: &mut ProcessStage, stages: &mut Stages) {
        let at = Moment::now();
        let (table, cgroups) = process.identity();
        let users = table.holders().filter(|holder| holder.uid != 0);
        self.threads
            .read_within(users.map(|holder| holder.id), THREADS_BUDGET);
        self.rows = self.descriptors.rows(at, table);
        let threads = &self.threads;
        self.rows.extend(user_threads(table, |id| threads.of(id)));
        let host = self.host.read().into_iter();
        self.rows.extend(host.map(|(resource, used)| LimitRow {
            resource,
            of: Limited::Host,
            used: used.used,
            limit: used.limit,
            seconds_to_full: None,
        }));
        stages.mark("limits");
        self.read_cgroups(cgroups);
        stages.mark("cgroup_limits");
        self.count_types(at, table);
        stages.mark("fd_types");
    }

    fn read_cgroups(&mut self, cgroups: &Cgroups) {
        let mut folders: Vec<(Arc<str>, &Path)> = Vec::new();
        for (service, paths) in cgroups.live() {
            for controller in ["memory", "pids"] {
                let folder = paths.controller(controller);
                folders.extend(folder.map(|path| (Arc::clone(service), path)));
            }
        }
        let rows = self.cgroups.read_within(&folders, CGROUPS_BUDGET);
        self.rows
            .extend(rows.into_iter().map(|(resource, service, used)| LimitRow {
                resource,
                of: Limited::Service(service),
                used: used.used,
                limit: used.limit,
                seconds_to_full: None,
            }));
    }

    fn count_types(&mut self, at: Moment, table: &ProcessTable) {
        let due = |passed| at.since(passed) >= FD_TYPES_EVERY;
        if !self.passing && self.passed.is_none_or(due) {
            self.passed = Some(at);
            self.passing = true;
            self.fd_reader.begin(self.fd_types.wanted(table));
        }
        if self.passing {
            let types = &mut self.fd_types;
            let counted = |id, counts| types.counted(id, counts);
            if self.fd_reader.work_within(FD_TYPES_BUDGET, counted) {
                self.passing = false;
                self.fd_types.turn();
            }
        }
        self.fds = self.fd_types.rows(table);
    }

    /// All rows, those of what other parts count included.
    pub fn rows(
        &mut self,
        listeners: &[ListenerRow],
        ports: &[PortUseRow],
        filesystems: &[FilesystemRow],
    ) -> Vec<LimitRow> {
        let mut rows = std::mem::take(&mut self.rows);
        rows.extend(listen_backlog(listeners));
        rows.extend(ephemeral_ports(ports));
        rows.extend(filesystem_limits(filesystems));
        fold(rows, self.budget)
    }

    /// Descriptors by type.
    pub fn fds(&mut self) -> Vec<FdRow> {
        std::mem::take(&mut self.fds)
    }
}

impl Part for LimitStage {
    fn sources(&self) -> Vec<SourceStatus> {
        let degraded = self.fd_reader.degraded();
        let left_out = self.cgroups.left_out();
        vec![
            SourceStatus {
                signal: "limits",
                source: "procfs",
                degraded: (left_out > 0)
                    .then(|| format!("{left_out} control groups are left to the next cycles")),
            },
            SourceStatus {
                signal: "fd_types",
                source: match degraded {
                    None => "bpf_iter_task_file",
                    Some(_) => "procfs",
                },
                degraded: degraded.map(str::to_owned),
            },
        ]
    }

    fn programs(&self) -> Vec<ProgramStatus> {
        self.fd_reader.programs()
    }

    fn lost(&self) -> Vec<Lost> {
        vec![Lost {
            what: "fd_types",
            count: self.fd_reader.failed(),
        }]
    }

    fn maps(&self) -> Vec<MapFill> {
        vec![MapFill {
            map: "limit_trends",
            used: self.descriptors.watched() as u64,
            capacity: DescriptorLimits::capacity() as u64,
        }]
    }

    fn budgets(&self) -> Vec<Budget> {
        Vec::new()
    }

    fn held(&self) -> u64 {
        0
    }
}
