//! From the rows of a snapshot to the objects of a line. Nothing unknown is written as 0.

use std::time::{SystemTime, UNIX_EPOCH};

use hostlens_ebpf::wire::Direction;

use crate::model::{
    ConnectionRow, ConnectionState, ExitReason, MemberRow, Memory, OTHER, Owner, PeerKey, PeerRow,
    ProcessRow, Remote, Snapshot, SourceStatus,
};
use crate::top::{item::Item, notice};

use super::{
    Lists, SCHEMA,
    disk::{Disk, ProcessDisk, ServiceDisk},
    dns::Dns,
    door::{Listener, Refused, Settings},
    fields::{
        Connection, Document, Exits, Member, MemoryBytes, Overview, Peer, Process, Quantiles,
        Source, States,
    },
    filesystem::Filesystem,
    job::Job,
    limit::{Fds, Limit},
    lives::{Failure, Service},
    pools::{Ports, Upstream},
    response::{Exclusions, ListenerTurns, Response, ResponseTime},
};

impl<'a> Document<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, lists: &Lists<'a>) -> Self {
        Self {
            schema: SCHEMA,
            sequence: snapshot.sequence,
            at: epoch(snapshot.at),
            interval_seconds: snapshot.interval.as_secs_f64(),
            overview: Overview::new(snapshot),
            processes: convert(&lists.processes, |item| match item {
                Item::Process(row) => Some(Process::new(row)),
                _ => None,
            }),
            members: convert(&lists.members, |item| match item {
                Item::Member(row, group) => Some(Member::new(row, group)),
                _ => None,
            }),
            jobs: convert(&lists.jobs, |item| match item {
                Item::Job(row) => Some(Job::new(row)),
                _ => None,
            }),
            peers: convert(&lists.peers, |item| match item {
                Item::Peer(row, _) => Some(Peer::new(row)),
                _ => None,
            }),
            response_time: ResponseTime::new(&snapshot.own.response_time),
            response_exclusions: snapshot
                .response_exclusions
                .iter()
                .map(Exclusions::new)
                .collect(),
            responses: Response::all(&lists.peers),
            connections: convert(&lists.connections, |item| match item {
                Item::Connection(row) => Some(Connection::new(row)),
                _ => None,
            }),
            listeners: convert(&lists.listeners, |item| match item {
                Item::Listener(row, _) => Some(Listener::new(row)),
                _ => None,
            }),
            listener_turns: convert(&lists.listeners, |item| match item {
                Item::Listener(_, turns) | Item::Turns(_, turns) => ListenerTurns::new(turns),
                _ => None,
            }),
            listen_settings: Settings::new(snapshot.listen_settings),
            refused: convert(&lists.listeners, |item| match item {
                Item::Refused(row) => Some(Refused::new(row)),
                _ => None,
            }),
            services: convert(&lists.services, |item| match item {
                Item::Service(row) => Some(Service::new(row)),
                _ => None,
            }),
            failures: convert(&lists.failures, |item| match item {
                Item::Failure(row) => Some(Failure::new(row)),
                _ => None,
            }),
            upstreams: convert(&lists.upstreams, |item| match item {
                Item::Upstream(row) => Some(Upstream::new(row)),
                _ => None,
            }),
            ports: convert(&lists.ports, |item| match item {
                Item::Ports(row) => Some(Ports::new(row)),
                _ => None,
            }),
            dns: convert(&lists.dns, |item| match item {
                Item::Dns(row) => Some(Dns::new(row)),
                _ => None,
            }),
            disks: convert(&lists.disks, |item| match item {
                Item::Disk(row) => Some(Disk::new(row)),
                _ => None,
            }),
            service_disks: convert(&lists.disks, |item| match item {
                Item::DiskUser(row) => Some(ServiceDisk::new(row)),
                _ => None,
            }),
            process_disks: lists
                .process_disks
                .iter()
                .copied()
                .map(ProcessDisk::new)
                .collect(),
            filesystems: convert(&lists.filesystems, |item| match item {
                Item::Filesystem(row) => Some(Filesystem::new(row)),
                _ => None,
            }),
            limits: convert(&lists.limits, |item| match item {
                Item::Limit(row) => Some(Limit::new(row)),
                _ => None,
            }),
            fds: snapshot.fds.iter().map(Fds::new).collect(),
            sources: snapshot.own.sources.iter().map(Source::new).collect(),
        }
    }
}

