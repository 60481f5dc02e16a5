//! Counters, rows and owners.

use hostlens_ebpf::wire::{ListenRecord, UNKNOWN_U64};

use super::{Host, POLLS, key, mapped, one, owner};
use crate::{aggregate::listener::table::GONE, model::ListenerKey};

#[test]
fn an_old_listener_brings_no_burst_and_a_newborn_counts_from_nothing() {
    let mut host = Host::new();
    let old = ListenRecord {
        drops: 1_000,
        queue: 5,
        high_water: 5,
        resets: 7,
        ..Host::old(1, 80)
    };
    let new = ListenRecord {
        drops: 3,
        established: 9,
        queue: 2,
        resets: 1,
        ..host.newborn(2, 81)
    };
    let rows = host.cycle(&mut [old, new]);
    let counted = |port: u16| {
        let row = rows
            .iter()
            .find(|row| row.key == key("0.0.0.0", port, "web"));
        let row = row.unwrap();
        (row.drops, row.accepted, row.resets)
    };
    assert_eq!(counted(80), (0, Some(0), Some(0)));
    assert_eq!(counted(81), (3, Some(7), Some(1)));
    // Two of the five were accepted, one more came.
    let later = ListenRecord {
        drops: 1_004,
        queue: 4,
        established: 1,
        ..old
    };
    let rows = host.cycle(&mut [later, new]);
    let row = rows.iter().find(|row| row.key == key("0.0.0.0", 80, "web"));
    let row = row.unwrap();
    assert_eq!((row.drops, row.accepted), (4, Some(2)));
    assert_eq!((row.queue_length, row.high_water), (4, 5));
    assert!(row.live && row.judged);
    assert!((row.rates.drops - 4.0 / 4.961).abs() < 0.01);
}

#[test]
fn counters_wrap_restart_and_never_fall() {
    let mut host = Host::new();
    let mut record = ListenRecord {
        drops: u32::MAX - 1,
        established: 10,
        ..Host::old(1, 80)
    };
    host.cycle(&mut [record]);
    record.drops = 2;
    record.queue = 3;
    host.cycle(&mut [record]);
    record.queue = 0;
    let row = one(host.cycle(&mut [record]));
    assert_eq!((row.drops, row.accepted), (4, Some(0)), "read apart");
    record.established = 15;
    assert_eq!(one(host.cycle(&mut [record])).accepted, Some(5));
    // It listens anew.
    record.established = 1;
    record.drops = 1;
    host.cycle(&mut [record]);
    record.established = 4;
    let row = one(host.cycle(&mut [record]));
    assert_eq!((row.drops, row.accepted), (5, Some(8)));
}

#[test]
fn what_the_source_does_not_count_is_absent() {
    let mut host = Host::new();
    let record = ListenRecord {
        established: UNKNOWN_U64,
        resets: UNKNOWN_U64,
        oldest_wait_ns: UNKNOWN_U64,
        queue: 3,
        ..Host::old(1, 80)
    };
    let row = one(host.cycle(&mut [record]));
    assert_eq!((row.accepted, row.resets), (None, None));
    assert_eq!(row.oldest_wait_seconds, None);
    assert_eq!((row.processes, row.threads), (None, None));
}

#[test]
fn sockets_that_share_labels_are_one_row() {
    let mut host = Host::new();
    let mut records: Vec<ListenRecord> = (1..=50)
        .map(|netns| ListenRecord {
            netns,
            queue: 10,
            established: 10,
            limit: 1_000,
            ..host.newborn(u64::from(netns), 80)
        })
        .collect();
    records[6].limit = 16;
    records[6].oldest_wait_ns = 2_500_000_000;
    records[7].high_water = 700;
    records[7].established = 30;
    let row = one(host.cycle(&mut records));
    assert_eq!(row.sockets, 50);
    assert_eq!((row.queue_length, row.queue_limit, row.netns), (10, 16, 7));
    assert_eq!(row.high_water, 700);
    assert_eq!(row.accepted, Some(20));
    assert_eq!(row.oldest_wait_seconds, Some(2.5));
    assert_eq!(row.accept_imbalance, None, "one socket in each namespace");
}

#[test]
fn a_listener_that_goes_leaves_its_counters() {
    let mut host = Host::new();
    let born = host.newborn(1, 80);
    host.cycle(&mut [born]);
    let last = ListenRecord {
        ended: 1,
        drops: 5,
        established: 3,
        queue: 1,
        ..born
    };
    host.poll(&[last]);
    // A poll's record that was under way.
    host.poll(&[ListenRecord { drops: 4, ..born }]);
    let row = one(host.cycle(&mut []));
    assert!(!row.live);
    assert_eq!((row.drops, row.accepted), (5, Some(2)));
    assert_eq!((row.sockets, row.queue_length, row.high_water), (0, 0, 0));
    assert_eq!(host.table.tracked(), 0);
}

