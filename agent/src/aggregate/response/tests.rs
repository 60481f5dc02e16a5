#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    cell::Cell,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use hostlens_ebpf::wire::{Direction, Excluded, ListenKey, RttKey, TurnGroup};

use super::*;
use crate::{
    clock::Moment,
    collect::{TurnSamples, TurnSink},
    model::{
        BirthGate, ListenerKey, ListenerTurnRow, Owner, PeerKey, Remote, ResponseRow, SampleCounts,
    },
};

const SECOND: Duration = Duration::from_secs(1);
const MS: u64 = 1_000_000;
const NETNS: u32 = 4_026_531_840;

/// Knows who listens on which port, or nobody yet.
struct Known(Cell<bool>);

impl Listeners for Known {
    fn listener(&self, netns: u32, ip: IpAddr, port: u16) -> Option<ListenerKey> {
        (self.0.get() && netns == NETNS && port != 9).then(|| bound(ip, port))
    }
}

fn bound(ip: IpAddr, port: u16) -> ListenerKey {
    ListenerKey::Bound {
        ip,
        port,
        owner: Owner {
            process: format!("p{port}").into(),
            user: "u".into(),
            service: "".into(),
        },
    }
}

fn octets(ip: [u8; 4]) -> [u8; 16] {
    std::net::Ipv4Addr::from(ip).to_ipv6_mapped().octets()
}

fn peer(group: TurnGroup, last: u8) -> RttKey {
    RttKey {
        remote: octets([10, 0, 0, last]),
        listen: match group {
            TurnGroup::Outbound => [0; 16],
            _ => Ipv6Addr::UNSPECIFIED.octets(),
        },
        port: 5432,
        direction: group as u8,
        beyond: 0,
        reserved: [0; 4],
    }
}

fn place(port: u16) -> ListenKey {
    ListenKey {
        addr: octets([0, 0, 0, 0]),
        netns: NETNS,
        port,
        reserved: 0,
    }
}

fn counts(ms: &[u64]) -> SampleCounts {
    let mut counts = SampleCounts::default();
    for ms in ms {
        counts.record(ms * MS);
    }
    counts
}

fn turns(first: &[u64], second: &[u64]) -> TurnSamples {
    TurnSamples {
        first: counts(first),
        second: counts(second),
        excluded: [0; Excluded::COUNT],
    }
}

fn left_out(reason: Excluded, count: u32) -> TurnSamples {
    let mut turns = TurnSamples::default();
    turns.excluded[reason as usize] = count;
    turns
}

struct Bench {
    table: TurnTable,
    listeners: Known,
    now: Moment,
    sequence: u64,
    gate: BirthGate,
}

impl Bench {
    fn new(budget: usize) -> Self {
        Self {
            table: TurnTable::new(TurnConfig {
                budget,
                listener_budget: budget,
                window: 60 * SECOND,
                retention: 900 * SECOND,
            }),
            listeners: Known(Cell::new(true)),
            now: Moment {
                mono_ns: 0,
                boot_ns: 0,
                wall: std::time::UNIX_EPOCH,
            },
            sequence: 0,
            gate: BirthGate::default(),
        }
    }

    fn cycle(&mut self) -> (Vec<ResponseRow>, Vec<ListenerTurnRow>) {
        self.now = self.now.plus(5 * SECOND);
        self.sequence += 1;
        self.table.finish(self.now);
        let rows = self.table.rows(self.sequence, self.gate);
        let listeners = self
            .table
            .listener_rows(self.sequence, self.gate, &self.listeners);
        (rows, listeners)
    }

    fn waiting(&mut self, port: u16) -> u64 {
        self.table.listener(&place(port), &turns(&[1], &[1]));
        let (_, rows) = self.cycle();
        rows.iter().map(|row| row.wait.count()).sum()
    }
}

#[test]
fn nothing_is_told_before_the_first_turn() {
    let mut bench = Bench::new(10);
    assert!(bench.table.rows(1, BirthGate::default()).is_empty());
    for _ in 0..3 {
        let (rows, listeners) = bench.cycle();
        assert!(rows.is_empty() && listeners.is_empty());
        assert!(bench.table.exclusions().is_empty());
    }
}