fn convert<'a, T>(items: &[Item<'a>], one: fn(Item<'a>) -> Option<T>) -> Vec<T> {
    items.iter().copied().filter_map(one).collect()
}

fn epoch(at: SystemTime) -> Option<f64> {
    let since = at.duration_since(UNIX_EPOCH).ok()?;
    // Milliseconds: more digits would only pretend.
    Some(since.as_millis() as f64 / 1e3)
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

impl Overview {
    fn new(snapshot: &Snapshot) -> Self {
        let (host, own) = (&snapshot.host, &snapshot.own);
        Self {
            cpus: host.cpus,
            cpu_busy: host.cpu_busy,
            memory_total_bytes: host.memory_total,
            memory_available_bytes: host.memory_available,
            swap_total_bytes: host.swap_total,
            swap_free_bytes: host.swap_free,
            load: host.load,
            cycle_seconds: notice::cycle_seconds(own),
            processes: own.scope.processes,
            connections: own.scope.connections,
            network_namespaces: own.scope.namespaces,
            network_namespaces_unreadable: own.scope.namespaces_unreadable,
            events_lost: own.lost.iter().map(|lost| lost.count).sum(),
        }
    }
}

impl From<Memory> for MemoryBytes {
    fn from(memory: Memory) -> Self {
        let Memory {
            anon,
            file,
            shmem,
            swap,
        } = memory;
        Self {
            anon,
            file,
            shmem,
            swap,
        }
    }
}

impl<'a> Process<'a> {
    fn new(row: &'a ProcessRow) -> Self {
        Self {
            process: &row.process,
            user: &row.user,
            service: named(&row.service),
            folded: row.folded,
            live: row.live,
            cpu: row.rates.cpu,
            cpu_user_seconds: seconds(row.user_ns),
            cpu_system_seconds: seconds(row.system_ns),
            memory_bytes: row.memory.map(MemoryBytes::from),
            read_bytes: row.read_bytes,
            write_bytes: row.write_bytes,
            read_bytes_per_second: row.read_bytes.map(|_| row.rates.read_bytes),
            write_bytes_per_second: row.write_bytes.map(|_| row.rates.write_bytes),
            swap_in_bytes_per_second: row.rates.swap.map(|swap| swap.in_bytes),
            swap_out_bytes_per_second: row.rates.swap.map(|swap| swap.out_bytes),
            open_fds: row.open_fds,
            fd_limit_ratio: row.fd_limit_ratio,
            minor_faults: row.minor_faults,
            major_faults: row.major_faults,
            major_faults_per_second: row.rates.major_faults,
            voluntary_switches: row.voluntary_switches,
            involuntary_switches: row.involuntary_switches,
            run_delay_seconds: row.run_delay_ns.map(seconds),
            block_delay_seconds: row.block_delay_ns.map(seconds),
            run_delay: row.run_delay_ns.map(|_| row.rates.run_delay),
            block_delay: row.block_delay_ns.map(|_| row.rates.block_delay),
            processes: row.processes,
            threads: row.threads,
            oldest_start_seconds: row.oldest_start_seconds,
            started: row.started,
            exited: row.exited.as_ref().map(|exits| Exits::new(exits)),
        }
    }
}

impl Exits {
    fn new(exits: &[(ExitReason, u64, bool)]) -> Self {
        let mut sums = Self::default();
        for (reason, count, _) in exits {
            *match reason {
                ExitReason::Success => &mut sums.success,
                ExitReason::Failure => &mut sums.failure,
                ExitReason::Signal(_) => &mut sums.signal,
                ExitReason::Oom => &mut sums.oom,
                ExitReason::Other => &mut sums.other,
            } += count;
        }
        sums
    }
}

impl<'a> Member<'a> {
    fn new(row: &'a MemberRow, group: Option<&ProcessRow>) -> Self {
        let known = |bytes: fn(&ProcessRow) -> Option<u64>| group.and_then(bytes).is_some();
        Self {
            pid: row.pid,
            ppid: row.ppid,
            process: &row.process,
            user: &row.user,
            service: named(&row.service),
            threads: row.threads,
            cpu: row.rates.cpu,
            cpu_seconds: seconds(row.cpu_ns),
            memory_bytes: row.memory.map(MemoryBytes::from),
            read_bytes_per_second: known(|row| row.read_bytes).then_some(row.rates.read_bytes),
            write_bytes_per_second: known(|row| row.write_bytes).then_some(row.rates.write_bytes),
            swap_in_bytes_per_second: row.rates.swap.map(|swap| swap.in_bytes),
            swap_out_bytes_per_second: row.rates.swap.map(|swap| swap.out_bytes),
            major_faults_per_second: row.rates.major_faults,
            open_fds: row.open_fds,
            start_seconds: row.start_seconds,
        }
    }
}

/// A remote end; `other` outside the own networks.
pub(super) fn name(remote: Remote) -> String {
    match remote {
        Remote::Ip(ip) => ip.to_string(),
        Remote::Other => OTHER.to_string(),
    }
}

/// Service of an owner; none without one.
pub(super) fn service(owner: Option<&Owner>) -> Option<&str> {
    owner.and_then(|owner| named(&owner.service))
}

fn named(service: &str) -> Option<&str> {
    (!service.is_empty()).then_some(service)
}

/// Process and user of an owner.
pub(super) fn names(owner: Option<&Owner>) -> (Option<&str>, Option<&str>) {
    owner.map(|owner| (&*owner.process, &*owner.user)).unzip()
}

impl<'a> Peer<'a> {
    fn new(row: &'a PeerRow) -> Self {
        let (process, user) = names(row.owner.as_ref());
        let (listen, remote, remote_port) = match row.key {
            PeerKey::Inbound {
                listen_ip,
                listen_port,
                remote,
            } => (Some((listen_ip, listen_port)), name(remote), None),
            PeerKey::Outbound {
                remote,
                remote_port,
            } => (None, name(remote), Some(remote_port)),
            PeerKey::Folded(_) => (None, OTHER.to_string(), None),
        };
        Self {
            direction: direction(row.key.direction()),
            folded: matches!(row.key, PeerKey::Folded(_)),
            live: row.live,
            listen_ip: listen.map(|(ip, _)| ip),
            listen_port: listen.map(|(_, port)| port),
            remote_ip: remote,
            remote_port,
            process,
            user,
            service: service(row.owner.as_ref()),
            connections: row.live.then(|| States::new(row)),
            rtt_seconds: row.rtt_quantiles.map(Quantiles::from),
            rtt_samples: row.rtt.count(),
            min_rtt_seconds: row.min_rtt_ns.filter(|_| row.live).map(seconds),
            retransmit_ratio: row.rates.retransmit_ratio,
            retransmitted_segments: row.retransmitted_segments,
            sent_segments: row.sent_segments,
            sent_bytes: row.sent_bytes,
            received_bytes: row.received_bytes,
            sent_bytes_per_second: row.rates.sent_bytes,
            received_bytes_per_second: row.rates.received_bytes,
            unread_bytes: row.live.then_some(row.unread_bytes),
            unacked_bytes: row.live.then_some(row.unacked_bytes),
        }
    }
}

impl States {
    fn new(row: &PeerRow) -> Self {
        let mut states = Self::default();
        for (state, count) in ConnectionState::ALL.into_iter().zip(row.connections) {
            *match state {
                ConnectionState::Established => &mut states.established,
                ConnectionState::SynSent => &mut states.syn_sent,
                ConnectionState::CloseWait => &mut states.close_wait,
                ConnectionState::TimeWait => &mut states.time_wait,
                ConnectionState::Other => &mut states.other,
            } = count;
        }
        states
    }
}

impl<'a> Connection<'a> {
    fn new(row: &'a ConnectionRow) -> Self {
        let (process, user) = names(row.owner.as_ref());
        Self {
            direction: direction(row.direction),
            local_ip: row.local_ip,
            local_port: row.local_port,
            remote_ip: row.remote_ip,
            remote_port: row.remote_port,
            process,
            user,
            service: service(row.owner.as_ref()),
            pid: row.pid,
            network_namespace: row.netns,
            state: row.state,
            rtt_seconds: row.rtt_ns.map(seconds),
            min_rtt_seconds: row.min_rtt_ns.map(seconds),
            unread_bytes: row.unread_bytes,
            unacked_bytes: row.unacked_bytes,
            sent_bytes: row.sent_bytes,
            received_bytes: row.received_bytes,
            sent_bytes_per_second: row.sent_rate,
            received_bytes_per_second: row.received_rate,
            retransmitted_segments: row.retransmitted_segments,
        }
    }
}

impl<'a> Source<'a> {
    fn new(status: &'a SourceStatus) -> Self {
        Self {
            signal: status.signal,
            source: status.source,
            degraded: status.degraded.as_deref(),
        }
    }
}

pub(super) fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
        Direction::Unknown => "unknown",
    }
}
