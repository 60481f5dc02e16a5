#![allow(clippy::unwrap_used, reason = "tests")]

use std::{cell::Cell, time::Duration};

use super::*;
use crate::{
    aggregate::Owners,
    clock::Moment,
    collect::swap::{SwapParty, SwapTransfer, totals::SwapTotals},
    model::{BirthGate, Owner, SwapKey, SwapMeasure, SwapNobody, SwapRow, SwapUnattributed},
};

const SECOND: Duration = Duration::from_secs(1);
const PAGE: u64 = 4096;

/// Knows everybody, or only process 1.
struct Known(Cell<bool>);

impl Owners for Known {
    fn owner(&self, tgid: u32, _start_ns: u64) -> Option<Owner> {
        (tgid == 1 || self.0.get()).then(|| Owner {
            process: format!("p{tgid}").into(),
            ..Owner::unknown()
        })
    }
}

struct Bench {
    table: SwapTable,
    owners: Known,
    now: Moment,
    sequence: u64,
}

impl Bench {
    fn new(budget: usize) -> Self {
        Self {
            table: SwapTable::new(
                SwapConfig {
                    budget,
                    retention: 900 * SECOND,
                    service_label: true,
                    details: true,
                },
                SwapMeasure::Moved,
            ),
            owners: Known(Cell::new(true)),
            now: Moment {
                mono_ns: 0,
                boot_ns: 0,
                wall: std::time::UNIX_EPOCH,
            },
            sequence: 0,
        }
    }

    fn process(&mut self, tgid: u32, in_pages: u64, out_pages: u64) {
        self.party(
            SwapParty::Process { tgid, start_ns: 9 },
            in_pages,
            out_pages,
        );
    }

    fn party(&mut self, party: SwapParty, in_pages: u64, out_pages: u64) {
        self.table.transfer(SwapTransfer {
            party,
            in_bytes: in_pages * PAGE,
            out_bytes: out_pages * PAGE,
        });
    }

    fn cycle(&mut self, zswap_pages: u64) -> Vec<SwapRow> {
        self.now = self.now.plus(5 * SECOND);
        self.sequence += 1;
        self.table
            .finish(self.now, zswap_pages * PAGE, &self.owners, &mut |cgroup| {
                format!("unit{cgroup}").into()
            });
        self.table.rows(self.sequence, BirthGate::default())
    }
}

/// In and out, pages, by the name of the process.
fn pages(rows: &[SwapRow]) -> Vec<(String, u64, u64)> {
    let mut pages: Vec<_> = rows
        .iter()
        .map(|row| {
            let name = match &row.key {
                SwapKey::Owner(owner) => owner.process.to_string(),
                SwapKey::Nobody { kind, service } => format!("{}{service}", kind.name()),
                SwapKey::Folded => "other".to_owned(),
            };
            (name, row.in_bytes / PAGE, row.out_bytes / PAGE)
        })
        .collect();
    pages.sort();
    pages
}

fn row(name: &str, in_pages: u64, out_pages: u64) -> (String, u64, u64) {
    (name.to_owned(), in_pages, out_pages)
}

#[test]
fn without_swap_io_there_are_no_rows() {
    let mut bench = Bench::new(10);
    assert!(bench.cycle(0).is_empty());
    bench.process(1, 0, 0);
    assert!(bench.cycle(7).is_empty());
}

#[test]
fn both_directions_add_up_by_owner() {
    let mut bench = Bench::new(10);
    bench.process(1, 0, 100);
    bench.process(2, 3, 0);
    bench.process(1, 20, 0);
    assert_eq!(
        pages(&bench.cycle(0)),
        [row("p1", 20, 100), row("p2", 3, 0)]
    );
    bench.process(1, 5, 0);
    let rows = bench.cycle(0);
    assert_eq!(pages(&rows), [row("p1", 25, 100), row("p2", 3, 0)]);
    assert_eq!(bench.table.single().len(), 1);
    assert_eq!(bench.table.single()[&1].in_bytes, PAGE as f64);
    let first = rows.iter().find(|row| row.out_bytes > 0).unwrap();
    assert_eq!(first.rates.in_bytes, PAGE as f64);
    assert_eq!(first.rates.out_bytes, 0.0);
}

