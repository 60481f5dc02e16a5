//! Snapshots for tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use hostlens_ebpf::wire::Direction;

use crate::model::*;

/// A small snapshot that fills every family and shows every special case once.
pub(crate) fn small() -> Snapshot {
    Snapshot {
        interval: Duration::from_secs(5),
        peers: vec![
            peer(
                PeerKey::Inbound {
                    listen_ip: ip("0.0.0.0"),
                    listen_port: 5432,
                    remote: Remote::Ip(ip("10.0.0.7")),
                },
                &[150_000, 480_000, 480_000, 2_000_000, 41_000_000],
            ),
            PeerRow {
                held: true,
                ..peer(
                    PeerKey::Outbound {
                        remote: Remote::Ip(ip("fd00::5:1")),
                        remote_port: 443,
                    },
                    &[40_400_000, 9_000_000_000],
                )
            },
            PeerRow {
                live: false,
                rtt_quantiles: None,
                ..peer(
                    PeerKey::Outbound {
                        remote: Remote::Other,
                        remote_port: 80,
                    },
                    &[],
                )
            },
            peer(PeerKey::Folded(Direction::Inbound), &[1_000_000]),
        ],
        processes: vec![
            process("postgres", "postgres"),
            ProcessRow {
                held: true,
                ..process("a \"quoted\" \\ name\nof two lines", "1000")
            },
            ProcessRow {
                live: false,
                exited: None,
                ..process("absent", "root")
            },
            ProcessRow {
                folded: true,
                ..process(OTHER, OTHER)
            },
        ],
        own: own(),
        ..Snapshot::empty(7, UNIX_EPOCH + Duration::from_secs(1_800_000_000))
    }
}

/// A snapshot of `peers` and `processes` label sets with everything present.
pub(crate) fn wide(peers: usize, processes: usize) -> Snapshot {
    let remote = |n: usize| Remote::Ip(Ipv4Addr::from(0x0a00_0000 + n as u32).into());
    Snapshot {
        peers: (0..peers)
            .map(|n| {
                let key = if n % 2 == 0 {
                    PeerKey::Inbound {
                        listen_ip: ip("10.1.2.3"),
                        listen_port: 5432,
                        remote: remote(n),
                    }
                } else {
                    PeerKey::Outbound {
                        remote: remote(n),
                        remote_port: 443,
                    }
                };
                let samples: Vec<u64> = (0..40).map(|k| 1_000 * (k * k * 97 + n as u64)).collect();
                peer(key, &samples)
            })
            .collect(),
        processes: (0..processes)
            .map(|n| process(&format!("worker-{n}"), "www-data"))
            .collect(),
        ..small()
    }
}

/// The server's own figures.
pub(crate) fn server() -> ServerStats {
    ServerStats {
        formats: vec![
            FormatStats {
                format: "text",
                scrapes: 12,
                encodings: 10,
                encode_seconds: 0.0625,
            },
            FormatStats {
                format: "protobuf",
                ..FormatStats::default()
            },
        ],
        connections: 2,
        connections_rejected: 1,
        connections_timed_out: 3,
        scrapers: 2,
        scrapers_evicted: 4,
        series_limit: 50_000,
        series: 400,
        series_dropped: 0,
        label_sets_dropped: 0,
    }
}

/// A peer row with every value present.
pub(crate) fn peer(key: PeerKey, rtt_ns: &[u64]) -> PeerRow {
    let mut rtt = Histogram::default();
    let mut window = SampleCounts::default();
    for &ns in rtt_ns {
        rtt.record(ns);
        window.record(ns);
    }
    PeerRow {
        key,
        owner: None,
        held: false,
        live: true,
        connections: [Some(3), Some(0), Some(1), None, Some(2)],
        sent_bytes: 1_234_567,
        received_bytes: u64::MAX,
        sent_segments: 999,
        retransmitted_segments: 3,
        unread_bytes: 17,
        unacked_bytes: 4_096,
        min_rtt_ns: rtt_ns.iter().min().copied(),
        rtt: Arc::new(rtt),
        rtt_quantiles: window
            .quantile(0.5)
            .map(|_| QUANTILES.map(|q| window.quantile(q).unwrap())),
        rates: PeerRates::default(),
    }
}

/// A process row with every value present.
pub(crate) fn process(name: &str, user: &str) -> ProcessRow {
    ProcessRow {
        process: name.into(),
        user: user.into(),
        folded: false,
        held: false,
        live: true,
        user_ns: 12_345_678_901,
        system_ns: 1_000_000_000,
        memory: Some(Memory {
            anon: 52_428_800,
            file: 8_192,
            shmem: 0,
            swap: 4_096,
        }),
        read_bytes: Some(4_096),
        write_bytes: Some(0),
        open_fds: Some(42),
        fd_limit_ratio: Some(0.041),
        minor_faults: 1_001,
        major_faults: 2,
        voluntary_switches: Some(77),
        involuntary_switches: Some(3),
        processes: 4,
        threads: 9,
        oldest_start_seconds: Some(1_799_999_000.25),
        started: 11,
        exited: Some(vec![
            (ExitReason::Success, 5, false),
            (ExitReason::Failure, 2, false),
            (ExitReason::Signal(9), 1, true),
            (ExitReason::Other, 1, false),
        ]),
        rates: ProcessRates::default(),
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn own() -> OwnStats {
    let program = |name: &str, state| ProgramStatus {
        object: "tcp",
        name: name.into(),
        hook: format!("tp_btf/{name}"),
        state,
        run_count: None,
        run_time_ns: None,
    };
    OwnStats {
        cycles: 7,
        failed_cycles: 1,
        stages: vec![Stage {
            name: "tcp_walk",
            last_seconds: 0.00125,
            total_seconds: 0.5,
        }],
        sources: vec![
            SourceStatus {
                signal: "tcp_live",
                source: "bpf_sk_storage",
                degraded: None,
            },
            SourceStatus {
                signal: "process_ended",
                source: "absent",
                degraded: Some("no BTF: \"<vmlinux>\" is missing".into()),
            },
        ],
        programs: vec![
            ProgramStatus {
                run_count: Some(1_000),
                run_time_ns: Some(2_500_000),
                ..program("inet_sock_set_state", ProgramState::Attached)
            },
            program("tcp_destroy_sock", ProgramState::Refused("EPERM".into())),
        ],
        lost: vec![Lost {
            what: "tcp_final",
            count: 2,
        }],
        maps: vec![MapFill {
            map: "events",
            used: 512,
            capacity: 262_144,
        }],
        budgets: vec![Budget {
            name: "process",
            limit: 300,
            named: 3,
            folded: 12,
            folds: 13,
            evictions: 1,
        }],
        cross_checks: vec![CrossCheck {
            signal: "cpu",
            ours: 99.0,
            kernel: 100.0,
        }],
        scope: Scope {
            namespaces: 3,
            namespaces_unreadable: 1,
            connections: 40,
            processes: 120,
            memory_pending: 5,
        },
        held_series_sets: 2,
        cpu_seconds: Some(1.5),
        rss_bytes: Some(12_000_000),
    }
}
