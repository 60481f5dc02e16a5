//! A host whose front door is under pressure, for the views of listeners, lives, failures, pools,
//! ports and names.

use std::net::IpAddr;

use hostlens_ebpf::wire::Direction;

use crate::{
    metric::fixture::{
        disk::{disks, services as disk_users},
        door::{bound, listener, names, owner, serves, service},
        filesystem::filesystems,
        limit,
    },
    model::*,
};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn listeners() -> Vec<ListenerRow> {
    vec![
        ListenerRow {
            sockets: 2,
            queue_length: 129,
            high_water: 129,
            oldest_wait_seconds: Some(3.75),
            drops: 4_711,
            saturation: Some(Saturation {
                reason: SaturationReason::WorkersBusy,
                netns: 4_026_532_201,
                what: "129 of 128 connections wait, the oldest for 3.8 s, while all 4 workers are \
                       busy elsewhere"
                    .into(),
                advice: "Run more workers, or find what they wait for".into(),
            }),
            rates: ListenerRates {
                accepted: 19.5,
                drops: 41.0,
            },
            ..listener(bound(8080, "gunicorn", "www-data"))
        },
        ListenerRow {
            queue_limit: 5,
            high_water: 6,
            drops: 12,
            saturation: Some(Saturation {
                reason: SaturationReason::BacklogTooSmall,
                netns: 4_026_531_840,
                what: "Bursts overflowed a queue of 5 within milliseconds, and it was empty again \
                       at once"
                    .into(),
                advice: "Listen with a larger backlog (somaxconn allows 4096)".into(),
            }),
            rates: ListenerRates {
                accepted: 2_300.0,
                drops: 1.5,
            },
            ..listener(ListenerKey::Bound {
                ip: ip("fd00:1234:5678:9abc:def0:1111:2222:3333"),
                port: 10_443,
                owner: owner("python3 report_generator_for_the_whole_company.py", "1000"),
            })
        },
        listener(ListenerKey::Bound {
            ip: ip("::"),
            port: 22,
            owner: owner("sshd", "root"),
        }),
        ListenerRow {
            queue_length: 128,
            oldest_wait_seconds: None,
            accepted: None,
            resets: None,
            processes: None,
            threads: None,
            accept_imbalance: None,
            somaxconn: None,
            judged: false,
            ..listener(ListenerKey::Bound {
                ip: ip("127.0.0.1"),
                port: 631,
                owner: Owner::unknown(),
            })
        },
        ListenerRow {
            live: false,
            ..listener(bound(9_000, "gone", "root"))
        },
        ListenerRow {
            sockets: 40,
            ..listener(ListenerKey::Folded)
        },
    ]
}

fn refused() -> Vec<RefusedRow> {
    let port = |port, last| RefusedKey::Port {
        ip: ip("0.0.0.0"),
        port,
        last,
    };
    let row = |key, refused, gone_seconds, rate| RefusedRow {
        key,
        held: false,
        refused,
        gone_seconds,
        rate,
    };
    vec![
        row(
            port(5_672, Some(owner("beam.smp", "rabbitmq"))),
            60,
            Some(41.5),
            3.0,
        ),
        row(port(81, None), 2, None, 0.5),
        row(port(82, None), 9, None, 0.0),
    ]
}

fn services() -> Vec<ServiceRow> {
    vec![
        ServiceRow {
            rates: ServiceRates {
                opened: 19.5,
                closed: 21.0,
                lifetime_median: Some(0.202),
                ..ServiceRates::default()
            },
            ..service(serves(Direction::Inbound, "gunicorn", "www-data", 8080))
        },
        ServiceRow {
            rates: ServiceRates {
                opened: 120.0,
                closed: 119.5,
                unread_bytes: 1_258_291.0,
                unacked_bytes: 0.0,
                lifetime_median: Some(0.0405),
                connect_median: Some(0.00035),
                storm: true,
            },
            ..service(serves(Direction::Outbound, "consumer", "1000", 5672))
        },
        ServiceRow {
            closed: None,
            aborted: None,
            unread_bytes: None,
            unacked_bytes: None,
            lifetime: None,
            connect: None,
            ..service(serves(Direction::Outbound, "curl", "root", 443))
        },
        service(ServiceKey::Folded(Direction::Outbound)),
    ]
}

