#![allow(clippy::unwrap_used, reason = "tests")]

use std::{cell::Cell, net::IpAddr, time::Duration};

use super::*;
use crate::{
    aggregate::Owners,
    clock::Moment,
    collect::dns::{Lookup, Outcome},
    model::{BirthGate, DnsKey, DnsRow, Owner},
};

const SECOND: Duration = Duration::from_secs(1);
const MS: u64 = 1_000_000;

/// Knows everybody, or only process 1.
struct Known(Cell<bool>);

impl Owners for Known {
    fn owner(&self, tgid: u32, _start_ns: u64) -> Option<Owner> {
        (tgid == 1 || self.0.get()).then(|| owner(tgid))
    }
}

fn owner(tgid: u32) -> Owner {
    Owner {
        process: format!("p{tgid}").into(),
        user: "u".into(),
        service: "".into(),
    }
}

fn resolver() -> IpAddr {
    [127, 0, 0, 53].into()
}

fn lookup(tgid: u32, name: &str, outcome: Outcome) -> Lookup {
    Lookup {
        tgid,
        start_ns: 9,
        resolver: resolver(),
        name: name.into(),
        outcome,
    }
}

fn answer(rcode: u8, ms: u64) -> Outcome {
    Outcome::Answer { rcode, ns: ms * MS }
}

struct Bench {
    table: DnsTable,
    owners: Known,
    now: Moment,
    sequence: u64,
}

impl Bench {
    fn new(budget: usize) -> Self {
        Self {
            table: DnsTable::new(DnsConfig {
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

    fn add(&mut self, lookup: Lookup) {
        self.table.lookup(lookup, &self.owners);
    }

    fn cycle(&mut self) -> Vec<DnsRow> {
        self.now = self.now.plus(5 * SECOND);
        self.sequence += 1;
        self.table.finish(self.now, &self.owners);
        self.table.rows(self.sequence, BirthGate::default())
    }
}

fn key(owner: Owner) -> DnsKey {
    DnsKey::Asker {
        owner,
        resolver: resolver(),
    }
}

#[test]
fn outcomes_are_counted_and_timed() {
    let mut bench = Bench::new(10);
    bench.cycle();
    for ms in [50, 50, 52] {
        bench.add(lookup(1, "good", answer(0, ms)));
    }
    bench.add(lookup(1, "bad", answer(3, 1)));
    bench.add(lookup(1, "worse", answer(2, 1)));
    bench.add(lookup(1, "odd", answer(16, 1)));
    bench.add(lookup(1, "silent", Outcome::Timeout));
    let rows = bench.cycle();
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!(row.key, key(owner(1)));
    assert_eq!(row.responses, [3, 0, 1, 1, 0, 0, 1]);
    assert_eq!((row.timeouts, row.seconds.count()), (1, 6));
    assert_eq!(row.seconds.sum_ns(), 155 * MS);
    assert_eq!((row.rate, row.failure_rate), (1.2, 0.8));
    let [median, p95] = row.quantiles.unwrap();
    assert!((0.001..0.051).contains(&median) && (0.05..0.053).contains(&p95));
    let failing: Vec<_> = row
        .failing
        .iter()
        .map(|one| (&*one.name, one.outcome))
        .collect();
    let expected = [
        ("silent", "timeout"),
        ("odd", "other"),
        ("worse", "SERVFAIL"),
        ("bad", "NXDOMAIN"),
    ];
    assert_eq!(failing, expected);
    let quiet = bench.cycle();
    assert_eq!((quiet[0].rate, quiet[0].timeouts), (0.0, 1));
}

#[test]
fn only_the_last_names_that_failed_are_kept() {
    let mut bench = Bench::new(10);
    for number in 0..30 {
        bench.add(lookup(1, &format!("name{number}"), answer(3, 1)));
    }
    bench.add(lookup(1, "name25", answer(3, 1)));
    let rows = bench.cycle();
    let names: Vec<_> = rows[0]
        .failing
        .iter()
        .map(|one| one.name.to_string())
        .collect();
    assert_eq!(names.len(), 10);
    assert_eq!(names[..3], ["name25", "name29", "name28"]);
}

#[test]
fn an_asker_not_known_yet_is_waited_for() {
    let mut bench = Bench::new(10);
    bench.owners.0.set(false);
    bench.add(lookup(1, "a", answer(0, 1)));
    bench.add(lookup(2, "b", answer(0, 1)));
    bench.add(lookup(0, "c", answer(0, 1)));
    let keys = |rows: &[DnsRow]| {
        let mut keys: Vec<_> = rows.iter().map(|row| row.key.clone()).collect();
        keys.sort();
        keys
    };
    let first = [key(owner(1)), key(Owner::unknown())];
    assert_eq!(keys(&bench.cycle()), first);
    assert_eq!(keys(&bench.cycle()), first);
    bench.owners.0.set(true);
    let rows = bench.cycle();
    assert_eq!(
        keys(&rows),
        [key(owner(1)), key(owner(2)), key(Owner::unknown())]
    );
    assert!(rows.iter().all(|row| row.responses[0] == 1));

    bench.owners.0.set(false);
    bench.add(lookup(3, "d", answer(0, 1)));
    let unknown = |rows: &[DnsRow]| {
        let row = rows.iter().find(|row| row.key == key(Owner::unknown()));
        row.unwrap().responses[0]
    };
    assert_eq!(unknown(&bench.cycle()), 1);
    assert_eq!(unknown(&bench.cycle()), 1);
    assert_eq!(unknown(&bench.cycle()), 2, "nobody came forward");
}

#[test]
fn beyond_the_budget_sums_stay_exact() {
    let mut bench = Bench::new(5);
    bench.cycle();
    for round in 1..=3 {
        for tgid in 1..=20 {
            for _ in 0..tgid {
                bench.add(lookup(tgid, "n", answer(0, 2)));
            }
        }
        let rows = bench.cycle();
        assert!(rows.len() <= 6, "{}", rows.len());
        assert_eq!(rows.last().unwrap().key, DnsKey::Folded);
        let answers: u64 = rows.iter().map(|row| row.responses[0]).sum();
        assert_eq!(answers, round * 210);
        assert_eq!(rows[0].key, key(owner(20)));
    }
}
