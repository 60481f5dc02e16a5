//! Who opened a connection, and which label set it belongs to.

use super::*;
use crate::model::ConnectionState;
use hostlens_ebpf::wire::ListenBind;

fn unknown(id: u64, local: &str, port: u16) -> SockRecord {
    SockRecord {
        direction: Direction::Unknown as u8,
        local_addr: octets(local),
        local_port: port,
        remote_port: 50_000,
        ..socket(id)
    }
}

fn listener(address: &str, port: u16) -> SockRecord {
    SockRecord {
        id: 99,
        state: tcp_state::LISTEN,
        local_addr: octets(address),
        local_port: port,
        netns: 1,
        ..SockRecord::default()
    }
}

fn inbound(listen: &str, port: u16) -> PeerKey {
    PeerKey::Inbound {
        listen_ip: ip(listen),
        listen_port: port,
        remote: Remote::Ip(ip("10.0.0.9")),
    }
}

#[test]
fn the_listener_decides_even_if_the_walk_shows_it_later() {
    let mut rig = Rig::new(10);
    let rows = rig.cycle(&[
        unknown(1, "10.0.0.1", 80),
        unknown(2, "10.0.0.1", 443),
        unknown(3, "10.0.0.1", 22),
        unknown(4, "10.0.0.1", 41_000),
        listener("0.0.0.0", 80),
        listener("::", 443),
        listener("10.0.0.1", 22),
        listener("10.0.0.2", 41_000),
    ]);
    for (listen, port) in [("0.0.0.0", 80), ("::", 443), ("10.0.0.1", 22)] {
        assert_eq!(
            row(&rows, inbound(listen, port)).connections[0],
            Some(1),
            "{port}"
        );
    }
    let outbound = PeerKey::Outbound {
        remote: Remote::Ip(ip("10.0.0.9")),
        remote_port: 50_000,
    };
    assert_eq!(row(&rows, outbound).connections[0], Some(1));
    assert_eq!(rows.len(), 4);
    assert_eq!(rig.table.tracked(), 4, "listeners are no connections");
}

#[test]
fn a_decision_stands_and_a_gone_listener_is_remembered() {
    let mut rig = Rig::new(10);
    let mut early = unknown(1, "10.0.0.1", 80);
    rig.cycle(&[early, listener("0.0.0.0", 80)]);
    early.bytes_sent = 40;
    let rows = rig.cycle(&[early, unknown(2, "10.0.0.1", 80)]);
    let peer = row(&rows, inbound("0.0.0.0", 80));
    assert_eq!((peer.connections[0], peer.sent_bytes), (Some(2), 40));
    rig.cycles(200, &[early]);
    // The listener is forgotten by now, the decision is not.
    early.bytes_sent = 50;
    let rows = rig.cycle(&[early, unknown(3, "10.0.0.1", 80)]);
    assert_eq!(row(&rows, inbound("0.0.0.0", 80)).sent_bytes, 50);
    let outbound = PeerKey::Outbound {
        remote: Remote::Ip(ip("10.0.0.9")),
        remote_port: 50_000,
    };
    assert_eq!(row(&rows, outbound).connections[0], Some(1));
}

#[test]
fn an_undecided_life_within_one_cycle_loses_nothing() {
    let mut rig = Rig::new(10);
    rig.cycle(&[]);
    let record = SockRecord {
        born_ns: rig.born(),
        srtt_us: 100,
        bytes_sent: 10,
        ..unknown(1, "10.0.0.1", 80)
    };
    let end = SockRecord {
        bytes_sent: 25,
        delivered: 3,
        srtt_us: 200,
        ..ended(record)
    };
    let other = SockRecord { id: 2, ..end };
    let rows = rig.cycle(&[record, end, other, listener("::", 80)]);
    let peer = row(&rows, inbound("::", 80));
    assert_eq!(
        (peer.sent_bytes, peer.rtt.count(), peer.rtt.sum_ns()),
        (50, 3, 500_000)
    );
    assert!(!peer.live);
}

#[test]
fn what_the_open_told_needs_no_listener() {
    let mut rig = Rig::new(10);
    let seen = |id, bind: ListenBind| SockRecord {
        direction: Direction::Inbound as u8,
        listen_bind: bind as u8,
        ..unknown(id, "10.0.0.1", 80)
    };
    let rows = rig.cycle(&[
        seen(1, ListenBind::AnyV4),
        seen(2, ListenBind::AnyV6),
        seen(3, ListenBind::Exact),
        seen(4, ListenBind::Unknown),
    ]);
    assert_eq!(row(&rows, inbound("0.0.0.0", 80)).connections[0], Some(1));
    assert_eq!(row(&rows, inbound("::", 80)).connections[0], Some(1));
    assert_eq!(row(&rows, inbound("10.0.0.1", 80)).connections[0], Some(2));
}

#[test]
fn strangers_share_one_label() {
    let mut rig = Rig::new(10);
    let to = |id, address: &str| SockRecord {
        remote_addr: octets(address),
        ..socket(id)
    };
    let rows = rig.cycle(&[to(1, "8.8.8.8"), to(2, "2001:db8::1"), to(3, "fd00::1")]);
    let key = |remote| PeerKey::Outbound {
        remote,
        remote_port: 5432,
    };
    assert_eq!(row(&rows, key(Remote::Other)).connections[0], Some(2));
    assert_eq!(
        row(&rows, key(Remote::Ip(ip("fd00::1")))).connections[0],
        Some(1)
    );
}

#[test]
fn time_wait_sockets_are_counted_where_they_were_opened() {
    let mut rig = Rig::new(10);
    let at = ConnectionState::TimeWait as usize;
    let waits = [
        unknown(0, "10.0.0.1", 80),
        unknown(0, "10.0.0.2", 80),
        socket(0),
    ];
    let mut walk = |waits: &[SockRecord]| {
        rig.cycle_with(true, |table| {
            table.socket(&listener("0.0.0.0", 80));
            waits.iter().for_each(|wait| table.time_wait(wait));
        })
    };
    let rows = walk(&waits);
    let peer = row(&rows, inbound("0.0.0.0", 80));
    assert_eq!((peer.live, peer.connections[at]), (true, Some(2)));
    let rest = PeerKey::Folded(Direction::Outbound);
    assert_eq!(
        row(&rows, rest).connections[at],
        Some(1),
        "no listener and no group: its ports are no reason for a name"
    );
    let rows = walk(&waits[..1]);
    assert_eq!(row(&rows, inbound("0.0.0.0", 80)).connections[at], Some(1));
    assert!(!row(&rows, rest).live);
    let rows = rig.cycle_with(true, |table| {
        table.socket(&socket(4));
        table.time_wait(&socket(0));
    });
    assert_eq!(row(&rows, postgres()).connections[at], Some(1));
    rig.now = rig.now.plus(Duration::from_secs(5));
    rig.table.begin(rig.now);
    rig.table.socket(&socket(5));
    rig.table
        .finish(rig.now, WalkOutcome { complete: true }, false, &rig.owners);
    let rows = rig.table.rows(9, rig.gate);
    assert_eq!(
        row(&rows, postgres()).connections[at],
        None,
        "not known is not zero"
    );
}
