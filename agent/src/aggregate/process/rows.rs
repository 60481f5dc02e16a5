//! Rows for the snapshot.

use hostlens_ebpf::wire::TaskFlags;

use super::{
    account::{ProcessAccount, ProcessKey},
    entry::Entry,
    jobs::job_of,
    table::ProcessTable,
};
use crate::{
    aggregate::{birth::View, group::RowView},
    model::{BirthGate, Budget, MemberRow, Memory, OTHER, ProcessId, ProcessRow},
};

/// Gauges of one row over its processes.
#[derive(Clone, Copy, Debug, Default)]
struct Gauges {
    memory: Option<Memory>,
    open_fds: Option<u64>,
    fd_limit_ratio: Option<f64>,
    processes: u64,
    threads: u64,
    oldest_ns: Option<u64>,
}

impl Gauges {
    fn add(&mut self, id: ProcessId, entry: &Entry) {
        if let Some(memory) = entry.memory {
            let sum = self.memory.get_or_insert_default();
            sum.anon += memory.anon;
            sum.swap += memory.swap;
            // Shared pages count in every process: the largest member stands for all.
            sum.file = sum.file.max(memory.file);
            sum.shmem = sum.shmem.max(memory.shmem);
        }
        if let Some(open) = entry.open_fds {
            *self.open_fds.get_or_insert_default() += open;
            if entry.fd_limit > 0 && entry.fd_limit < u64::MAX {
                let ratio = open as f64 / entry.fd_limit as f64;
                self.fd_limit_ratio = Some(self.fd_limit_ratio.map_or(ratio, |r| r.max(ratio)));
            }
        }
        self.processes += 1;
        self.threads += u64::from(entry.threads);
        let oldest = self.oldest_ns.unwrap_or(u64::MAX);
        self.oldest_ns = Some(oldest.min(id.start_ns));
    }
}

impl ProcessTable {
    /// The rows of the snapshot with this sequence: heaviest first, all folded groups last. To be
    /// called once after each `finish`: it also decides who keeps a name. Empty before the first.
    pub fn rows(&mut self, sequence: u64, gate: BirthGate) -> Vec<ProcessRow> {
        let Some(now) = self.now else {
            return Vec::new();
        };
        self.groups.arrange(&View {
            sequence,
            gate,
            now,
            seconds: self.seconds,
            window_ns: 0,
        });
        if let Some(moved) = self.groups.compact() {
            for entry in self.entries.values_mut() {
                let group = moved.get(entry.group as usize).copied();
                entry.group = group.unwrap_or(u32::MAX);
            }
        }
        let mut gauges = vec![Gauges::default(); self.groups.gauge_count()];
        for (&id, entry) in &self.entries {
            if let Some(gauges) = gauges.get_mut(self.groups.gauge_index(entry.group)) {
                gauges.add(id, entry);
            }
        }
        let rows = self.groups.rows().into_iter();
        rows.map(|view| self.row(&view, &gauges)).collect()
    }

    /// Single processes; empty unless details were asked for.
    pub fn members(&self) -> Vec<MemberRow> {
        if !self.config.details {
            return Vec::new();
        }
        let members = self.entries.iter().filter_map(|(id, entry)| {
            let key = self.groups.key(entry.group)?;
            Some(MemberRow {
                pid: id.tgid,
                ppid: entry.ppid,
                process: key.process.clone(),
                user: key.user.clone(),
                service: key.service.clone(),
                threads: entry.threads,
                cpu_ns: entry.cpu_ns(),
                memory: entry.memory,
                open_fds: entry.open_fds,
                start_seconds: self.start_seconds(id.start_ns),
                rates: entry.rates,
                job: job_of(entry),
            })
        });
        members.collect()
    }

    /// State of the budget.
    pub fn budgets(&self) -> Vec<Budget> {
        vec![self.groups.budget("process")]
    }

    /// Label sets shown as 0 until scrapers have seen their birth.
    pub fn held(&self) -> u64 {
        self.groups.held()
    }

    pub(super) fn start_seconds(&self, start_ns: u64) -> f64 {
        self.boot_seconds + start_ns as f64 / 1e9
    }

    fn row(&self, view: &RowView<'_, ProcessKey, ProcessAccount>, gauges: &[Gauges]) -> ProcessRow {
        let account = view.account;
        let (counts, known) = (&account.counts, account.known);
        let gauges = match gauges.get(view.index) {
            Some(gauges) if view.live => *gauges,
            _ => Gauges::default(),
        };
        let key = view.key.cloned().unwrap_or_else(|| ProcessKey {
            process: OTHER.into(),
            user: OTHER.into(),
            service: OTHER.into(),
        });
        let exits = account.exits.iter();
        ProcessRow {
            process: key.process,
            user: key.user,
            service: key.service,
            folded: view.key.is_none(),
            held: view.held,
            live: view.live,
            user_ns: account.cpu.user,
            system_ns: account.cpu.system,
            memory: gauges.memory,
            read_bytes: self.caps.disk.then_some(counts.read_bytes),
            write_bytes: self.caps.disk.then_some(counts.write_bytes),
            open_fds: gauges.open_fds,
            fd_limit_ratio: gauges.fd_limit_ratio,
            minor_faults: counts.minor_faults,
            major_faults: counts.major_faults,
            voluntary_switches: self.caps.switches.then_some(counts.voluntary),
            involuntary_switches: self.caps.switches.then_some(counts.involuntary),
            run_delay_ns: known.then(TaskFlags::RUN_DELAY, counts.run_delay_ns),
            block_delay_ns: known.then(TaskFlags::BLOCK_DELAY, counts.block_delay_ns),
            processes: gauges.processes,
            threads: gauges.threads,
            oldest_start_seconds: gauges.oldest_ns.map(|start| self.start_seconds(start)),
            started: account.started,
            exited: self.caps.ends.then(|| {
                exits
                    .map(|exit| (exit.reason, exit.count, exit.birth.held() || view.held))
                    .collect()
            }),
            rates: account.rates,
        }
    }
}