#[test]
fn a_listener_without_a_last_record_goes_after_some_complete_polls() {
    let mut host = Host::new();
    let record = ListenRecord {
        drops: 100,
        ..host.newborn(1, 80)
    };
    host.cycle(&mut [record]);
    host.table.begin_poll(host.now);
    host.table.end_poll(false);
    host.poll(&[]);
    host.poll(&[record, record]);
    for _ in 1..GONE {
        host.poll(&[]);
    }
    assert_eq!(host.table.tracked(), 1);
    host.poll(&[]);
    assert_eq!(host.table.tracked(), 0);
    // Seen again after all: what it had counted is not counted twice.
    let row = one(host.cycle(&mut [record]));
    assert!(row.live);
    assert_eq!(row.drops, 100);
}

#[test]
fn one_that_lived_between_two_cycles_counts_for_its_owner() {
    let mut host = Host::new();
    let born = ListenRecord {
        owner_tgid: 30,
        ..host.newborn(1, 80)
    };
    host.poll(&[born]);
    host.poll(&[ListenRecord {
        ended: 1,
        established: 4,
        ..born
    }]);
    assert!(host.finish().is_empty(), "its owner is not known yet");
    host.known.0.insert(30, "brief");
    let row = one(host.finish());
    assert_eq!(row.key, key("0.0.0.0", 80, "brief"));
    assert_eq!((row.live, row.accepted), (false, Some(4)));
}

#[test]
fn an_owner_nobody_knows_is_unknown_after_two_cycles_and_may_be_found_later() {
    let mut host = Host::new();
    let mut record = ListenRecord {
        owner_tgid: 0,
        owner_start_ns: 0,
        ..Host::old(1, 80)
    };
    assert!(host.cycle(&mut [record]).is_empty());
    assert!(host.cycle(&mut [record]).is_empty());
    let row = one(host.cycle(&mut [record]));
    assert_eq!(row.key, key_of("unknown", "unknown"));
    record.owner_tgid = 10;
    let rows = host.cycle(&mut [record]);
    let live: Vec<_> = rows.iter().filter(|row| row.live).collect();
    assert_eq!(live.len(), 1);
    assert_eq!(live[0].key, key("0.0.0.0", 80, "web"));
}

fn key_of(process: &str, user: &str) -> ListenerKey {
    let mut owner = owner(process);
    owner.user = user.into();
    ListenerKey::Bound {
        ip: "0.0.0.0".parse().unwrap(),
        port: 80,
        owner,
    }
}

#[test]
fn beyond_the_budget_rows_are_folded_and_sums_stay() {
    let mut host = Host::with_budget(10);
    let mut records: Vec<ListenRecord> = (1..=40u16)
        .map(|port| ListenRecord {
            drops: u32::from(port),
            established: 100,
            ..host.newborn(u64::from(port), port)
        })
        .collect();
    let rows = host.cycle(&mut records);
    assert_eq!(rows.len(), 10, "nine by name, one tenth is left free");
    let other = rows.last().unwrap();
    assert_eq!(other.key, ListenerKey::Folded);
    assert_eq!(other.sockets, 31);
    let drops: u64 = rows.iter().map(|row| row.drops).sum();
    assert_eq!(drops, (1..=40).sum::<u64>());
    assert_eq!(host.table.budgets()[0].folded, 31);
}

#[test]
fn accepts_are_uneven_among_sockets_and_among_workers() {
    let mut host = Host::new();
    let share = |id: u64, established: u64, host: &Host| ListenRecord {
        established,
        ..host.newborn(id, 80)
    };
    let mut records = [
        share(1, 30, &host),
        share(2, 10, &host),
        share(3, 20, &host),
    ];
    let row = one(host.cycle(&mut records));
    assert_eq!(row.accept_imbalance, Some(1.5));

    let mut host = Host::new();
    let record = ListenRecord {
        local_addr: mapped("::"),
        v6: 1,
        ..host.newborn(1, 80)
    };
    host.poll(&[record]);
    for worker in [11, 11, 11, 12] {
        host.table.note_accept(1, worker);
    }
    for _ in 0..POLLS {
        host.poll(&[record]);
    }
    let row = one(host.finish());
    assert_eq!(row.key, key("::", 80, "web"));
    assert_eq!(row.accept_imbalance, Some(1.5));
}