#[test]
fn answers_of_a_peer_are_counted_and_timed_and_its_own_part_beside() {
    let mut bench = Bench::new(10);
    bench.cycle();
    let turns = turns(&[25, 25, 25, 40], &[5, 5, 5, 20]);
    bench.table.response(&peer(TurnGroup::Outbound, 1), &turns);
    let (rows, _) = bench.cycle();
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    let key = PeerKey::Outbound {
        remote: Remote::Ip([10, 0, 0, 1].into()),
        remote_port: 5432,
    };
    assert_eq!(row.key, key);
    assert_eq!((row.response.count(), row.response.sum_ns()), (4, 115 * MS));
    assert_eq!(row.rate, 0.8);
    let [median, .., most] = row.quantiles.unwrap();
    assert!((0.025 / 1.09..0.025 * 1.09).contains(&median) && most == 0.04);
    let [median, .., most] = row.peer_quantiles.unwrap();
    assert!((0.005 / 1.09..0.005 * 1.09).contains(&median) && most == 0.02);

    for _ in 0..11 {
        assert!(bench.cycle().0[0].quantiles.is_some());
    }
    let (rows, _) = bench.cycle();
    assert_eq!((rows[0].rate, rows[0].response.count()), (0.0, 4));
    assert!(rows[0].quantiles.is_none() && rows[0].peer_quantiles.is_none());
}

#[test]
fn the_two_directions_of_an_address_are_two_rows() {
    let mut bench = Bench::new(10);
    for group in [TurnGroup::Outbound, TurnGroup::Inbound] {
        bench.table.response(&peer(group, 1), &turns(&[3], &[]));
        bench.table.elsewhere(group, &turns(&[4, 4], &[]));
    }
    let mut beyond = peer(TurnGroup::Inbound, 0);
    beyond.beyond = 1;
    bench.table.response(&beyond, &turns(&[1], &[]));
    let (rows, _) = bench.cycle();
    let inbound = |remote| PeerKey::Inbound {
        listen_ip: Ipv6Addr::UNSPECIFIED.into(),
        listen_port: 5432,
        remote,
    };
    let keys: Vec<_> = rows.iter().map(|row| row.key).collect();
    let expected = [
        inbound(Remote::Ip([10, 0, 0, 1].into())),
        inbound(Remote::Other),
        PeerKey::Folded(Direction::Inbound),
        PeerKey::Outbound {
            remote: Remote::Ip([10, 0, 0, 1].into()),
            remote_port: 5432,
        },
        PeerKey::Folded(Direction::Outbound),
    ];
    assert_eq!(keys, expected);
    assert_eq!(rows[4].response.count(), 2);
    assert!(rows.iter().all(|row| row.peer_quantiles.is_none()));
}

#[test]
fn turns_left_out_are_told_and_never_timed() {
    let mut bench = Bench::new(10);
    let key = peer(TurnGroup::Outbound, 1);
    bench.table.response(&key, &left_out(Excluded::Overlap, 7));
    bench
        .table
        .elsewhere(TurnGroup::Outbound, &left_out(Excluded::Closed, 2));
    let (rows, _) = bench.cycle();
    assert_eq!(rows[0].excluded, [7, 0, 0, 0, 0]);
    assert_eq!((rows[0].response.count(), rows[0].rate), (0, 0.0));
    assert!(rows[0].quantiles.is_none());
    bench.table.response(&key, &left_out(Excluded::Stamp, 1));
    let (rows, _) = bench.cycle();
    assert_eq!(rows[0].excluded, [7, 0, 0, 1, 0]);
    let sums = bench.table.exclusions();
    assert_eq!(sums.len(), 1, "of the other direction nothing is known");
    assert_eq!(sums[0].direction, Direction::Outbound);
    assert_eq!(sums[0].excluded, [7, 0, 0, 1, 2]);
}

#[test]
fn sums_of_what_was_left_out_outlive_their_rows_and_are_born_at_zero() {
    let mut bench = Bench::new(10);
    bench.gate.served_floor = Some(0);
    let key = peer(TurnGroup::Inbound, 1);
    bench.table.response(&key, &left_out(Excluded::Push, 3));
    let (rows, _) = bench.cycle();
    assert!(rows[0].held && bench.table.exclusions()[0].held);
    assert_eq!(bench.table.held(), 2);
    bench.gate.served_floor = Some(bench.sequence);
    let (rows, _) = bench.cycle();
    assert!(!rows[0].held && !bench.table.exclusions()[0].held);
    assert_eq!(bench.table.held(), 0);

    bench.gate.served_floor = None;
    bench.now = bench.now.plus(1_000 * SECOND);
    bench.cycle();
    let (rows, _) = bench.cycle();
    assert!(rows.is_empty(), "{rows:?}");
    assert_eq!(bench.table.exclusions()[0].excluded[1], 3);
}

