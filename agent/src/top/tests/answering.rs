//! A host whose times to first byte are watched: answers of every kind, and none.

use std::{net::IpAddr, sync::Arc, time::Duration};

use hostlens_ebpf::wire::Direction;

use crate::{metric::fixture::door::bound, model::*};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Quantiles around a median.
fn around(median: f64) -> [f64; QUANTILES.len()] {
    [1.0, 1.2, 1.5, 2.0, 4.0].map(|factor| factor * median)
}

/// As many samples of one length.
fn samples(count: u32, seconds: f64) -> Arc<Histogram> {
    let mut histogram = Histogram::default();
    for _ in 0..count {
        histogram.record((seconds * 1e9) as u64);
    }
    Arc::new(histogram)
}

fn response(key: PeerKey, median: Option<f64>, peer: Option<f64>) -> ResponseRow {
    ResponseRow {
        key,
        held: false,
        response: samples(3, median.unwrap_or(0.001)),
        quantiles: median.map(around),
        peer_quantiles: peer.map(around),
        rate: if median.is_some() { 40.0 } else { 0.0 },
        excluded: [0; 5],
    }
}

fn turn(key: ListenerKey, wait: f64, serve: f64) -> ListenerTurnRow {
    ListenerTurnRow {
        key,
        held: false,
        wait: samples(5, wait),
        serve: samples(5, serve),
        wait_quantiles: Some(around(wait)),
        serve_quantiles: Some(around(serve)),
        rate: 12.5,
    }
}

/// Adds all of it: to the peers a slow network, a slow peer, a quick client and a multiplexed
/// connection, to the listeners one that does not read and one that is slow to serve.
pub fn watched(mut snapshot: Snapshot) -> Snapshot {
    let far = PeerKey::Outbound {
        remote: Remote::Ip(ip("fd00:1234:5678:9abc:def0:1111:2222:3333")),
        remote_port: 443,
    };
    let redis = PeerKey::Outbound {
        remote: Remote::Ip(ip("10.9.9.9")),
        remote_port: 6379,
    };
    let resolver = PeerKey::Outbound {
        remote: Remote::Ip(ip("10.8.8.8")),
        remote_port: 53,
    };
    let client = PeerKey::Inbound {
        listen_ip: ip("0.0.0.0"),
        listen_port: 5432,
        remote: Remote::Ip(ip("10.20.30.40")),
    };
    // Its clients, for the way to the listener.
    let mut visitor = snapshot.peers[0].clone();
    visitor.key = PeerKey::Inbound {
        listen_ip: ip("0.0.0.0"),
        listen_port: 8080,
        remote: Remote::Other,
    };
    visitor.rtt_quantiles = Some(around(0.002));
    let mut reader = visitor.clone();
    reader.key = PeerKey::Inbound {
        listen_ip: ip("fd00:1234:5678:9abc:def0:1111:2222:3333"),
        listen_port: 10_443,
        remote: Remote::Ip(ip("fd00::77")),
    };
    reader.rtt_quantiles = Some(around(0.050));
    snapshot.peers.insert(5, visitor);
    snapshot.peers.insert(5, reader);
    let status = &mut snapshot.own.response_time;
    status.mode = ResponseMode::Off;
    status.state = ResponseState::Attached;
    status.asked_for = Some(Duration::from_secs(570));
    status.budget_cores = Some(0.01);
    status.cost_cores = Some(0.0031);
    status.runs = 123_456;
    status.run_ns = Some(210.0);
    snapshot.responses = vec![
        response(client, Some(0.004), None),
        response(far, Some(0.255), Some(0.005)),
        response(redis, Some(0.080), Some(0.076)),
        ResponseRow {
            excluded: [1_150, 50, 0, 0, 0],
            ..response(resolver, None, None)
        },
        response(PeerKey::Folded(Direction::Inbound), Some(0.0007), None),
    ];
    snapshot.response_exclusions = vec![ResponseExclusions {
        direction: Direction::Outbound,
        held: false,
        excluded: [1_150, 50, 3, 0, 31],
    }];
    let report = snapshot.listeners[1].key.clone();
    snapshot.listener_turns = vec![
        turn(bound(8080, "gunicorn", "www-data"), 0.240, 0.005),
        turn(report, 0.000_03, 0.150),
        turn(ListenerKey::Folded, 0.000_2, 0.000_4),
    ];
    snapshot
}

/// What is left within the minute after nobody looks any more, and after it.
pub fn ended(snapshot: Snapshot, in_window: bool) -> Snapshot {
    let mut snapshot = snapshot;
    snapshot.own.response_time.state = ResponseState::Detached(Detached::NotWanted);
    if !in_window {
        for row in &mut snapshot.responses {
            row.quantiles = None;
            row.peer_quantiles = None;
        }
        for row in &mut snapshot.listener_turns {
            row.wait_quantiles = None;
            row.serve_quantiles = None;
        }
    }
    snapshot
}
