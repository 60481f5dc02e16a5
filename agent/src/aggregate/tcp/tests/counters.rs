//! What records add to counters and samples.

use super::*;
use crate::model::ConnectionState;

#[test]
fn an_old_connection_is_a_baseline() {
    let mut rig = Rig::new(10);
    let mut record = SockRecord {
        bytes_sent: 5_000_000,
        srtt_us: 900,
        min_rtt_us: 400,
        delivered: 77,
        ..socket(1)
    };
    let rows = rig.cycle(&[record]);
    let first = row(&rows, postgres());
    assert_eq!((first.sent_bytes, first.rtt.count()), (0, 0));
    assert_eq!(first.min_rtt_ns, Some(400_000));
    record.bytes_sent += 1_500;
    record.bytes_retrans += 500;
    let rows = rig.cycle(&[record]);
    let second = row(&rows, postgres());
    assert_eq!(
        (second.sent_bytes, second.rtt.count()),
        (1_000, 0),
        "nothing was measured"
    );
    record.delivered += 1;
    let rows = rig.cycle(&[record, record]);
    let third = row(&rows, postgres());
    assert_eq!(
        (third.rtt.count(), third.rtt.sum_ns()),
        (1, 900_000),
        "seen twice, counted once"
    );
    assert_eq!(
        third.connections[ConnectionState::Established as usize],
        Some(1)
    );
}

#[test]
fn a_connection_born_since_counts_from_zero() {
    let mut rig = Rig::new(10);
    rig.cycle(&[]);
    let mut record = SockRecord {
        born_ns: rig.born(),
        bytes_sent: 700,
        bytes_received: 90,
        data_segs_out: 3,
        total_retrans: 1,
        srtt_us: 250,
        ..socket(1)
    };
    let rows = rig.cycle(&[record]);
    let peer = row(&rows, postgres());
    assert_eq!((peer.sent_bytes, peer.received_bytes), (700, 90));
    assert_eq!((peer.sent_segments, peer.retransmitted_segments), (3, 1));
    assert_eq!((peer.rtt.count(), peer.rtt.sum_ns()), (1, 250_000));
    assert_eq!(peer.rates.sent_bytes, 140.0);
    assert_eq!(peer.rates.retransmit_ratio, Some(1.0 / 3.0));
    // The handshake's sample is booked; nothing was measured since.
    let rows = rig.cycle(&[record]);
    assert_eq!(row(&rows, postgres()).rtt.count(), 1);
    record.delivered = 4;
    record.srtt_us = 300;
    let rows = rig.cycle(&[record]);
    assert_eq!(row(&rows, postgres()).rtt.count(), 2);
    let once: Vec<(u32, u64)> = rig.table.retransmits_by_netns().collect();
    assert_eq!(once, [(1, 1)]);
}

#[test]
fn born_before_the_last_two_complete_walks_is_old() {
    let mut rig = Rig::new(10);
    rig.cycle(&[]);
    let early = rig.born();
    rig.cycle(&[]);
    rig.cycle(&[]);
    let record = SockRecord {
        born_ns: early,
        bytes_sent: 700,
        ..socket(1)
    };
    let rows = rig.cycle(&[record]);
    assert_eq!(
        row(&rows, postgres()).sent_bytes,
        0,
        "an old socket found late is no burst"
    );
}

#[test]
fn a_failed_walk_does_not_make_others_old() {
    let mut rig = Rig::new(10);
    rig.cycle(&[]);
    let record = SockRecord {
        born_ns: rig.born(),
        bytes_sent: 700,
        ..socket(1)
    };
    rig.cycle_with(false, |_| ());
    let rows = rig.cycle(&[record]);
    assert_eq!(row(&rows, postgres()).sent_bytes, 700);
}

#[test]
fn in_the_first_cycle_only_later_births_are_new() {
    let mut rig = Rig::new(10);
    let before = SockRecord {
        born_ns: START + 4 * SECOND,
        bytes_sent: 700,
        ..socket(1)
    };
    let after = SockRecord {
        born_ns: START + 5 * SECOND + 1,
        bytes_sent: 11,
        ..socket(2)
    };
    let rows = rig.cycle(&[before, after]);
    assert_eq!(row(&rows, postgres()).sent_bytes, 11);
}

#[test]
fn a_short_life_between_two_walks_is_booked_whole() {
    let mut rig = Rig::new(10);
    rig.cycle(&[]);
    let whole = SockRecord {
        born_ns: rig.born(),
        bytes_sent: 10,
        bytes_received: 20,
        srtt_us: 40_000,
        delivered: 2,
        ..socket(1)
    };
    let rows = rig.cycle(&[ended(whole), ended(whole)]);
    let peer = row(&rows, postgres());
    assert_eq!(
        (peer.sent_bytes, peer.received_bytes, peer.rtt.count()),
        (10, 20, 1)
    );
    assert!(!peer.live);
    assert_eq!(rig.table.tracked(), 0);
}

