//! The objects of a line and their fields, as `docs/top.md` describes them. What is not known is
//! null.

use std::net::IpAddr;

use serde::Serialize;

use super::{
    disk::{Disk, ProcessDisk, ServiceDisk},
    dns::Dns,
    door::{Listener, Refused, Settings},
    filesystem::Filesystem,
    job::Job,
    limit::{Fds, Limit},
    lives::{Failure, Service},
    pools::{Ports, Upstream},
    response::{Exclusions, ListenerTurns, Response, ResponseTime},
};

/// A line.
#[derive(Serialize)]
pub struct Document<'a> {
    pub schema: u32,
    pub sequence: u64,
    /// Seconds since the epoch.
    pub at: Option<f64>,
    pub interval_seconds: f64,
    pub overview: Overview,
    pub processes: Vec<Process<'a>>,
    pub members: Vec<Member<'a>>,
    pub jobs: Vec<Job<'a>>,
    pub peers: Vec<Peer<'a>>,
    pub response_time: ResponseTime,
    pub response_exclusions: Vec<Exclusions>,
    pub responses: Vec<Response>,
    pub connections: Vec<Connection<'a>>,
    pub listeners: Vec<Listener<'a>>,
    pub listener_turns: Vec<ListenerTurns<'a>>,
    pub listen_settings: Settings,
    pub refused: Vec<Refused<'a>>,
    pub services: Vec<Service<'a>>,
    pub failures: Vec<Failure<'a>>,
    pub upstreams: Vec<Upstream<'a>>,
    pub ports: Vec<Ports>,
    pub dns: Vec<Dns<'a>>,
    pub disks: Vec<Disk<'a>>,
    pub service_disks: Vec<ServiceDisk<'a>>,
    pub process_disks: Vec<ProcessDisk<'a>>,
    pub filesystems: Vec<Filesystem<'a>>,
    pub limits: Vec<Limit<'a>>,
    pub fds: Vec<Fds<'a>>,
    pub sources: Vec<Source<'a>>,
}

#[derive(Serialize)]
pub struct Overview {
    pub cpus: Option<u64>,
    pub cpu_busy: Option<f64>,
    pub memory_total_bytes: Option<u64>,
    pub memory_available_bytes: Option<u64>,
    pub swap_total_bytes: Option<u64>,
    pub swap_free_bytes: Option<u64>,
    pub load: Option<[f64; 3]>,
    pub cycle_seconds: Option<f64>,
    pub processes: u64,
    pub connections: u64,
    pub network_namespaces: u64,
    pub network_namespaces_unreadable: u64,
    pub events_lost: u64,
}

#[derive(Serialize)]
pub struct MemoryBytes {
    pub anon: u64,
    pub file: u64,
    pub shmem: u64,
    pub swap: u64,
}

#[derive(Serialize)]
pub struct Process<'a> {
    pub process: &'a str,
    pub user: &'a str,
    pub service: Option<&'a str>,
    pub folded: bool,
    pub live: bool,
    pub cpu: f64,
    pub cpu_user_seconds: f64,
    pub cpu_system_seconds: f64,
    pub memory_bytes: Option<MemoryBytes>,
    pub read_bytes: Option<u64>,
    pub write_bytes: Option<u64>,
    pub read_bytes_per_second: Option<f64>,
    pub write_bytes_per_second: Option<f64>,
    /// Absent without swap.
    pub swap_in_bytes_per_second: Option<f64>,
    /// Absent without swap.
    pub swap_out_bytes_per_second: Option<f64>,
    pub open_fds: Option<u64>,
    pub fd_limit_ratio: Option<f64>,
    pub minor_faults: u64,
    pub major_faults: u64,
    pub major_faults_per_second: f64,
    pub voluntary_switches: Option<u64>,
    pub involuntary_switches: Option<u64>,
    pub run_delay_seconds: Option<f64>,
    pub block_delay_seconds: Option<f64>,
    pub run_delay: Option<f64>,
    pub block_delay: Option<f64>,
    pub processes: u64,
    pub threads: u64,
    pub oldest_start_seconds: Option<f64>,
    pub started: u64,
    pub exited: Option<Exits>,
}

/// Ends of processes by reason.
#[derive(Default, Serialize)]
pub struct Exits {
    pub success: u64,
    pub failure: u64,
    pub signal: u64,
    pub oom: u64,
    pub other: u64,
}

#[derive(Serialize)]
pub struct Member<'a> {
    pub pid: u32,
    pub ppid: u32,
    pub process: &'a str,
    pub user: &'a str,
    pub service: Option<&'a str>,
    pub threads: u32,
    pub cpu: f64,
    pub cpu_seconds: f64,
    pub memory_bytes: Option<MemoryBytes>,
    pub read_bytes_per_second: Option<f64>,
    pub write_bytes_per_second: Option<f64>,
    /// Absent without swap.
    pub swap_in_bytes_per_second: Option<f64>,
    /// Absent without swap.
    pub swap_out_bytes_per_second: Option<f64>,
    pub major_faults_per_second: f64,
    pub open_fds: Option<u64>,
    pub start_seconds: f64,
}

#[derive(Serialize)]
pub struct Peer<'a> {
    pub direction: &'static str,
    pub folded: bool,
    pub live: bool,
    pub listen_ip: Option<IpAddr>,
    pub listen_port: Option<u16>,
    pub remote_ip: String,
    pub remote_port: Option<u16>,
    pub process: Option<&'a str>,
    pub user: Option<&'a str>,
    pub service: Option<&'a str>,
    pub connections: Option<States>,
    pub rtt_seconds: Option<Quantiles>,
    pub rtt_samples: u64,
    pub min_rtt_seconds: Option<f64>,
    pub retransmit_ratio: Option<f64>,
    pub retransmitted_segments: u64,
    pub sent_segments: u64,
    pub sent_bytes: u64,
    pub received_bytes: u64,
    pub sent_bytes_per_second: f64,
    pub received_bytes_per_second: f64,
    pub unread_bytes: Option<u64>,
    pub unacked_bytes: Option<u64>,
}

/// Connections by state.
#[derive(Default, Serialize)]
pub struct States {
    pub established: Option<u64>,
    pub syn_sent: Option<u64>,
    pub close_wait: Option<u64>,
    pub time_wait: Option<u64>,
    pub other: Option<u64>,
}

/// Quantiles over the last window.
#[derive(Serialize)]
pub struct Quantiles {
    pub p50: f64,
    pub p75: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

#[derive(Serialize)]
pub struct Connection<'a> {
    pub direction: &'static str,
    pub local_ip: IpAddr,
    pub local_port: u16,
    pub remote_ip: IpAddr,
    pub remote_port: u16,
    pub process: Option<&'a str>,
    pub user: Option<&'a str>,
    pub service: Option<&'a str>,
    pub pid: Option<u32>,
    pub network_namespace: u32,
    pub state: &'static str,
    pub rtt_seconds: Option<f64>,
    pub min_rtt_seconds: Option<f64>,
    pub unread_bytes: u64,
    pub unacked_bytes: u64,
    pub sent_bytes: u64,
    pub received_bytes: u64,
    pub sent_bytes_per_second: f64,
    pub received_bytes_per_second: f64,
    pub retransmitted_segments: u64,
}

#[derive(Serialize)]
pub struct Source<'a> {
    pub signal: &'a str,
    pub source: &'a str,
    pub degraded: Option<&'a str>,
}
