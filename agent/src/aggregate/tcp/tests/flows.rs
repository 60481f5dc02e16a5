//! Pools of peers, and local ports in use.

use super::*;
use crate::model::budget;

fn to(id: u64, peer: &str, born_ns: u64) -> SockRecord {
    SockRecord {
        remote_addr: octets(peer),
        born_ns,
        established_ns: born_ns + 1,
        owner_tgid: 7,
        ..socket(id)
    }
}

fn rig() -> Rig {
    let mut rig = Rig::new(10);
    rig.owners
        .0
        .extend([(7, "envoy"), (8, "envoy"), (9, "curl")]);
    rig.cycle(&[]);
    rig
}

#[test]
fn the_heaviest_peer_of_a_pool_is_named_with_its_ratio() {
    let mut rig = rig();
    let born = rig.born();
    let mut records = Vec::new();
    for (peer, connections) in [
        ("10.0.0.1", 4),
        ("10.0.0.2", 1),
        ("10.0.0.3", 1),
        ("10.0.0.4", 1),
    ] {
        for _ in 0..connections {
            let id = records.len() as u64 + 1;
            records.push(SockRecord {
                bytes_sent: if peer == "10.0.0.3" { 900 } else { 20 },
                // Processes that share their names share a pool.
                owner_tgid: 7 + (id % 2) as u32,
                ..to(id, peer, born)
            });
        }
    }
    // A pool of one is none, and one of another process is another.
    records.push(SockRecord {
        owner_tgid: 9,
        ..to(50, "10.0.0.9", born)
    });
    let last = ended(records.pop().unwrap());
    let short = ended(records.pop().unwrap());
    records.extend([last, short]);
    rig.cycle(&records);
    let rows = rig.table.upstreams();
    assert_eq!(rows.len(), 1);
    let pool = &rows[0];
    assert_eq!(pool.owner, Some(owner("envoy")));
    assert_eq!((pool.remote_port, pool.peers), (5432, 4));
    let heaviest = pool.by_connections.unwrap();
    assert_eq!(heaviest.peer, ip("10.0.0.1"));
    assert!(
        (heaviest.ratio - 4.0 / 1.75).abs() < 1e-9,
        "{}",
        heaviest.ratio
    );
    let heaviest = pool.by_bytes.unwrap();
    assert_eq!(heaviest.peer, ip("10.0.0.3"));
    assert!((heaviest.ratio - 900.0 * 4.0 / 1_020.0).abs() < 1e-9);
    // A minute later nothing was opened, but the living peers are a pool still.
    let living: Vec<_> = records.iter().filter(|r| r.kind == 0).copied().collect();
    rig.cycles(13, &living);
    let rows = rig.table.upstreams();
    assert_eq!(
        (rows[0].peers, rows[0].by_connections, rows[0].by_bytes),
        (3, None, None)
    );
    rig.cycles(16, &[]);
    assert!(rig.table.upstreams().is_empty());
    assert_eq!(rig.table.flows.len(), 0);
}

#[test]
fn pools_beyond_the_budget_share_a_row_with_their_worst() {
    let mut rig = rig();
    let born = rig.born();
    let mut records = Vec::new();
    for port in 1..=budget::UPSTREAMS as u16 + 20 {
        for (peer, connections) in [("10.0.0.1", 1), ("10.0.0.2", if port > 20 { 3 } else { 1 })] {
            for _ in 0..connections {
                let id = records.len() as u64 + 1;
                records.push(SockRecord {
                    remote_port: port,
                    ..to(id, peer, born)
                });
            }
        }
    }
    rig.cycle(&records);
    let rows = rig.table.upstreams();
    assert_eq!(rows.len(), budget::UPSTREAMS + 1);
    let rest = rows.last().unwrap();
    assert_eq!(
        (rest.owner.clone(), rest.remote_port, rest.peers),
        (None, 0, 2)
    );
    assert_eq!(rest.by_connections.unwrap().ratio, 1.0);
    assert_eq!(rows[0].by_connections.unwrap().ratio, 1.5);
}

#[test]
fn ports_in_use_are_told_where_they_matter() {
    let mut rig = rig();
    let born = rig.born();
    let records: Vec<_> = (0..30u64)
        .map(|n| {
            let peer = if n < 28 { "10.0.0.1" } else { "10.0.0.2" };
            SockRecord {
                owner_tgid: 7 + (n % 2) as u32,
                ..to(n + 1, peer, born)
            }
        })
        .collect();
    rig.cycle_with(true, |table| {
        records.iter().for_each(|record| table.socket(record));
        for port in 0..12 {
            table.time_wait(&SockRecord {
                local_port: 50_000 + port,
                ..to(0, "10.0.0.1", 0)
            });
        }
    });
    let rows = rig.table.port_use(&|netns| (netns == 1).then_some(1_000));
    assert_eq!(rows.len(), 1, "2 of 1000 are not worth a row");
    let row = &rows[0];
    assert_eq!(row.ends, Some((ip("10.0.0.1"), ip("10.0.0.1"))));
    assert_eq!((row.remote_port, row.netns), (5432, 1));
    assert_eq!((row.used, row.ratio()), (40, 0.04));
    assert!(rig.table.port_use(&|_| None).is_empty(), "range unknown");
    rig.cycles(3, &[]);
    assert!(rig.table.port_use(&|_| Some(10)).is_empty());
}

/// Two rows would be one series twice, which no scraper takes.
#[test]
fn the_same_ends_in_two_namespaces_are_one_row() {
    let mut rig = rig();
    let born = rig.born();
    let records: Vec<_> = (0..5u64)
        .map(|n| SockRecord {
            netns: if n < 2 { 1 } else { 2 },
            ..to(n + 1, "10.0.0.1", born)
        })
        .collect();
    rig.cycle(&records);
    let rows = rig.table.port_use(&|_| Some(100));
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].netns, rows[0].used), (2, 3));
}

#[test]
fn the_fullest_of_the_rest_stands_without_its_addresses() {
    let mut rig = rig();
    let born = rig.born();
    let records: Vec<_> = (0..budget::PORT_USES as u16 + 5)
        .map(|port| SockRecord {
            remote_port: port + 1,
            ..to(u64::from(port) + 1, "10.0.0.1", born)
        })
        .collect();
    rig.cycle(&records);
    let rows = rig.table.port_use(&|_| Some(100));
    let named = budget::PORT_USES;
    assert_eq!(rows.len(), named + 1);
    assert_eq!((rows[named].ends, rows[named].used), (None, 1));
    assert!(rows[..named].iter().all(|row| row.ends.is_some()));
}

#[test]
fn a_new_owner_takes_its_connection_to_another_pool() {
    let mut rig = rig();
    let born = rig.born();
    let records = [to(1, "10.0.0.1", born), to(2, "10.0.0.2", born)];
    rig.cycle(&records);
    let read = records.map(|record| SockRecord {
        owner_tgid: 9,
        ..record
    });
    rig.cycle(&read);
    rig.cycles(13, &read);
    let rows = rig.table.upstreams();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].owner, Some(owner("curl")));
}
