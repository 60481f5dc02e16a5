//! Refused connection requests.

use std::time::Duration;

use hostlens_ebpf::wire::{ListenRecord, RefusedKey as WireKey};

use super::{Host, mapped, owner};
use crate::{
    collect::DoorSink,
    model::{Owner, RefusedKey},
};

fn wire(ip: &str, port: u16, netns: u32) -> WireKey {
    WireKey {
        local_addr: mapped(ip),
        netns,
        local_port: port,
        reserved: 0,
    }
}

fn port(ip: &str, port: u16, last: Option<Owner>) -> RefusedKey {
    RefusedKey::Port {
        ip: ip.parse().unwrap(),
        port,
        last,
    }
}

fn ended(record: ListenRecord) -> ListenRecord {
    ListenRecord { ended: 1, ..record }
}

#[test]
fn refusals_bear_the_name_of_who_listened_there() {
    let mut host = Host::new();
    let web = host.newborn(1, 80);
    host.cycle(&mut [web]);
    host.poll(&[ended(web)]);
    host.table.refused(&wire("10.0.0.1", 80, 1), 3);
    host.table.refused(&wire("10.0.0.1", 81, 1), 2);
    host.cycle(&mut []);
    let rows = host.refused();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].key, port("0.0.0.0", 80, Some(owner("web"))));
    assert_eq!(rows[0].refused, 3);
    let gone = rows[0].gone_seconds.unwrap();
    assert!((4.9..5.1).contains(&gone), "{gone}");
    assert_eq!(rows[1].key, port("10.0.0.1", 81, None));
    assert_eq!((rows[1].refused, rows[1].gone_seconds), (2, None));

    // Another minute of them, then it is back.
    host.now = host.now.plus(Duration::from_secs(55));
    host.table.refused(&wire("127.0.0.1", 80, 1), 4);
    host.cycle(&mut []);
    let row = &host.refused()[0];
    assert_eq!((row.refused, row.gone_seconds.unwrap().round()), (7, 65.0));
    let again = host.newborn(2, 80);
    host.cycle(&mut [again]);
    assert_eq!(host.refused()[0].gone_seconds, None);
    assert_eq!(host.refused()[0].refused, 7);
}

#[test]
fn one_that_dies_in_the_cycle_it_was_born_in_is_named_too() {
    let mut host = Host::new();
    let brief = ListenRecord {
        owner_tgid: 30,
        ..host.newborn(1, 80)
    };
    host.poll(&[brief]);
    host.poll(&[ended(brief)]);
    host.table.refused(&wire("10.0.0.1", 80, 1), 1);
    host.table.refused(&wire("10.0.0.1", 80, 2), 1);
    host.finish();
    let rows = host.refused();
    assert_eq!(rows.len(), 1, "the other waits for the owner");
    assert_eq!(rows[0].key, port("10.0.0.1", 80, None), "another namespace");
    host.known.0.insert(30, "brief");
    host.finish();
    let rows = host.refused();
    assert!(
        rows.iter()
            .any(|row| row.key == port("0.0.0.0", 80, Some(owner("brief"))) && row.refused == 1)
    );
}

#[test]
fn the_same_labels_in_many_namespaces_are_one_row() {
    let mut host = Host::new();
    let mut records: Vec<ListenRecord> = (1..=50)
        .map(|netns| ListenRecord {
            netns,
            ..host.newborn(u64::from(netns), 80)
        })
        .collect();
    host.cycle(&mut records);
    let last: Vec<ListenRecord> = records.drain(..1).map(ended).collect();
    host.poll(&[last, records.clone()].concat());
    host.table.refused(&wire("10.0.0.1", 80, 1), 5);
    host.cycle(&mut records);
    let rows = host.refused();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].refused, 5);
    assert!(rows[0].gone_seconds.is_some(), "gone where it was refused");
}

#[test]
fn a_scan_of_all_ports_is_counted_once_and_bounded() {
    let mut host = Host::new();
    for number in 0..20_000u16 {
        host.table.refused(&wire("10.0.0.1", number, 1), 1);
    }
    host.table.refused_elsewhere(5);
    host.cycle(&mut []);
    let rows = host.refused();
    assert!(rows.len() <= 101);
    let sum: u64 = rows.iter().map(|row| row.refused).sum();
    assert_eq!(sum, 20_005);
    assert_eq!(rows.last().unwrap().key, RefusedKey::Folded);
}
