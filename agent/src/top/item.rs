//! One line of a view, whatever the view shows, and its identity from one snapshot to the next.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::model::{ConnectionRow, MemberRow, PeerKey, PeerRow, ProcessRow, Snapshot};

/// Something a line shows.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// A group of processes.
    Process(&'a ProcessRow),
    /// One process and the group it is counted in.
    Member(&'a MemberRow, Option<&'a ProcessRow>),
    /// A group of connections.
    Peer(&'a PeerRow),
    /// One connection.
    Connection(&'a ConnectionRow),
}

/// Identity of an [`Item`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RowKey {
    /// Process name and user.
    Process(Arc<str>, Arc<str>),
    /// Process id and start (bits of its seconds): ids are reused.
    Member(u32, u64),
    /// Group of connections.
    Peer(PeerKey),
    /// Connection identity.
    Connection(u64),
}

impl<'a> Item<'a> {
    /// The single processes of a snapshot.
    pub fn members(snapshot: &'a Snapshot) -> impl Iterator<Item = Self> {
        let mut groups = FxHashMap::default();
        for row in &snapshot.processes {
            groups.insert((&*row.process, &*row.user), row);
        }
        let folded = snapshot.processes.iter().find(|row| row.folded);
        snapshot.members.iter().map(move |member| {
            let group = groups.get(&(&*member.process, &*member.user)).copied();
            Self::Member(member, group.or(folded))
        })
    }

    /// Identity.
    pub fn key(self) -> RowKey {
        match self {
            Self::Process(row) => RowKey::Process(row.process.clone(), row.user.clone()),
            Self::Member(row, _) => RowKey::Member(row.pid, row.start_seconds.to_bits()),
            Self::Peer(row) => RowKey::Peer(row.key),
            Self::Connection(row) => RowKey::Connection(row.id),
        }
    }

    /// Order among lines that are equal otherwise: groups keep that of the snapshot, the rest, which
    /// has none there, must not jump about.
    pub fn ordinal(self) -> u64 {
        match self {
            Self::Process(_) | Self::Peer(_) => 0,
            Self::Member(row, _) => row.pid.into(),
            Self::Connection(row) => row.id,
        }
    }

    /// Whether this is what lies beyond a budget; such lines stay at the end.
    pub fn folded(self) -> bool {
        match self {
            Self::Process(row) => row.folded,
            Self::Peer(row) => matches!(row.key, PeerKey::Folded(_)),
            Self::Member(..) | Self::Connection(_) => false,
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
            }
            Self::Peer(row) => {
                row.live
                    || row.rtt_quantiles.is_some()
                    || row.rates.sent_bytes > 0.0
                    || row.rates.received_bytes > 0.0
            }
            Self::Member(..) | Self::Connection(_) => true,
        }
    }
}
