//! From polls to a verdict in words.

use hostlens_ebpf::wire::ListenRecord;

use super::{Host, POLLS, one};
use crate::{
    collect::listen::TaskUse,
    model::{ListenerRow, SaturationReason},
};

fn full(record: ListenRecord) -> ListenRecord {
    ListenRecord {
        queue: 129,
        high_water: 129,
        oldest_wait_ns: 4_200_000_000,
        ..record
    }
}

fn reason(row: &ListenerRow) -> Option<SaturationReason> {
    row.saturation.as_ref().map(|verdict| verdict.reason)
}

/// A cycle in which the tasks are looked at every second.
fn watched(host: &mut Host, record: ListenRecord, tasks: TaskUse) -> ListenerRow {
    let mut standing = Vec::new();
    for poll in 0..POLLS {
        host.poll(&[record]);
        host.table.standing(&mut standing);
        if poll % 12 == 0 && standing.contains(&record.id) {
            host.table.note_tasks(record.id, tasks);
        }
    }
    one(host.finish())
}

#[test]
fn a_standing_queue_is_explained_and_forgotten_once_it_drained() {
    let mut host = Host::new();
    let idle = host.newborn(1, 80);
    assert_eq!(reason(&one(host.cycle(&mut [idle]))), None);
    let blocked = TaskUse {
        processes: 2,
        threads: 2,
        seconds: 1.0,
        running: 0.02,
        waiting: 0.01,
    };
    let row = watched(&mut host, full(idle), blocked);
    assert_eq!(reason(&row), Some(SaturationReason::WorkersBusy));
    let verdict = row.saturation.unwrap();
    assert_eq!(verdict.netns, 1);
    assert!(
        verdict.what.starts_with(
            "129 connections wait (limit 128), the oldest for 4.2 s; 2 workers of web"
        ),
        "{}",
        verdict.what
    );
    let starved = TaskUse {
        running: 0.3,
        waiting: 1.7,
        ..blocked
    };
    let row = watched(&mut host, full(idle), starved);
    assert_eq!(reason(&row), Some(SaturationReason::CpuStarved));
    assert_eq!(row.high_water, 129);
    let row = one(host.cycle(&mut [idle]));
    assert_eq!(reason(&row), None);
    assert_eq!(row.high_water, 129, "still within the window");
}

#[test]
fn the_worst_socket_speaks_for_the_row() {
    let mut host = Host::new();
    let here = host.newborn(1, 80);
    let there = ListenRecord {
        netns: 2,
        ..full(host.newborn(2, 80))
    };
    let row = one(host.cycle(&mut [here, there]));
    assert_eq!(row.saturation.unwrap().netns, 2);
}

#[test]
fn bursts_that_overrun_a_short_queue() {
    let mut host = Host::new();
    let mut record = ListenRecord {
        limit: 4,
        ..host.newborn(1, 80)
    };
    let mut rows = Vec::new();
    for cycle in 0..3 {
        for poll in 0..POLLS {
            record.high_water = 0;
            // The first cycle has one burst, the next ones two each.
            if poll == 5 || cycle > 0 && poll == 40 {
                record.high_water = 5;
                record.drops += 7;
                record.established += 5;
            }
            host.poll(&[record]);
        }
        rows.push(one(host.finish()));
    }
    assert_eq!(reason(&rows[0]), None, "one burst");
    assert_eq!(reason(&rows[2]), Some(SaturationReason::BacklogTooSmall));
    assert_eq!(rows[2].drops, 35);
    let verdict = rows[2].saturation.clone().unwrap();
    assert!(
        verdict
            .what
            .starts_with("35 connection requests were dropped")
    );
    assert!(verdict.advice.contains("4096"));
    record.high_water = 0;
    for _ in 0..12 {
        host.cycle(&mut [record]);
    }
    assert_eq!(reason(&one(host.cycle(&mut [record]))), None);
}

#[test]
fn a_queue_at_a_few_polls_is_not_watched() {
    let mut host = Host::new();
    let record = host.newborn(1, 80);
    let mut standing = Vec::new();
    for poll in 0..POLLS {
        let queue = u32::from(poll % 3 == 0);
        host.poll(&[ListenRecord { queue, ..record }]);
        host.table.standing(&mut standing);
        assert!(poll <= 3 || standing.is_empty());
    }
    assert_eq!(reason(&one(host.finish())), None);
}
