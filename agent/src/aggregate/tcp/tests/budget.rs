//! Many peers and few names.

use super::*;

fn peer(number: u32) -> SockRecord {
    let mut record = socket(u64::from(number) + 1);
    let [_, a, b, c] = number.to_be_bytes();
    record.remote_addr = std::net::Ipv4Addr::new(10, a, b, c)
        .to_ipv6_mapped()
        .octets();
    record
}

fn key(number: u32) -> PeerKey {
    PeerKey::Outbound {
        remote: Remote::Ip(super::super::direction::ip(peer(number).remote_addr)),
        remote_port: 5432,
    }
}

const OTHER: PeerKey = PeerKey::Folded(Direction::Outbound);

#[test]
fn a_hundred_thousand_peers_fit_a_budget_of_a_hundred() {
    let mut rig = Rig::new(100);
    rig.cycle(&[]);
    let born = rig.born();
    let records: Vec<SockRecord> = (0..100_000)
        .map(|number| SockRecord {
            born_ns: born,
            bytes_sent: if number >= 99_950 { 1 << 30 } else { 10 },
            unread: 1,
            ..peer(number)
        })
        .collect();
    let rows = rig.cycle(&records);
    assert_eq!(
        rows.len(),
        91,
        "90 named, 10 left to those that lose their name, and other"
    );
    let other = row(&rows, OTHER);
    assert!(
        (99_950..100_000).all(|number| find(&rows, key(number)).is_some()),
        "the heaviest"
    );
    assert_eq!(
        (other.sent_bytes, other.unread_bytes),
        (99_910 * 10, 99_910)
    );
    assert_eq!(other.connections[0], Some(99_910));
    assert_eq!(rows.last().unwrap().key, OTHER);
    let budget = rig.table.budgets()[1];
    assert_eq!(
        (budget.named, budget.folded, budget.folds),
        (90, 99_910, 99_910)
    );
    let sum: u64 = rows.iter().map(|row| row.sent_bytes).sum();
    assert_eq!(sum, 50 * (1 << 30) + 99_950 * 10);
    // Gone as they came: nothing is left of them but what is shown.
    let ends: Vec<SockRecord> = records.into_iter().map(ended).collect();
    rig.cycle(&ends);
    let rows = rig.cycles(3, &[]);
    assert!(rows.len() <= 101 && rows.iter().all(|row| !row.live));
    assert!(rig.table.connections.capacity() < 4_096);
    assert_eq!(rig.table.budgets()[1].folded, 0);
}

#[test]
fn a_heavy_peer_takes_the_name_of_a_light_one() {
    let mut rig = Rig::new(11);
    rig.gate.served_floor = Some(0);
    let mut records: Vec<SockRecord> = (0..11).map(peer).collect();
    let rows = rig.cycle(&records);
    assert_eq!(rows.len(), 11);
    let hidden = (0..11)
        .find(|&number| find(&rows, key(number)).is_none())
        .unwrap();
    let mut seen: std::collections::BTreeMap<PeerKey, u64> = std::collections::BTreeMap::new();
    let mut sent = 0;
    for cycle in 0..20u64 {
        for record in &mut records {
            record.bytes_sent += 10;
            sent += 10;
        }
        records[hidden as usize].bytes_sent += 10 << 20;
        sent += 10 << 20;
        // Scrapers are two snapshots behind.
        rig.gate.served_floor = Some(rig.sequence.saturating_sub(2));
        let rows = rig.cycle(&records);
        let named = rows.iter().filter(|row| row.key != OTHER).count();
        assert!(named <= 11, "cycle {cycle}: {named} label sets");
        for row in &rows {
            let last = seen.insert(row.key, row.sent_bytes).unwrap_or(0);
            assert!(
                row.sent_bytes >= last,
                "cycle {cycle}: {:?} went down",
                row.key
            );
        }
    }
    let rows = rig.cycle(&records);
    assert!(find(&rows, key(hidden)).is_some_and(|row| row.live && row.sent_bytes > 10 << 20));
    assert_eq!(
        seen.values().sum::<u64>(),
        sent,
        "named, gone and folded make up the truth"
    );
    let budget = rig.table.budgets()[1];
    assert_eq!((budget.evictions, budget.folded), (1, 1));
}

#[test]
fn who_lost_its_name_stays_until_every_scraper_has_seen_it() {
    let mut rig = Rig::new(2);
    rig.gate.served_floor = Some(0);
    let mut records = [peer(0), peer(1)];
    rig.cycle(&records[..1]);
    let rows = rig.cycle(&records);
    assert_eq!(rows.len(), 2, "one name, and other");
    let mut changed = 0;
    for _ in 0..10 {
        rig.gate.served_floor = Some(2);
        records[0].bytes_sent += 1;
        records[1].bytes_sent += 10 << 20;
        let rows = rig.cycle(&records);
        changed = row(&rows, key(0)).sent_bytes;
        if !row(&rows, key(0)).live {
            break;
        }
    }
    // Frozen, while the heavy one has a name already.
    for floor in [2, 2, 3] {
        rig.gate.served_floor = Some(floor);
        records[0].bytes_sent += 1;
        let rows = rig.cycle(&records);
        let left = row(&rows, key(0));
        assert_eq!((left.live, left.sent_bytes), (false, changed));
        assert!(row(&rows, key(1)).live);
        assert!(row(&rows, OTHER).live);
    }
    rig.gate.served_floor = Some(rig.sequence);
    let rows = rig.cycle(&records);
    assert!(find(&rows, key(0)).is_none());
    // Its increments since then are those of `other`.
    assert_eq!(row(&rows, OTHER).sent_bytes % (1 << 20), 3);
}

#[test]
fn a_live_newcomer_displaces_an_ended_group() {
    let mut rig = Rig::new(2);
    rig.cycle(&[peer(0)]);
    rig.cycle(&[ended(peer(0))]);
    rig.cycles(12, &[]);
    let rows = rig.cycle(&[peer(1)]);
    assert!(find(&rows, key(0)).is_none());
    assert!(row(&rows, key(1)).live);
    assert_eq!(rig.table.budgets()[1].evictions, 1);
}

#[test]
fn a_peer_of_short_connections_earns_a_name() {
    let mut rig = Rig::new(2);
    rig.cycle(&[peer(0)]);
    let mut id = 1_000;
    for _ in 0..10 {
        let born = rig.born();
        let short: Vec<SockRecord> = (0..100)
            .map(|_| {
                id += 1;
                ended(SockRecord {
                    id,
                    born_ns: born,
                    bytes_sent: 1,
                    ..peer(7)
                })
            })
            .collect();
        rig.cycle_with(true, |table| {
            table.socket(&peer(0));
            short.iter().for_each(|record| table.socket(record));
        });
    }
    let rows = rig.cycle(&[peer(0)]);
    let (named, other) = (row(&rows, key(7)), row(&rows, OTHER));
    assert_eq!(named.sent_bytes + other.sent_bytes, 1_000);
    assert!(named.sent_bytes >= 500);
}

#[test]
fn equals_do_not_swap_names() {
    let mut rig = Rig::new(4);
    let mut records: Vec<SockRecord> = (0..8).map(peer).collect();
    rig.cycle(&records);
    for cycle in 0..50usize {
        // Taking turns, nobody is clearly heavier for long.
        for (number, record) in records.iter_mut().enumerate() {
            record.bytes_sent += if (cycle + number) % 3 == 0 {
                200_000
            } else {
                100_000
            };
        }
        rig.cycle(&records);
    }
    assert_eq!(rig.table.budgets()[1].evictions, 0);
}