#[test]
fn an_owner_is_waited_for_and_nothing_is_lost_without() {
    let mut bench = Bench::new(10);
    bench.owners.0.set(false);
    bench.process(7, 1, 2);
    bench.process(8, 4, 0);
    assert!(bench.cycle(0).is_empty());
    bench.owners.0.set(true);
    // Named by its final record meanwhile.
    assert_eq!(pages(&bench.cycle(0)), [row("p7", 1, 2), row("p8", 4, 0)]);
    bench.owners.0.set(false);
    bench.process(9, 0, 6);
    for _ in 0..2 {
        assert_eq!(bench.cycle(0).len(), 2);
    }
    assert_eq!(
        pages(&bench.cycle(0)),
        [row("p7", 1, 2), row("p8", 4, 0), row("unknown", 0, 6)]
    );
}

#[test]
fn what_leads_to_no_process_has_a_name_of_its_own() {
    let mut bench = Bench::new(10);
    bench.party(SwapParty::Exited, 0, 1);
    bench.party(SwapParty::Ksm, 0, 2);
    bench.party(SwapParty::Kernel, 3, 0);
    bench.party(SwapParty::Mapless { cgroup: 1 }, 0, 4);
    bench.party(SwapParty::Mapless { cgroup: 2 }, 0, 5);
    assert_eq!(
        pages(&bench.cycle(2)),
        [
            row("[exited]", 0, 1),
            row("[kernel]", 3, 0),
            row("[ksm]", 0, 2),
            row("[shmem]unit1", 0, 4),
            row("[shmem]unit2", 0, 3),
            row("[zswap writeback]", 0, 2),
        ]
    );
    // More written back than was seen: no page of shared memory is made up.
    bench.party(SwapParty::Mapless { cgroup: 1 }, 0, 1);
    let rows = bench.cycle(9);
    let shmem = rows
        .iter()
        .find(|row| {
            row.key
                == SwapKey::Nobody {
                    kind: SwapNobody::Shmem,
                    service: "unit1".into(),
                }
        })
        .unwrap();
    assert_eq!(shmem.out_bytes, 4 * PAGE);
}

#[test]
fn beyond_the_budget_sums_are_kept() {
    let mut bench = Bench::new(4);
    for tgid in 1..=20 {
        bench.process(tgid, u64::from(tgid), 0);
    }
    let rows = bench.cycle(0);
    assert!(rows.iter().any(|row| row.key == SwapKey::Folded));
    assert!(rows.len() <= 5);
    assert_eq!(rows.iter().map(|row| row.in_bytes).sum::<u64>(), 210 * PAGE);
}

fn kernel(in_bytes: u64, out_bytes: u64, zswap_bytes: u64) -> SwapTotals {
    SwapTotals {
        in_bytes,
        out_bytes,
        zswap_bytes,
    }
}

#[test]
fn what_nobody_is_charged_with_never_goes_down() {
    let mut balance = SwapBalance::default();
    assert_eq!(balance.compare(kernel(500, 500, 500), 9, 9), 0, "not begun");
    balance.begin(kernel(1000, 2000, 10));
    // Charged before it is counted.
    assert_eq!(balance.compare(kernel(1000, 2100, 15), 40, 60), 5);
    let unattributed = |balance: &SwapBalance| {
        let SwapUnattributed {
            in_bytes,
            out_bytes,
        } = balance.unattributed();
        (in_bytes, out_bytes)
    };
    assert_eq!(unattributed(&balance), (0, 40));
    balance.compare(kernel(1100, 2100, 15), 50, 30);
    assert_eq!(unattributed(&balance), (10, 40));
    assert_eq!(balance.read(), (90, 100));
    // While it is not charged, nothing is missing.
    balance.end();
    balance.begin(kernel(9000, 9000, 15));
    balance.compare(kernel(9000, 9030, 15), 0, 0);
    assert_eq!(unattributed(&balance), (10, 40));
    assert_eq!(balance.written(), (90, 130));
}
