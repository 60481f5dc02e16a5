//! Samples that groups of connections measured by themselves.

use hostlens_ebpf::wire::RttKey;

use super::*;
use crate::{
    collect::RttSink as _,
    model::{PeerKey, Remote, SampleCounts},
};

/// Of the group of [`postgres`].
fn key() -> RttKey {
    RttKey {
        remote: octets("10.0.0.9"),
        port: 5432,
        direction: Direction::Outbound as u8,
        ..RttKey::default()
    }
}

fn samples(millis: &[u64]) -> SampleCounts {
    let mut samples = SampleCounts::default();
    for ms in millis {
        samples.record(ms * 1_000_000);
    }
    samples
}

fn rig(peer_budget: usize) -> Rig {
    let mut rig = Rig::new(peer_budget);
    rig.table.sample_walks(false);
    rig.cycle(&[]);
    rig
}

#[test]
fn they_take_the_place_of_the_walks_own() {
    let mut rig = rig(10);
    let record = SockRecord {
        born_ns: rig.born(),
        srtt_us: 500_000,
        delivered: 9,
        ..socket(1)
    };
    let rows = rig.cycle_with(true, |table| {
        table.socket(&record);
        table.rtt(&key(), &samples(&[1, 2, 2]));
    });
    let peer = row(&rows, postgres());
    assert_eq!((peer.rtt.count(), peer.rtt.sum_ns()), (3, 5_000_000));
    assert_eq!(peer.rtt_quantiles.unwrap()[4], 0.002);
    assert_eq!(peer.connections[0], Some(1), "the walk still counts it");
}

#[test]
fn a_group_without_living_connections_gets_them() {
    let mut rig = rig(10);
    let rows = rig.cycle_with(true, |table| table.rtt(&key(), &samples(&[7])));
    assert_eq!(row(&rows, postgres()).rtt.count(), 1);
    let rows = rig.cycle_with(true, |table| table.rtt(&key(), &samples(&[7, 7])));
    assert_eq!(row(&rows, postgres()).rtt.count(), 3);
    assert!(!row(&rows, postgres()).live);
}

#[test]
fn keys_name_the_groups_of_records() {
    let mut rig = rig(10);
    let inbound = RttKey {
        remote: [0; 16],
        listen: octets("0.0.0.0"),
        port: 443,
        direction: Direction::Inbound as u8,
        beyond: 1,
        reserved: [0; 4],
    };
    let rows = rig.cycle_with(true, |table| table.rtt(&inbound, &samples(&[3])));
    let key = PeerKey::Inbound {
        listen_ip: ip("0.0.0.0"),
        listen_port: 443,
        remote: Remote::Other,
    };
    assert_eq!(row(&rows, key).rtt.count(), 1);
}

#[test]
fn nothing_is_lost_beyond_a_budget_or_without_a_slot() {
    let mut rig = rig(1);
    let mut total = 0;
    for round in 0..5u8 {
        let rows = rig.cycle_with(true, |table| {
            for peer in 0..20u8 {
                let mut key = key();
                key.remote[15] = peer;
                table.rtt(&key, &samples(&[u64::from(round) + 1]));
            }
            table.rtt_elsewhere(Direction::Outbound, &samples(&[4, 4]));
        });
        total += 22;
        let counted: u64 = rows.iter().map(|row| row.rtt.count()).sum();
        assert_eq!(counted, total);
    }
}
