//! Limits of processes and users, from records as the walk brings them.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use hostlens_ebpf::wire::{TaskFlags, TaskKind, TaskRecord};

use super::{DescriptorLimits, FdTypes, user_threads};
use crate::{
    aggregate::{ProcessCaps, ProcessConfig, ProcessTable, WalkOutcome},
    clock::Moment,
    collect::{Names, ProcessSink},
    model::{LimitRow, Limited},
};

struct Plain;

impl Names for Plain {
    fn process(&mut self, record: &TaskRecord) -> Arc<str> {
        format!("worker-{}", record.ppid).into()
    }
    fn user(&mut self, uid: u32) -> Arc<str> {
        uid.to_string().into()
    }
    fn service(&mut self, _: &TaskRecord) -> Arc<str> {
        "".into()
    }
}

fn process(tgid: u32, group: u32, open_fds: u32, fd_limit: u64) -> TaskRecord {
    TaskRecord {
        kind: TaskKind::Process as u32,
        tgid,
        start_ns: 1_000,
        ppid: group,
        uid: group,
        threads: 3,
        open_fds,
        fd_limit,
        flags: TaskFlags::HAS_MM,
        ..TaskRecord::default()
    }
}

fn table() -> ProcessTable {
    ProcessTable::new(ProcessConfig {
        budget: 10,
        retention: Duration::from_secs(60),
        service_label: true,
        details: false,
    })
}

fn walk(table: &mut ProcessTable, at: Moment, records: &[TaskRecord]) {
    table.begin(at);
    for record in records {
        table.process(record, &mut Plain);
    }
    let complete = WalkOutcome { complete: true };
    table.finish(at, complete, ProcessCaps::default());
}

fn start() -> Moment {
    Moment {
        mono_ns: 1_000_000_000_000,
        boot_ns: 1_000_000_000_000,
        wall: UNIX_EPOCH,
    }
}

fn of<'a>(rows: &'a [LimitRow], group: &str) -> &'a LimitRow {
    let found = rows.iter().find(|row| match &row.of {
        Limited::Process(owner) => &*owner.process == group,
        _ => false,
    });
    found.unwrap()
}

#[test]
fn a_leak_is_the_worst_member_and_has_an_end() {
    let (mut table, mut limits) = (table(), DescriptorLimits::default());
    let mut rows = Vec::new();
    // One descriptor a second in a process that is not the fullest of its group.
    for cycle in 0..12 {
        let at = start().plus(Duration::from_secs(5 * u64::from(cycle)));
        let records = [
            process(1, 7, 100 + 5 * cycle, 1_024),
            process(2, 7, 700, 1_024),
            process(3, 8, 3, 1_024),
            process(4, 9, 500, u64::MAX),
            TaskRecord {
                flags: TaskFlags::KERNEL_THREAD,
                ..process(5, 6, 0, 1_024)
            },
        ];
        walk(&mut table, at, &records);
        rows = limits.rows(at, &table);
    }
    assert_eq!(rows.len(), 2, "none without a limit: {rows:?}");
    let leaking = of(&rows, "worker-7");
    assert_eq!((leaking.used, leaking.limit), (700, 1_024));
    let room = 1_024.0 - 155.0;
    let seconds = leaking.seconds_to_full.unwrap();
    assert!((seconds - room).abs() < 5.0, "{seconds}");
    let calm = of(&rows, "worker-8");
    assert_eq!((calm.used, calm.seconds_to_full), (3, None));
    assert_eq!(limits.watched(), 2);
    // Gone with its process.
    for cycle in 12..15 {
        let at = start().plus(Duration::from_secs(5 * cycle));
        walk(&mut table, at, &[process(2, 7, 700, 1_024)]);
        rows = limits.rows(at, &table);
    }
    assert_eq!(of(&rows, "worker-7").seconds_to_full, None);
    assert_eq!(limits.watched(), 1);
}

#[test]
fn only_so_many_are_watched() {
    let (mut table, mut limits) = (table(), DescriptorLimits::default());
    let most = DescriptorLimits::capacity() as u32;
    let records: Vec<_> = (0..most + 100)
        .map(|n| process(n + 1, 7, 100 + n, 1_024))
        .collect();
    walk(&mut table, start(), &records);
    let rows = limits.rows(start(), &table);
    assert_eq!(of(&rows, "worker-7").used, u64::from(most) + 199);
    assert_eq!(limits.watched(), most as usize);
}

#[test]
fn a_user_has_the_strictest_limit_of_its_processes() {
    let mut table = table();
    let records = [
        process(1, 7, 3, 1_024),
        process(2, 7, 3, 1_024),
        process(3, 8, 3, 1_024),
        process(4, 0, 3, 1_024),
    ];
    walk(&mut table, start(), &records);
    let rows = user_threads(&table, |id| match id.tgid {
        1 => Some(64),
        2 => Some(32),
        4 => Some(1),
        _ => None,
    });
    let [row] = &rows[..] else {
        unreachable!("neither root nor who has no limit: {rows:?}")
    };
    assert_eq!(row.of, Limited::User("7".into()));
    assert_eq!((row.used, row.limit), (6, 32));
}

#[test]
fn types_are_those_of_the_last_whole_pass() {
    let (mut table, mut types) = (table(), FdTypes::new(2));
    let records = [
        process(1, 7, 30, 1_024),
        process(2, 7, 30, 1_024),
        process(3, 8, 50, 1_024),
        process(4, 9, 40, 1_024),
        process(5, 6, 3, 1_024),
    ];
    walk(&mut table, start(), &records);
    let wanted = types.wanted(&table);
    let mut groups: Vec<u32> = wanted.iter().map(|id| id.tgid).collect();
    groups.sort_unstable();
    assert_eq!(groups, [1, 2, 3], "the two groups that hold most");
    for id in wanted {
        types.counted(id, [20, 9, 0, 1, 0]);
    }
    assert_eq!(types.rows(&table), [], "the pass is not over");
    types.turn();
    let rows = types.rows(&table);
    let shown: Vec<_> = rows
        .iter()
        .map(|row| (&*row.owner.process, row.counts))
        .collect();
    assert_eq!(
        shown,
        [
            ("worker-7", [40, 18, 0, 2, 0]),
            ("worker-8", [20, 9, 0, 1, 0]),
        ]
    );
}