#[test]
fn waiting_and_serving_go_to_who_listens_there() {
    let mut bench = Bench::new(10);
    let more = turns(&[8, 10], &[5, 5]);
    bench.table.listener(&place(80), &more);
    bench.table.listener(&place(80), &more);
    bench.table.elsewhere(TurnGroup::Listener, &turns(&[], &[]));
    let (rows, listeners) = bench.cycle();
    assert!(rows.is_empty());
    assert_eq!(listeners.len(), 1);
    let row = &listeners[0];
    assert_eq!(row.key, bound([0, 0, 0, 0].into(), 80));
    assert_eq!((row.wait.count(), row.wait.sum_ns()), (4, 36 * MS));
    assert_eq!((row.serve.count(), row.serve.sum_ns()), (4, 20 * MS));
    assert_eq!(row.wait_quantiles.unwrap()[4], 0.01);
    assert_eq!(row.serve_quantiles.unwrap()[4], 0.005);
}

#[test]
fn a_listener_not_known_yet_is_waited_for() {
    let mut bench = Bench::new(10);
    bench.listeners.0.set(false);
    assert_eq!(bench.waiting(80), 0);
    assert_eq!(bench.waiting(80), 0);
    bench.listeners.0.set(true);
    let (_, rows) = bench.cycle();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].key, bound([0, 0, 0, 0].into(), 80));
    assert_eq!(rows[0].wait.count(), 2);
}

#[test]
fn turns_of_a_listener_nobody_tells_of_count_for_other() {
    let mut bench = Bench::new(10);
    for _ in 0..3 {
        assert_eq!(bench.waiting(9), 0);
    }
    assert_eq!(bench.waiting(9), 4);
    let (_, rows) = bench.cycle();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].key, ListenerKey::Folded);
    assert_eq!((rows[0].wait.count(), rows[0].serve.count()), (4, 4));
}

#[test]
fn beyond_the_budget_sums_stay_exact_and_slow_peers_have_names() {
    let mut bench = Bench::new(5);
    bench.cycle();
    for round in 1..=3u64 {
        for last in 1..=20u8 {
            // All ask alike often; one waits long, and one is left out most of the time.
            let ms = if last == 7 { 900 } else { 1 };
            let mut turns = turns(&[ms, ms], &[ms, ms]);
            turns.excluded[Excluded::Push as usize] = if last == 9 { 100 } else { 0 };
            bench
                .table
                .response(&peer(TurnGroup::Outbound, last), &turns);
            bench.table.listener(&place(100 + u16::from(last)), &turns);
        }
        let (rows, listeners) = bench.cycle();
        assert!(rows.len() <= 6 && listeners.len() <= 6);
        assert_eq!(
            rows.last().unwrap().key,
            PeerKey::Folded(Direction::Outbound)
        );
        assert_eq!(listeners.last().unwrap().key, ListenerKey::Folded);
        let answers: u64 = rows.iter().map(|row| row.response.count()).sum();
        let served: u64 = listeners.iter().map(|row| row.serve.count()).sum();
        assert_eq!((answers, served), (round * 40, round * 40));
        let left_out: u64 = rows.iter().flat_map(|row| row.excluded).sum();
        assert_eq!(left_out, round * 100);
        assert_eq!(bench.table.exclusions()[0].excluded[1], round * 100);
        let slow = Remote::Ip([10, 0, 0, 7].into());
        assert!(matches!(rows[0].key, PeerKey::Outbound { remote, .. } if remote == slow));
        assert_eq!(listeners[0].key, bound([0, 0, 0, 0].into(), 107));
    }
    let budgets = bench.table.budgets();
    let names: Vec<_> = budgets.iter().map(|budget| budget.name).collect();
    assert_eq!(
        names,
        ["response_inbound", "response_outbound", "response_listener"]
    );
    assert!(budgets[0].folds == 0 && budgets[1].folds > 0 && budgets[2].folds > 0);
}
