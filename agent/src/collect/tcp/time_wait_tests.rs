#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    io::Read,
    net::{SocketAddr, TcpListener, TcpStream},
};

use super::{
    super::{
        diag::tests::{Seen, octets},
        foreign::ForeignNamespace,
        netns::within,
    },
    *,
};

const ENOUGH: Duration = Duration::from_secs(3600);

/// A connection whose near end, closed first, is left in TIME_WAIT: its two addresses.
fn wait(bind: &str) -> (SocketAddr, SocketAddr) {
    let listener = TcpListener::bind(bind).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let ends = (client.local_addr().unwrap(), client.peer_addr().unwrap());
    drop(client);
    // The end of the stream has come; ours answers it, which ends the near one.
    assert_eq!(server.read(&mut [0; 1]).unwrap(), 0);
    drop(server);
    ends
}

fn shows(seen: &Seen, (near, far): (SocketAddr, SocketAddr)) -> Option<SockRecord> {
    seen.time_wait
        .iter()
        .find(|record| {
            record.local_addr == octets(near)
                && record.remote_addr == octets(far)
                && (record.local_port, record.remote_port) == (near.port(), far.port())
        })
        .copied()
}

#[test]
fn a_closed_connection_is_seen_and_seen_again() {
    let ends = wait("127.0.0.1:0");
    let own = [Namespace::own().unwrap()];
    let mut collector = TimeWaitCollector::new(ENOUGH);
    for _ in 0..2 {
        let mut seen = Seen::default();
        let outcome = collector.collect(&own, &mut seen);
        assert!(outcome.walk.errors.is_empty());
        assert_eq!(outcome.walk.time_wait, seen.time_wait.len() as u64);
        let record = shows(&seen, ends).unwrap();
        assert_eq!(record.state, tcp_state::TIME_WAIT);
        assert_eq!(record.netns, own[0].inode);
        assert_eq!(record.id, tuple_id(&record));
        assert!(seen.sockets.is_empty());
    }
}

#[test]
fn ipv6_too() {
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("skipped: no IPv6 here");
        return;
    }
    let ends = wait("[::1]:0");
    let mut seen = Seen::default();
    TimeWaitCollector::new(ENOUGH).collect(&[Namespace::own().unwrap()], &mut seen);
    assert_eq!(shows(&seen, ends).unwrap().v6, 1);
}

#[test]
fn a_spent_budget_replays_and_takes_turns() {
    let (Some(first), Some(second)) = (ForeignNamespace::new(), ForeignNamespace::new()) else {
        return;
    };
    let namespaces = [first.namespace(), second.namespace()];
    let ends: Vec<_> = namespaces
        .iter()
        .map(|namespace| within(namespace, || wait("127.0.0.1:0")).unwrap())
        .collect();
    let mut collector = TimeWaitCollector::new(Duration::ZERO);
    let mut seen = Seen::default();
    let mut outcome = collector.collect(&namespaces, &mut seen);
    assert_eq!(outcome.walk.namespaces, 1);
    for _ in 0..3 {
        seen = Seen::default();
        // Nothing is left, and nothing is owed: one more dump.
        collector.pace.left_ns = 0;
        outcome = collector.collect(&namespaces, &mut seen);
        assert_eq!(outcome.walk.namespaces, 1);
    }
    assert_eq!((outcome.replayed, seen.time_wait.len()), (1, 2));
    assert!(ends.iter().all(|ends| shows(&seen, *ends).is_some()));
    // While time is owed, nothing is dumped and everything shown.
    seen = Seen::default();
    outcome = collector.collect(&namespaces, &mut seen);
    assert_eq!((outcome.walk.namespaces, outcome.replayed), (0, 2));
    assert_eq!(seen.time_wait.len(), 2);
    // A namespace that is no longer given takes its sockets with it.
    seen = Seen::default();
    collector.collect(&namespaces[..1], &mut seen);
    assert_eq!(seen.time_wait.len(), 1);
    assert_eq!(collector.known.len(), 1);
}

#[test]
fn time_is_spent_to_the_budget_on_average() {
    let mut pace = Pace::new(Duration::from_millis(3));
    let mut dumps = 0;
    for _ in 0..100 {
        pace.begin_cycle();
        while pace.may_go_on() {
            pace.spend(Duration::from_millis(15));
            dumps += 1;
        }
    }
    assert!((20..=21).contains(&dumps), "{dumps}");
    // What is not needed now is not spent at once later.
    for _ in 0..100 {
        pace.begin_cycle();
    }
    assert_eq!(pace.left_ns, 3_000_000);
}

#[test]
fn ipv6_is_passed_over_only_where_there_was_none() {
    let usual = Known {
        expected: Some(7),
        dumps: 1,
        ..Known::default()
    };
    assert_eq!(usual.enough_of_v4(), Some(7));
    for needed in [
        Known {
            dumps: 0,
            expected: Some(7),
            ..Known::default()
        },
        Known {
            dumps: V6_EVERY,
            expected: Some(7),
            ..Known::default()
        },
        Known {
            has_v6: true,
            dumps: 1,
            expected: Some(7),
            ..Known::default()
        },
        Known {
            dumps: 1,
            ..Known::default()
        },
    ] {
        assert_eq!(needed.enough_of_v4(), None);
    }
}

#[test]
fn no_evidence_means_to_look_and_evidence_of_none_to_let_be() {
    let looking = Known {
        weighed: true,
        expected: None,
        ..Known::default()
    };
    assert!(looking.urgency(1) > 0);
    // Before its turn to be asked it is not looked at.
    assert_eq!(Known::default().urgency(1), 0);
    let none = Known {
        weighed: true,
        expected: Some(0),
        ..Known::default()
    };
    assert_eq!(none.urgency(9), 0);
    // The more it is wrong, and the older, the sooner its turn.
    let far_off = Known {
        weighed: true,
        expected: Some(100),
        dumped: 1,
        ..Known::default()
    };
    let slightly = Known {
        weighed: true,
        expected: Some(1),
        dumped: 1,
        ..Known::default()
    };
    assert!(far_off.urgency(2) > slightly.urgency(2));
    assert!(slightly.urgency(200) > far_off.urgency(2));
}

#[test]
fn evidence_never_uses_up_the_budget() {
    let mut pace = Pace::new(Duration::from_millis(3));
    for _ in 0..10 {
        pace.begin_cycle();
        assert!(pace.may_go_on());
        pace.spend_on_the_side(Duration::from_secs(1));
    }
    pace.begin_cycle();
    pace.spend_on_the_side(Duration::from_micros(700));
    assert_eq!(pace.left_ns, 2_300_000);
}

#[test]
fn each_of_many_namespaces_has_its_turn() {
    // None of them exists.
    let namespaces: Vec<Namespace> = (1..=2 * MOST_WEIGHED as u32)
        .map(|inode| Namespace::of_pid(inode, u32::MAX))
        .collect();
    let mut collector = TimeWaitCollector::new(Duration::ZERO);
    for turns in 1..=2 {
        collector.collect(&namespaces, &mut Seen::default());
        let weighed = collector.known.values().filter(|it| it.weighed).count();
        assert_eq!(weighed, turns * MOST_WEIGHED);
    }
}
