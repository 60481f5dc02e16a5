//! Limits: reads what only files tell, and makes rows of it and of what the other parts know.

use std::time::Duration;

use super::{options::EngineOptions, part::Part, process::ProcessStage};
use crate::{
    aggregate::{DescriptorLimits, ephemeral_ports, fold, listen_backlog, user_threads},
    clock::Moment,
    collect::limit::{Use, host::HostLimits, threads::ThreadLimits},
    model::{
        Budget, LimitRow, Limited, ListenerRow, Lost, MapFill, PortUseRow, Resource, SourceStatus,
        budget,
    },
};

/// Time per cycle for reading limits of processes.
const THREADS_BUDGET: Duration = Duration::from_millis(2);

/// The part of a cycle that tells how near things are to their limits.
pub struct LimitStage {
    host: HostLimits,
    host_use: Vec<(Resource, Use)>,
    threads: ThreadLimits,
    descriptors: DescriptorLimits,
    rows: Vec<LimitRow>,
    /// Rows of each resource by name.
    budget: usize,
}

impl LimitStage {
    /// Nothing is known yet.
    pub fn start(options: &EngineOptions) -> Self {
        Self {
            host: HostLimits::default(),
            host_use: Vec::new(),
            threads: ThreadLimits::default(),
            descriptors: DescriptorLimits::default(),
            rows: Vec::new(),
            budget: options.label_sets(budget::LIMITS),
        }
    }

    /// Reads and follows, all processes alive being known.
    pub fn cycle(&mut self, process: &ProcessStage) {
        let table = process.table();
        self.host_use = self.host.read();
        let users = table.holders().filter(|holder| holder.uid != 0);
        self.threads
            .read_within(users.map(|holder| holder.id), THREADS_BUDGET);
        self.rows = self.descriptors.rows(Moment::now(), table);
        let threads = &self.threads;
        self.rows.extend(user_threads(table, |id| threads.of(id)));
        let host = self.host_use.iter();
        self.rows.extend(host.map(|&(resource, used)| LimitRow {
            resource,
            of: Limited::Host,
            used: used.used,
            limit: used.limit,
            seconds_to_full: None,
        }));
    }

    /// All rows, those of what other parts count included.
    pub fn rows(&mut self, listeners: &[ListenerRow], ports: &[PortUseRow]) -> Vec<LimitRow> {
        let mut rows = std::mem::take(&mut self.rows);
        rows.extend(listen_backlog(listeners));
        rows.extend(ephemeral_ports(ports));
        fold(rows, self.budget)
    }
}

impl Part for LimitStage {
    fn sources(&self) -> Vec<SourceStatus> {
        vec![SourceStatus {
            signal: "limits",
            source: "procfs",
            degraded: None,
        }]
    }

    fn lost(&self) -> Vec<Lost> {
        Vec::new()
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
