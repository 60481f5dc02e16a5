//! Snapshots with every kind of value: usual ones, absent ones, long and wide names.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use hostlens_ebpf::wire::Direction;

use crate::{
    metric::fixture::door::owner,
    model::{
        ConnectionRow, ExitReason, Histogram, HostOverview, JobKey, JobRow, Lost, MemberRow,
        Memory, OwnStats, PeerKey, PeerRates, PeerRow, ProcessRates, ProcessRow, Remote, Scope,
        Snapshot, SourceStatus, Stage, SwapRates,
    },
};

const MIB: u64 = 1 << 20;

/// The service of what runs as a user.
fn service(user: &str) -> &'static str {
    match user {
        "postgres" => "postgresql@17-main.service",
        _ => "",
    }
}

fn process(name: &str, user: &str, cpu: f64, anon_mib: u64) -> ProcessRow {
    ProcessRow {
        process: name.into(),
        user: user.into(),
        service: service(user).into(),
        folded: false,
        held: false,
        live: true,
        user_ns: 90_000_000_000,
        system_ns: 10_000_000_000,
        memory: Some(Memory {
            anon: anon_mib * MIB,
            file: 30 * MIB,
            shmem: MIB / 2,
            swap: 0,
        }),
        read_bytes: Some(4096),
        write_bytes: Some(8192),
        open_fds: Some(17),
        fd_limit_ratio: Some(0.016),
        minor_faults: 400,
        major_faults: 3,
        voluntary_switches: Some(1000),
        involuntary_switches: Some(10),
        run_delay_ns: Some(4_000_000_000),
        block_delay_ns: None,
        processes: 1,
        threads: 2,
        oldest_start_seconds: Some(1_700_000_000.0),
        started: 5,
        exited: Some(vec![
            (ExitReason::Success, 3, false),
            (ExitReason::Signal(9), 1, false),
        ]),
        rates: ProcessRates {
            cpu,
            read_bytes: 0.0,
            write_bytes: 2_621_440.0,
            major_faults: 0.0,
            run_delay: 0.25,
            block_delay: 0.0,
            swap: Some(SwapRates {
                in_bytes: 0.0,
                out_bytes: 1_048_576.0,
            }),
        },
    }
}

fn member(pid: u32, name: &str, user: &str, cpu: f64) -> MemberRow {
    MemberRow {
        pid,
        ppid: 1,
        process: name.into(),
        user: user.into(),
        service: service(user).into(),
        threads: 1,
        cpu_ns: 5_430_000_000,
        memory: Some(Memory {
            anon: 12 * MIB,
            ..Memory::default()
        }),
        open_fds: None,
        start_seconds: 1_700_000_000.0,
        rates: ProcessRates {
            cpu,
            ..ProcessRates::default()
        },
        job: None,
    }
}

