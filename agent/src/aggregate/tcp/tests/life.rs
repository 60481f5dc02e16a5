//! Identities: absence, ends, reuse, overflow; the life of a row.

use super::*;
use crate::model::ConnectionState;
use hostlens_ebpf::wire::SockTotals;

fn newborn(rig: &Rig, id: u64, bytes: u64) -> SockRecord {
    SockRecord {
        born_ns: rig.born(),
        bytes_sent: bytes,
        unread: 5,
        ..socket(id)
    }
}

#[test]
fn absence_from_one_walk_is_not_death() {
    let mut rig = Rig::new(10);
    rig.cycle(&[]);
    let mut record = newborn(&rig, 1, 100);
    rig.cycle(&[record]);
    let rows = rig.cycle(&[]);
    let peer = row(&rows, postgres());
    assert!(peer.live);
    assert_eq!((peer.unread_bytes, peer.connections[0]), (5, Some(1)));
    record.bytes_sent = 150;
    let rows = rig.cycle(&[record]);
    assert_eq!(row(&rows, postgres()).sent_bytes, 150);
    rig.cycle(&[]);
    let rows = rig.cycle(&[]);
    let peer = row(&rows, postgres());
    assert!(!peer.live);
    assert_eq!((peer.sent_bytes, rig.table.tracked()), (150, 0));
}

#[test]
fn walks_that_failed_take_nobody_away() {
    let mut rig = Rig::new(10);
    rig.cycle(&[]);
    let record = newborn(&rig, 1, 100);
    rig.cycle(&[record]);
    for _ in 0..5 {
        let rows = rig.cycle_with(false, |_| ());
        assert_eq!(row(&rows, postgres()).connections[0], Some(1));
    }
    assert_eq!(rig.table.tracked(), 1);
}

#[test]
fn a_record_that_comes_after_the_end_is_not_a_rebirth() {
    let mut rig = Rig::new(10);
    rig.cycle(&[]);
    let record = newborn(&rig, 1, 100);
    let rows = rig.cycle(&[record, ended(record), record]);
    assert_eq!(
        (row(&rows, postgres()).sent_bytes, rig.table.tracked()),
        (100, 0)
    );
    let rows = rig.cycle(&[record]);
    assert_eq!(
        (row(&rows, postgres()).sent_bytes, rig.table.tracked()),
        (100, 0)
    );
}

#[test]
fn reuse_of_an_id_with_another_birth_is_a_new_connection() {
    let mut rig = Rig::new(10);
    rig.cycle(&[]);
    rig.cycle(&[newborn(&rig, 1, 1_000)]);
    let rows = rig.cycle(&[newborn(&rig, 1, 3_000)]);
    assert_eq!(row(&rows, postgres()).sent_bytes, 4_000);
}

#[test]
fn reuse_of_a_tuple_shows_in_counters_that_fell() {
    let mut rig = Rig::new(10);
    let record = |bytes_sent, bytes_received| SockRecord {
        bytes_sent,
        bytes_received,
        ..socket(1)
    };
    rig.cycle(&[record(5_000, 900)]);
    rig.cycle(&[record(6_000, 900)]);
    // Seen in the last walk, so all the new one did is new.
    let rows = rig.cycle(&[record(200, 10)]);
    let peer = row(&rows, postgres());
    assert_eq!((peer.sent_bytes, peer.received_bytes), (1_200, 10));
    assert_eq!(peer.connections[0], Some(1));
    // A FIN in passing is no reuse.
    let rows = rig.cycle(&[record(200, 9)]);
    assert_eq!(row(&rows, postgres()).sent_bytes, 1_200);
}

