#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod books;
mod counters;
mod gauges;
mod groups;
mod jobs;
mod owners;
mod renaming;
mod series;
mod services;
mod swapped;

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use hostlens_ebpf::wire::{TaskCounters, TaskFlags, TaskKind, TaskRecord, ThreadRecord};

use super::{ProcessCaps, ProcessConfig, ProcessTable};
use crate::{
    aggregate::WalkOutcome,
    clock::Moment,
    collect::{Names, ProcessSink},
    model::{BirthGate, ProcessId, ProcessRow},
};

const SECOND: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;
/// First walk of the agent, ns since boot.
const START: u64 = 1_000 * SECOND;

/// Names a process by its comm and a user by its number.
#[derive(Default)]
struct Comm {
    asked: usize,
    version: u32,
    prefix: &'static str,
}

impl Names for Comm {
    fn process(&mut self, record: &TaskRecord) -> Arc<str> {
        self.asked += 1;
        let comm = record.comm.split(|&byte| byte == 0).next().unwrap();
        let comm = std::str::from_utf8(comm).unwrap();
        Arc::from(format!("{}{comm}", self.prefix))
    }

    fn version(&self, _record: &TaskRecord) -> u32 {
        self.version
    }

    fn user(&mut self, uid: u32) -> Arc<str> {
        match uid {
            0 => Arc::from("root"),
            1 => Arc::from("other"),
            uid => Arc::from(uid.to_string()),
        }
    }

    fn service(&mut self, record: &TaskRecord) -> Arc<str> {
        match record.cgroup_id {
            0 | 1 => Arc::from(""),
            id => Arc::from(format!("unit-{id}.service")),
        }
    }
}

/// A table that lives through cycles of 5 s.
struct Rig {
    table: ProcessTable,
    names: Comm,
    now: Moment,
    sequence: u64,
    gate: BirthGate,
    caps: ProcessCaps,
}

fn process(tgid: u32, comm: &str) -> TaskRecord {
    let mut record = TaskRecord {
        kind: TaskKind::Process as u32,
        tgid,
        start_ns: 10 * SECOND,
        threads: 1,
        netns: 4_026_531_840,
        fd_limit: 1_024,
        flags: TaskFlags::HAS_MM,
        ..TaskRecord::default()
    };
    record.comm[..comm.len()].copy_from_slice(comm.as_bytes());
    record
}

fn ended(record: TaskRecord, exit_code: u32) -> TaskRecord {
    TaskRecord {
        kind: TaskKind::Final as u32,
        exit_code,
        flags: 0,
        ..record
    }
}

/// The record of a process that has run so long.
fn ran(runtime_ns: u64, mut record: TaskRecord) -> TaskRecord {
    record.counters.runtime_ns = runtime_ns;
    record
}

fn thread(tgid: u32, runtime_ns: u64) -> ThreadRecord {
    ThreadRecord {
        kind: TaskKind::Thread as u32,
        tgid,
        counters: TaskCounters {
            runtime_ns,
            ..TaskCounters::default()
        },
    }
}

fn id(record: &TaskRecord) -> ProcessId {
    ProcessId {
        tgid: record.tgid,
        start_ns: record.start_ns,
    }
}

impl Rig {
    fn new(budget: usize) -> Self {
        Self {
            table: ProcessTable::new(ProcessConfig {
                budget,
                retention: Duration::from_secs(900),
                service_label: true,
                details: true,
            })
            .with_page_size(4_096),
            names: Comm::default(),
            now: Moment {
                mono_ns: START,
                boot_ns: START,
                wall: UNIX_EPOCH + Duration::from_secs(1_700_000_000),
            },
            sequence: 0,
            gate: BirthGate::default(),
            caps: ProcessCaps {
                ends: true,
                disk: true,
                switches: true,
            },
        }
    }

    fn cycle_with(
        &mut self,
        complete: bool,
        records: impl FnOnce(&mut ProcessTable, &mut Comm),
    ) -> Vec<ProcessRow> {
        self.now = self.now.plus(Duration::from_secs(5));
        self.table.begin(self.now);
        records(&mut self.table, &mut self.names);
        let end = self.now.plus(Duration::from_millis(20));
        self.table.finish(end, WalkOutcome { complete }, self.caps);
        self.sequence += 1;
        self.table.rows(self.sequence, self.gate)
    }

    fn cycle(&mut self, records: &[TaskRecord]) -> Vec<ProcessRow> {
        self.cycle_with(true, |table, names| {
            for record in records {
                table.process(record, names);
            }
        })
    }

    /// A process started a moment after the last walk began.
    fn newborn(&self, tgid: u32, comm: &str, runtime_ns: u64) -> TaskRecord {
        let start_ns = self.now.boot_ns + SECOND;
        ran(
            runtime_ns,
            TaskRecord {
                start_ns,
                ..process(tgid, comm)
            },
        )
    }
}

fn find<'a>(rows: &'a [ProcessRow], name: &str) -> Option<&'a ProcessRow> {
    rows.iter().find(|row| &*row.process == name && !row.folded)
}

fn row<'a>(rows: &'a [ProcessRow], name: &str) -> &'a ProcessRow {
    find(rows, name).unwrap_or_else(|| panic!("no row {name}"))
}

fn other(rows: &[ProcessRow]) -> &ProcessRow {
    rows.iter().find(|row| row.folded).unwrap()
}

fn cpu(row: &ProcessRow) -> u64 {
    row.user_ns + row.system_ns
}