fn job(key: JobKey, name: &str, user: &str, [cpu, write_bytes]: [f64; 2]) -> JobRow {
    JobRow {
        disk: matches!(key, JobKey::Service(_)),
        key,
        job: name.into(),
        user: user.into(),
        processes: 3,
        threads: 7,
        cpu_ns: 905_430_000_000,
        memory: Some(Memory {
            anon: 300 * MIB,
            swap: 12 * MIB,
            ..Memory::default()
        }),
        start_seconds: 1_700_000_000.0,
        age_seconds: 7_325.0,
        rates: ProcessRates {
            cpu,
            write_bytes,
            ..ProcessRates::default()
        },
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn peer(key: PeerKey, p50: Option<f64>) -> PeerRow {
    PeerRow {
        key,
        owner: None,
        held: false,
        live: true,
        connections: [Some(12), Some(1), Some(0), Some(40), None],
        sent_bytes: 1_000_000,
        received_bytes: 2_000_000,
        sent_segments: 5_000,
        retransmitted_segments: 20,
        unread_bytes: 0,
        unacked_bytes: 1_448,
        min_rtt_ns: p50.map(|p50| (p50 * 0.9e9) as u64),
        rtt: Arc::new(Histogram::default()),
        rtt_quantiles: p50.map(|p50| [p50, p50 * 1.2, p50 * 1.5, p50 * 2.0, p50 * 4.0]),
        rates: PeerRates {
            sent_bytes: 120_000.0,
            received_bytes: 900.0,
            retransmit_ratio: p50.map(|_| 0.004),
        },
    }
}

fn connection(id: u64, remote: &str, port: u16, rtt_ns: Option<u64>) -> ConnectionRow {
    ConnectionRow {
        id,
        direction: Direction::Inbound,
        local_ip: ip("10.0.0.1"),
        local_port: 5432,
        remote_ip: ip(remote),
        remote_port: port,
        owner: None,
        pid: None,
        netns: 4_026_531_840,
        state: "ESTAB",
        rtt_ns,
        min_rtt_ns: rtt_ns.map(|ns| ns / 2),
        unread_bytes: 0,
        unacked_bytes: 0,
        sent_bytes: 70_000,
        received_bytes: 9_000,
        sent_rate: 1_500.0,
        received_rate: 0.0,
        retransmitted_segments: 2,
    }
}

/// A source that is at its best.
fn source(signal: &'static str, source: &'static str) -> SourceStatus {
    SourceStatus {
        signal,
        source,
        degraded: None,
    }
}

/// Without a process, a connection or a readable `/proc`.
pub fn empty() -> Snapshot {
    Snapshot {
        interval: Duration::from_secs(2),
        ..Snapshot::empty(2, UNIX_EPOCH + Duration::from_millis(1_763_800_000_250))
    }
}

/// A small host with everything.
pub fn host() -> Snapshot {
    super::door::busy(quiet())
}

/// The same host while times to first byte are watched.
pub fn answering() -> Snapshot {
    super::answering::watched(host())
}

/// The same host, with nothing to report from its front door.
fn quiet() -> Snapshot {
    let ended = |row: ProcessRow| ProcessRow {
        live: false,
        memory: None,
        processes: 0,
        threads: 0,
        ..row
    };
    let inbound = |listen: &str, remote| PeerKey::Inbound {
        listen_ip: ip(listen),
        listen_port: 5432,
        remote,
    };
    let outbound = |remote: &str, remote_port| PeerKey::Outbound {
        remote: Remote::Ip(ip(remote)),
        remote_port,
    };
    Snapshot {
        host: HostOverview {
            cpus: Some(4),
            cpu_busy: Some(1.93),
            memory_total: Some(24 * 1024 * MIB),
            memory_available: Some(16 * 1024 * MIB),
            swap_total: Some(2048 * MIB),
            swap_free: Some(2048 * MIB),
            load: Some([0.5, 1.25, 2.0]),
        },
        processes: vec![
            process("postgres", "postgres", 1.234, 2_048),
            ended(process("make", "alice", 0.4, 0)),
            process(
                "python3 report_generator_for_the_whole_company.py",
                "deploy-automation",
                0.021,
                77,
            ),
            process("数据库服务", "用户", 0.0, 5),
            ProcessRow {
                memory: None,
                read_bytes: None,
                write_bytes: None,
                open_fds: None,
                fd_limit_ratio: None,
                exited: None,
                ..process("sshd", "root", 0.0, 0)
            },
            ended(ProcessRow {
                rates: ProcessRates::default(),
                ..process("gone", "root", 0.0, 0)
            }),
            ProcessRow {
                folded: true,
                ..process("other", "other", 3.5, 100)
            },
        ],
        members: vec![
            member(301, "postgres", "postgres", 0.234),
            member(302, "postgres", "postgres", 1.0),
            member(40, "sshd", "root", 0.0),
        ],
        jobs: vec![
            job(
                JobKey::Session(4711),
                "pg_dump | pbzip2",
                "backup",
                [1.9, 0.0],
            ),
            job(
                JobKey::Service("postgresql.service".into()),
                "postgres",
                "postgres,root",
                [0.7, 2_500_000.0],
            ),
        ],
        peers: vec![
            peer(
                inbound("0.0.0.0", Remote::Ip(ip("10.20.30.40"))),
                Some(0.0004),
            ),
            peer(inbound("::", Remote::Other), Some(0.0405)),
            peer(
                outbound("fd00:1234:5678:9abc:def0:1111:2222:3333", 443),
                Some(0.250),
            ),
            PeerRow {
                live: false,
                min_rtt_ns: None,
                ..peer(outbound("10.9.9.9", 6379), Some(0.004))
            },
            peer(outbound("10.8.8.8", 53), None),
            peer(PeerKey::Folded(Direction::Outbound), Some(1.5)),
        ],
        connections: vec![
            ConnectionRow {
                owner: Some(owner("postgres", "postgres")),
                pid: Some(301),
                ..connection(1, "10.20.30.40", 40_001, Some(420_000))
            },
            connection(
                2,
                "fd00:1234:5678:9abc:def0:1111:2222:3333",
                443,
                Some(250_000_000),
            ),
            connection(3, "10.8.8.8", 53, None),
        ],
        own: OwnStats {
            stages: vec![Stage {
                name: "tcp_walk",
                last_seconds: 0.0042,
                total_seconds: 1.0,
            }],
            sources: vec![
                source("tcp_live", "bpf_sk_storage"),
                source("tcp_ended", "bpf"),
                source("process_live", "bpf_iter_task"),
                source("process_ended", "bpf"),
            ],
            lost: vec![Lost {
                what: "exec",
                count: 0,
            }],
            scope: Scope {
                namespaces: 2,
                connections: 3,
                processes: 6,
                ..Scope::default()
            },
            ..OwnStats::default()
        },
        ..empty()
    }
}

/// The same host without privileges.
pub fn unprivileged() -> Snapshot {
    let mut snapshot = host();
    let why = || Some("bpf(2): Operation not permitted".to_string());
    let degraded = |signal, source| SourceStatus {
        signal,
        source,
        degraded: why(),
    };
    snapshot.own.sources = vec![
        degraded("tcp_live", "sock_diag"),
        degraded("tcp_ended", "absent"),
        degraded("process_live", "procfs"),
        degraded("process_ended", "absent"),
    ];
    snapshot
}

/// `count` groups of processes and as many connections.
pub fn many(count: u32) -> Snapshot {
    let row = |at: u32| {
        let cpu = f64::from(at.wrapping_mul(2_654_435_761) % 1000) / 1000.0;
        process(&format!("worker-{at}"), "app", cpu, u64::from(at))
    };
    let remote = |at: u32| std::net::Ipv4Addr::from(0x0A00_0000 + at).to_string();
    Snapshot {
        processes: (0..count).map(row).collect(),
        connections: (0..count)
            .map(|at| connection(at.into(), &remote(at), 80, Some(u64::from(at) * 1_000)))
            .collect(),
        ..quiet()
    }
}
