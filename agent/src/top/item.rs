//! One line of a view, whatever the view shows, and its identity from one snapshot to the next.

use std::{net::IpAddr, sync::Arc};

use rustc_hash::FxHashMap;

use crate::model::{
    ConnectionRow, DiskRow, DiskUser, DnsKey, DnsRow, FailureKey, FailureRow, FilesystemRow,
    JobKey, JobRow, LimitRow, Limited, ListenerKey, ListenerRow, ListenerTurnRow, MemberRow, Owner,
    PeerKey, PeerRow, PortUseRow, ProcessRow, RefusedKey, RefusedRow, Resource, ResponseRow,
    ServiceDiskRow, ServiceKey, ServiceRow, Snapshot, UpstreamRow,
};

use super::answers::{Answer, Turns};

/// Something a line shows.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// A group of processes.
    Process(&'a ProcessRow),
    /// One process and the group it is counted in.
    Member(&'a MemberRow, Option<&'a ProcessRow>),
    /// A group of connections, and how it is answered.
    Peer(&'a PeerRow, Answer<'a>),
    /// A group of connections of which nothing else is known.
    Answers(&'a ResponseRow, Answer<'a>),
    /// One connection.
    Connection(&'a ConnectionRow),
    /// Listeners that share address, port and owner, and how they answer.
    Listener(&'a ListenerRow, Turns<'a>),
    /// Listeners of which nothing else is known.
    Turns(&'a ListenerTurnRow, Turns<'a>),
    /// A port that refuses.
    Refused(&'a RefusedRow),
    /// Lives of connections.
    Service(&'a ServiceRow),
    /// Failed attempts to connect.
    Failure(&'a FailureRow),
    /// A pool of peers.
    Upstream(&'a UpstreamRow),
    /// Local ports in use.
    Ports(&'a PortUseRow),
    /// Lookups of names.
    Dns(&'a DnsRow),
    /// A disk.
    Disk(&'a DiskRow),
    /// A service at all disks.
    DiskUser(&'a ServiceDiskRow),
    /// A filesystem.
    Filesystem(&'a FilesystemRow),
    /// Processes started together.
    Job(&'a JobRow),
    /// A limit.
    Limit(&'a LimitRow),
}

/// Identity of an [`Item`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RowKey {
    /// Process name, user and service.
    Process(Arc<str>, Arc<str>, Arc<str>),
    /// Process id and start (bits of its seconds): ids are reused.
    Member(u32, u64),
    /// Group of connections.
    Peer(PeerKey, Option<Owner>),
    /// Connection identity.
    Connection(u64),
    /// Listeners.
    Listener(ListenerKey),
    /// Refused port.
    Refused(RefusedKey),
    /// Lives.
    Service(ServiceKey),
    /// Failed attempts.
    Failure(FailureKey),
    /// Owner and port of a pool.
    Upstream(Option<Owner>, u16),
    /// Both ends, remote port and namespace.
    Ports(Option<(IpAddr, IpAddr)>, u16, u32),
    /// Lookups.
    Dns(DnsKey),
    /// Name of a disk; `None` beyond the budget.
    Disk(Option<Arc<str>>),
    /// A service at disks.
    DiskUser(DiskUser),
    /// Where a filesystem is mounted, and what is.
    Filesystem(Arc<str>, Arc<str>),
    /// Session or service.
    Job(JobKey),
    /// Of what, and whose.
    Limit(Resource, Limited),
}

impl<'a> Item<'a> {
    /// The single processes of a snapshot.
    pub fn members(snapshot: &'a Snapshot) -> impl Iterator<Item = Self> {
        let mut groups = FxHashMap::default();
        for row in &snapshot.processes {
            groups.insert(row.group(), row);
        }
        let folded = snapshot.processes.iter().find(|row| row.folded);
        snapshot.members.iter().map(move |member| {
            let group = groups.get(&member.group()).copied();
            Self::Member(member, group.or(folded))
        })
    }

    /// Identity.
    pub fn key(self) -> RowKey {
        match self {
            Self::Process(row) => {
                let (process, user) = (row.process.clone(), row.user.clone());
                RowKey::Process(process, user, row.service.clone())
            }
            Self::Member(row, _) => RowKey::Member(row.pid, row.start_seconds.to_bits()),
            Self::Peer(row, _) => RowKey::Peer(row.key, row.owner.clone()),
            Self::Answers(row, _) => RowKey::Peer(row.key, None),
            Self::Connection(row) => RowKey::Connection(row.id),
            Self::Listener(row, _) => RowKey::Listener(row.key.clone()),
            Self::Turns(row, _) => RowKey::Listener(row.key.clone()),
            Self::Refused(row) => RowKey::Refused(row.key.clone()),
            Self::Service(row) => RowKey::Service(row.key.clone()),
            Self::Failure(row) => RowKey::Failure(row.key.clone()),
            Self::Upstream(row) => RowKey::Upstream(row.owner.clone(), row.remote_port),
            Self::Ports(row) => RowKey::Ports(row.ends, row.remote_port, row.netns),
            Self::Dns(row) => RowKey::Dns(row.key.clone()),
            Self::Disk(row) => RowKey::Disk(row.device.clone()),
            Self::DiskUser(row) => RowKey::DiskUser(row.user.clone()),
            Self::Limit(row) => RowKey::Limit(row.resource, row.of.clone()),
            Self::Filesystem(row) => RowKey::Filesystem(row.mountpoint.clone(), row.device.clone()),
            Self::Job(row) => RowKey::Job(row.key.clone()),
        }
    }

    /// Order among lines that are equal otherwise: groups keep that of the snapshot, the rest, which
    /// has none there, must not jump about.
    pub fn ordinal(self) -> u64 {
        match self {
            Self::Member(row, _) => row.pid.into(),
            Self::Connection(row) => row.id,
            _ => 0,
        }
    }

    /// Whether this is what lies beyond a budget; such lines stay at the end.
    pub fn folded(self) -> bool {
        match self {
            Self::Process(row) => row.folded,
            Self::Peer(row, _) => matches!(row.key, PeerKey::Folded(_)),
            Self::Answers(row, _) => matches!(row.key, PeerKey::Folded(_)),
            Self::Listener(row, _) => row.key == ListenerKey::Folded,
            Self::Turns(row, _) => row.key == ListenerKey::Folded,
            Self::Refused(row) => row.key == RefusedKey::Folded,
            Self::Service(row) => matches!(row.key, ServiceKey::Folded(_)),
            Self::Failure(row) => row.key == FailureKey::Folded,
            Self::Upstream(row) => row.owner.is_none(),
            Self::Ports(row) => row.ends.is_none(),
            Self::Dns(row) => row.key == DnsKey::Folded,
            Self::Disk(row) => row.device.is_none(),
            Self::DiskUser(row) => row.user == DiskUser::Folded,
            Self::Limit(row) => row.of == Limited::Folded,
            Self::Member(..) | Self::Connection(_) | Self::Filesystem(_) | Self::Job(_) => false,
        }
    }

    /// Whether there is anything to see: a group that ended and did nothing lately is kept for
    /// scrapers only.
    pub fn current(self) -> bool {
        match self {
            Self::Process(row) => {
                let rates = &row.rates;
                row.live
                    || rates.cpu > 0.0
                    || rates.read_bytes > 0.0
                    || rates.write_bytes > 0.0
                    || rates.major_faults > 0.0
                    || rates.run_delay > 0.0
                    || rates.block_delay > 0.0
            }
            Self::Peer(row, answer) => {
                row.live
                    || row.rtt_quantiles.is_some()
                    || row.rates.sent_bytes > 0.0
                    || row.rates.received_bytes > 0.0
                    || answer.row.is_some_and(|row| row.quantiles.is_some())
            }
            Self::Answers(row, _) => row.quantiles.is_some(),
            Self::Listener(row, _) => row.live || row.rates.accepted > 0.0 || row.rates.drops > 0.0,
            Self::Turns(row, _) => row.wait_quantiles.is_some() || row.serve_quantiles.is_some(),
            // Somebody listens there again, or never did and nobody asks.
            Self::Refused(row) => row.rate > 0.0 || row.gone_seconds.is_some(),
            Self::Service(row) => row.live || row.rates.opened > 0.0 || row.rates.closed > 0.0,
            // What failed a while ago may be what one looks for.
            Self::Failure(_) | Self::Upstream(_) | Self::Ports(_) | Self::Dns(_) => true,
            // Of a disk nobody ever asked for anything, as loop devices at rest, there is nothing
            // to see.
            Self::Disk(row) => {
                let waiting = row.queue_length.is_some_and(|length| length > 0);
                row.live && (waiting || !row.ops.is_empty())
                    || row.ops.iter().any(|op| op.request_rate > 0.0)
            }
            Self::DiskUser(row) => row.ops.iter().any(|op| op.io_quantiles.is_some()),
            Self::Member(..) | Self::Connection(_) | Self::Filesystem(_) | Self::Job(_) => true,
            Self::Limit(_) => true,
        }
    }
}
