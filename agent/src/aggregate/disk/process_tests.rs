#![allow(clippy::unwrap_used, reason = "tests")]

use std::{cell::Cell, time::Duration};

use hostlens_ebpf::wire::{DiskOp, DiskProcessKey};

use super::*;
use crate::{
    aggregate::Owners,
    clock::Moment,
    collect::disk::process::DiskProcessSample,
    model::{BirthGate, Owner, ProcessDiskRow, SampleCounts},
};

const SECOND: Duration = Duration::from_secs(1);
const MS: u64 = 1_000_000;

/// Knows everybody, or only process 1.
struct Known(Cell<bool>);

impl Owners for Known {
    fn owner(&self, tgid: u32, _start_ns: u64) -> Option<Owner> {
        (tgid == 1 || self.0.get()).then(|| owner(&format!("p{tgid}")))
    }
}

fn owner(process: &str) -> Owner {
    Owner {
        process: process.into(),
        user: "u".into(),
        service: "".into(),
    }
}

struct Bench {
    table: DiskProcessTable,
    owners: Known,
    now: Moment,
    sequence: u64,
}

impl Bench {
    fn new(budget: usize) -> Self {
        Self {
            table: DiskProcessTable::new(DiskProcessConfig {
                budget,
                window: 60 * SECOND,
                retention: 900 * SECOND,
            }),
            owners: Known(Cell::new(true)),
            now: Moment {
                mono_ns: 0,
                boot_ns: 0,
                wall: std::time::UNIX_EPOCH,
            },
            sequence: 0,
        }
    }

    fn add(&mut self, tgid: u32, op: DiskOp, millis: &[u64]) {
        let mut io = SampleCounts::default();
        for ms in millis {
            io.record(ms * MS);
        }
        let op = op as u32;
        let start_ns = 9;
        let key = DiskProcessKey { start_ns, tgid, op };
        self.table.sample(DiskProcessSample { key, io });
    }

    fn cycle(&mut self, gate: BirthGate) -> Vec<ProcessDiskRow> {
        self.now = self.now.plus(5 * SECOND);
        self.sequence += 1;
        self.table.finish(self.now, &self.owners);
        self.table.rows(self.sequence, gate)
    }
}

/// Requests of a process by operation.
fn counts(rows: &[ProcessDiskRow], process: &str) -> Vec<(DiskOp, u64)> {
    let of = |row: &&ProcessDiskRow| row.owner.as_ref().is_some_and(|o| *o.process == *process);
    let row = rows.iter().find(of);
    let ops = row.map_or(&[][..], |row| &row.ops);
    ops.iter().map(|op| (op.op, op.io.count())).collect()
}

#[test]
fn requests_are_booked_to_their_process_by_operation() {
    let mut bench = Bench::new(10);
    bench.cycle(BirthGate::default());
    bench.add(1, DiskOp::Read, &[5, 5, 20]);
    bench.add(1, DiskOp::Write, &[2]);
    bench.add(1, DiskOp::Read, &[5]);
    bench.add(2, DiskOp::Write, &[40]);
    let rows = bench.cycle(BirthGate::default());
    let expected = [(DiskOp::Read, 4), (DiskOp::Write, 1)];
    assert_eq!(counts(&rows, "p1"), expected);
    assert_eq!(counts(&rows, "p2"), [(DiskOp::Write, 1)]);
    let read = &rows[0].ops[0];
    assert_eq!(read.io.sum_ns(), 35 * MS);
    let [median, .., max] = read.io_quantiles.unwrap();
    assert!((0.0048..0.0053).contains(&median), "{median}");
    assert!((0.0195..0.0205).contains(&max), "{max}");
    let rows = bench.cycle(BirthGate::default());
    assert_eq!(counts(&rows, "p1"), expected, "nothing new, nothing lost");
}

#[test]
fn a_process_not_known_yet_is_waited_for() {
    let mut bench = Bench::new(10);
    bench.owners.0.set(false);
    bench.add(1, DiskOp::Read, &[1]);
    bench.add(2, DiskOp::Read, &[1]);
    let rows = bench.cycle(BirthGate::default());
    assert_eq!(rows.len(), 1);
    assert_eq!(counts(&rows, "p1"), [(DiskOp::Read, 1)]);
    bench.add(2, DiskOp::Read, &[1]);
    assert_eq!(bench.cycle(BirthGate::default()).len(), 1);
    bench.owners.0.set(true);
    let rows = bench.cycle(BirthGate::default());
    assert_eq!(counts(&rows, "p2"), [(DiskOp::Read, 2)]);

    bench.owners.0.set(false);
    bench.add(3, DiskOp::Write, &[1]);
    assert!(counts(&bench.cycle(BirthGate::default()), "unknown").is_empty());
    assert!(counts(&bench.cycle(BirthGate::default()), "unknown").is_empty());
    let rows = bench.cycle(BirthGate::default());
    assert_eq!(counts(&rows, "unknown"), [(DiskOp::Write, 1)]);
}

#[test]
fn beyond_the_budget_sums_stay_exact() {
    let mut bench = Bench::new(5);
    bench.cycle(BirthGate::default());
    for round in 1..=3 {
        for tgid in 1..=20 {
            bench.add(tgid, DiskOp::Read, &vec![2; tgid as usize]);
        }
        let rows = bench.cycle(BirthGate::default());
        assert!(rows.len() <= 6, "{}", rows.len());
        assert_eq!(rows.last().unwrap().owner, None);
        let ops = rows.iter().flat_map(|row| &row.ops);
        assert_eq!(ops.map(|op| op.io.count()).sum::<u64>(), round * 210);
        assert_eq!(rows[0].owner, Some(owner("p20")));
    }
}

#[test]
fn a_new_row_is_held_until_it_was_served() {
    let mut bench = Bench::new(5);
    let served = |sequence| BirthGate {
        served_floor: Some(sequence),
    };
    bench.cycle(served(0));
    bench.add(1, DiskOp::Read, &[1]);
    let rows = bench.cycle(served(1));
    assert!(rows[0].ops[0].held);
    assert_eq!(rows[0].ops[0].io.count(), 1, "the true value all the same");
    let rows = bench.cycle(served(2));
    assert!(!rows[0].ops[0].held);
}