fn failures() -> Vec<FailureRow> {
    let row = |process: &str, remote, remote_port, error, failures, rate| FailureRow {
        key: FailureKey::Attempt {
            owner: owner(process, "1000"),
            remote,
            remote_port,
            error,
        },
        held: false,
        failures,
        rate,
    };
    let host = |text| Remote::Ip(ip(text));
    vec![
        row(
            "consumer",
            host("10.0.0.9"),
            5672,
            ConnectError::Refused,
            42,
            3.0,
        ),
        row("curl", Remote::Other, 443, ConnectError::Timeout, 3, 0.0),
        row(
            "python3 report_generator_for_the_whole_company.py",
            host("fd00:1234:5678:9abc:def0:1111:2222:3333"),
            10_443,
            ConnectError::AddressNotAvailable,
            1_234_567,
            812.0,
        ),
        FailureRow {
            key: FailureKey::Folded,
            held: false,
            failures: 7,
            rate: 0.0,
        },
    ]
}

fn upstreams() -> Vec<UpstreamRow> {
    let heaviest = |ratio, peer: &str| {
        Some(Heaviest {
            ratio,
            peer: ip(peer),
        })
    };
    vec![
        UpstreamRow {
            owner: Some(owner("nginx", "www-data")),
            remote_port: 8080,
            peers: 4,
            by_connections: heaviest(2.286, "10.20.30.111"),
            by_bytes: heaviest(1.5, "fd00:1234:5678:9abc:def0:1111:2222:3333"),
        },
        UpstreamRow {
            owner: Some(owner("pgbouncer", "postgres")),
            remote_port: 5432,
            peers: 2,
            by_connections: None,
            by_bytes: heaviest(1.0, "10.0.0.13"),
        },
        UpstreamRow {
            owner: None,
            remote_port: 443,
            peers: 9,
            by_connections: heaviest(1.25, "10.0.0.14"),
            by_bytes: None,
        },
    ]
}

fn port_use() -> Vec<PortUseRow> {
    let row = |ends: Option<(&str, &str)>, used| PortUseRow {
        ends: ends.map(|(local, remote)| (ip(local), ip(remote))),
        remote_port: 5432,
        netns: 4_026_531_840,
        used,
        available: 28_232,
    };
    vec![
        row(Some(("10.0.0.1", "10.0.0.7")), 27_500),
        row(Some(("10.0.0.1", "10.0.0.8")), 40),
        row(None, 12),
    ]
}

fn dns() -> Vec<DnsRow> {
    let asker = |process: &str, resolver| DnsKey::Asker {
        owner: owner(process, "root"),
        resolver: ip(resolver),
    };
    let failed = |name: &str, outcome| FailedName {
        name: name.into(),
        outcome,
    };
    vec![
        DnsRow {
            failing: vec![
                failed("db.internal", "NXDOMAIN"),
                failed("slow.example.org", "timeout"),
            ],
            rate: 12.0,
            failure_rate: 1.5,
            ..names(asker("worker", "127.0.0.53"))
        },
        DnsRow {
            quantiles: None,
            ..names(asker("curl", "fd00::53"))
        },
        names(DnsKey::Folded),
    ]
}

/// Adds all of it.
pub fn busy(snapshot: Snapshot) -> Snapshot {
    Snapshot {
        listeners: listeners(),
        listen_settings: ListenSettings {
            abort_on_overflow: Some(false),
            somaxconn: Some(4_096),
        },
        refused: refused(),
        services: services(),
        failures: failures(),
        upstreams: upstreams(),
        port_use: port_use(),
        dns: dns(),
        disks: disks(),
        service_disks: disk_users(),
        process_disks: crate::metric::fixture::disk::processes(),
        filesystems: filesystems(),
        limits: limit::small(),
        fds: limit::fds(1),
        ..snapshot
    }
}