#[test]
fn the_end_is_sampled_only_if_it_measured_something() {
    let mut rig = Rig::new(10);
    let record = SockRecord {
        delivered: 7,
        srtt_us: 500,
        ..socket(1)
    };
    rig.cycle(&[record, SockRecord { id: 2, ..record }]);
    let rows = rig.cycle(&[
        ended(record),
        ended(SockRecord {
            id: 2,
            delivered: 8,
            ..record
        }),
    ]);
    assert_eq!(row(&rows, postgres()).rtt.count(), 1);
}

#[test]
fn the_rtt_from_before_the_close_handshake_counts() {
    let mut rig = Rig::new(10);
    rig.cycle(&[]);
    let known = SockRecord {
        delivered: 7,
        srtt_us: 500,
        ..socket(1)
    };
    rig.cycle(&[known]);
    let last = |record: SockRecord| SockRecord {
        kind: SockKind::LastRtt as u8,
        srtt_us: 400,
        ..record
    };
    let spoiled = |record: SockRecord| SockRecord {
        delivered: 9,
        srtt_us: 5_000,
        ..ended(record)
    };
    let unseen = SockRecord {
        born_ns: rig.born(),
        ..socket(2)
    };
    let rows = rig.cycle(&[last(known), spoiled(known), last(unseen), spoiled(unseen)]);
    let peer = row(&rows, postgres());
    assert_eq!((peer.rtt.count(), peer.rtt.sum_ns()), (2, 800_000));
}

#[test]
fn segment_counters_wrap() {
    let mut rig = Rig::new(10);
    let mut record = SockRecord {
        data_segs_out: u32::MAX - 4,
        total_retrans: u32::MAX,
        delivered: u32::MAX,
        srtt_us: 900,
        ..socket(1)
    };
    rig.cycle(&[record]);
    (record.data_segs_out, record.total_retrans, record.delivered) = (5, 0, 0);
    let rows = rig.cycle(&[record]);
    let peer = row(&rows, postgres());
    assert_eq!((peer.sent_segments, peer.retransmitted_segments), (10, 1));
    assert_eq!(peer.rtt.count(), 1);
}

#[test]
fn a_torn_read_is_caught_up_with_not_booked_back() {
    let mut rig = Rig::new(10);
    rig.cycle(&[]);
    let mut record = SockRecord {
        born_ns: rig.born(),
        bytes_sent: 1_500,
        data_segs_out: 3,
        ..socket(1)
    };
    rig.cycle(&[record]);
    // The retransmission was counted as sent before it was counted as retransmitted.
    (record.bytes_retrans, record.data_segs_out) = (500, 2);
    let rows = rig.cycle(&[record]);
    let peer = row(&rows, postgres());
    assert_eq!((peer.sent_bytes, peer.sent_segments), (1_500, 3));
    (record.bytes_sent, record.data_segs_out) = (2_500, 5);
    let rows = rig.cycle(&[record]);
    let peer = row(&rows, postgres());
    assert_eq!((peer.sent_bytes, peer.sent_segments), (2_000, 5));
}

#[test]
fn quantiles_are_those_of_the_last_minute() {
    let mut rig = Rig::new(10);
    let mut record = SockRecord {
        srtt_us: 1_000,
        ..socket(1)
    };
    rig.cycle(&[record]);
    for delivered in 1..=20 {
        (record.delivered, record.srtt_us) = (delivered, delivered * 1_000);
        rig.cycle(&[record]);
    }
    let rows = rig.cycle(&[record]);
    let peer = row(&rows, postgres());
    let [p50, _, _, _, max] = peer.rtt_quantiles.unwrap();
    assert_eq!(max, 0.020);
    // 10 to 20 ms are left of 1 to 20.
    assert!((0.014..0.0165).contains(&p50), "{p50}");
    assert_eq!(peer.rtt.count(), 20);
    let rows = rig.cycles(12, &[record]);
    let peer = row(&rows, postgres());
    assert_eq!((peer.rtt_quantiles, peer.rtt.count()), (None, 20));
}

#[test]
fn details_show_each_connection() {
    let mut rig = Rig::new(10);
    let mut record = SockRecord {
        srtt_us: 900,
        min_rtt_us: 700,
        ..socket(1)
    };
    rig.cycle(&[record]);
    (record.bytes_sent, record.unread) = (5_000, 17);
    record.state = tcp_state::CLOSE_WAIT;
    rig.cycle(&[record]);
    let connections = rig.table.connections();
    let [only] = &connections[..] else {
        panic!("{connections:?}")
    };
    assert_eq!(
        (only.state, only.sent_rate, only.unread_bytes),
        ("CLOSE-WAIT", 1_000.0, 17)
    );
    assert_eq!(
        (only.rtt_ns, only.min_rtt_ns),
        (Some(900_000), Some(700_000))
    );
    assert_eq!(
        (only.remote_ip, only.direction),
        (ip("10.0.0.9"), Direction::Outbound)
    );
    rig.cycle(&[ended(record)]);
    assert!(rig.table.connections().is_empty());
}