#[test]
fn a_failed_attempt_books_nothing() {
    let mut rig = Rig::new(10);
    rig.cycle(&[]);
    let attempt = SockRecord {
        state: tcp_state::SYN_SENT,
        born_ns: rig.born(),
        ..socket(1)
    };
    let rows = rig.cycle(&[attempt]);
    assert_eq!(
        row(&rows, postgres()).connections[ConnectionState::SynSent as usize],
        Some(1)
    );
    let failed = SockRecord {
        kind: SockKind::Failed as u8,
        total_retrans: 6,
        ..attempt
    };
    let rows = rig.cycle(&[failed]);
    let peer = row(&rows, postgres());
    assert_eq!((peer.live, peer.retransmitted_segments), (false, 0));
}

#[test]
fn a_group_that_returns_in_time_goes_on_and_later_starts_anew() {
    let mut rig = Rig::new(10);
    rig.cycle(&[]);
    let first = newborn(&rig, 1, 100);
    rig.cycle(&[ended(first)]);
    rig.cycles(100, &[]);
    let second = newborn(&rig, 2, 10);
    let rows = rig.cycle(&[ended(second)]);
    assert_eq!(row(&rows, postgres()).sent_bytes, 110);
    // 15 minutes later it is gone.
    let rows = rig.cycles(179, &[]);
    assert!(find(&rows, postgres()).is_some());
    let rows = rig.cycles(2, &[]);
    assert!(rows.is_empty());
    let third = newborn(&rig, 3, 1);
    let rows = rig.cycle(&[third]);
    assert_eq!(row(&rows, postgres()).sent_bytes, 1);
}

#[test]
fn a_birth_is_held_until_it_was_served() {
    let mut rig = Rig::new(10);
    rig.cycle(&[]);
    rig.gate.served_floor = Some(1);
    let record = newborn(&rig, 1, 100);
    assert!(row(&rig.cycle(&[record]), postgres()).held);
    assert!(row(&rig.cycle(&[record]), postgres()).held);
    assert_eq!(rig.table.held(), 1);
    rig.gate.served_floor = Some(2);
    assert!(!row(&rig.cycle(&[record]), postgres()).held);
    rig.gate.served_floor = Some(0);
    assert!(!row(&rig.cycle(&[record]), postgres()).held);
    assert_eq!(rig.table.held(), 0);
}

fn totals(connections: u64, sent_bytes: u64) -> [SockTotals; 3] {
    let mut totals = [SockTotals::default(); 3];
    totals[Direction::Outbound as usize] = SockTotals {
        connections,
        sent_bytes,
        ..SockTotals::default()
    };
    totals
}

#[test]
fn an_old_owner_that_ends_in_an_overflow_is_not_counted_twice() {
    let mut rig = Rig::new(10);
    let mut old = SockRecord {
        bytes_sent: 1_000_000,
        ..socket(1)
    };
    rig.cycle(&[old]);
    old.bytes_sent += 500;
    rig.cycle(&[old]);
    // It sent 70 more and ended; so did one of 33 bytes that no walk has seen.
    let lost = totals(2, 1_000_570 + 33);
    let mut rows = Vec::new();
    for _ in 0..4 {
        rows = rig.cycle_with(true, |table| table.lost(&lost));
    }
    assert_eq!(row(&rows, postgres()).sent_bytes, 500);
    let other = row(&rows, PeerKey::Folded(Direction::Outbound));
    assert_eq!((other.sent_bytes, other.live), (103, false));
    assert_eq!(rig.table.lost_detail()[0].count, 2);
}

#[test]
fn an_owner_may_end_in_an_overflow_after_the_walk_has_passed_it() {
    let mut rig = Rig::new(10);
    let mut record = SockRecord {
        bytes_sent: 1_000_000,
        ..socket(1)
    };
    rig.cycle(&[record]);
    record.bytes_sent += 500;
    let lost = totals(1, 1_000_570);
    rig.cycle_with(true, |table| {
        table.socket(&record);
        table.lost(&lost);
    });
    let rows = rig.cycles(6, &[]);
    assert_eq!(row(&rows, postgres()).sent_bytes, 500);
    assert_eq!(
        row(&rows, PeerKey::Folded(Direction::Outbound)).sent_bytes,
        70
    );
}
