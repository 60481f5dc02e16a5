//! Which peer group a connection belongs to: at once if its opening was seen, else when the walk
//! is over and all listeners are known.

use std::sync::Arc;

use hostlens_ebpf::wire::SockRecord;

use super::{
    account::PeerGroup,
    connection::{Change, GroupRef, Side},
    direction::{Ends, Undecided},
    life::PATIENCE,
    owner::{NOBODY, OwnerId},
    table::TcpTable,
};
use crate::model::{Owner, PeerKey};

/// Whose the connections of a peer group are.
enum Told {
    /// Decided; `None` where peers are not told apart by that.
    Known(Option<Arc<Owner>>),
    /// Not known yet.
    Later,
}

impl TcpTable {
    fn told(&mut self, owner: OwnerId, since: u32) -> Told {
        if !self.config.process_label {
            return Told::Known(None);
        }
        match self.owners.get(owner) {
            Some(names) => Told::Known(Some(Arc::clone(names))),
            None if owner != NOBODY && self.walks.wrapping_sub(since) < PATIENCE => Told::Later,
            None => Told::Known(Some(self.owners.give_up(owner))),
        }
    }

    /// The group of a connection first seen with this record; `ended`: it is no member of it.
    pub(super) fn place(&mut self, record: &SockRecord, owner: OwnerId, ended: bool) -> GroupRef {
        let ends = Ends::of(record);
        let seen = ends.group_seen(record, &self.listeners, &self.config.networks);
        if let Some((side, peer)) = seen
            && let Told::Known(owner) = self.told(owner, self.walks)
        {
            return self.sides.join(side, PeerGroup { peer, owner });
        }
        self.owners.hold(owner);
        self.undecided.push(Undecided {
            id: record.id,
            ends,
            change: Change::default(),
            ended,
            owner,
            seen: seen.map(Box::new),
            since: self.walks,
        });
        GroupRef::new(Side::Undecided, (self.undecided.len() - 1) as u32)
    }

    /// All listeners are known: whoever has no group gets one.
    pub(super) fn decide(&mut self) {
        for mut entry in std::mem::take(&mut self.undecided) {
            let known = self.connections.get(&entry.id);
            let owner = match known {
                Some(known) if !entry.ended => known.owner,
                _ => entry.owner,
            };
            let told = self.told(owner, entry.since);
            let (side, peer) = match &entry.seen {
                Some(seen) => **seen,
                None => entry.ends.group_by(&self.listeners, &self.config.networks),
            };
            let Told::Known(owner) = told else {
                // What listeners tell is known now.
                entry.seen = Some(Box::new((side, peer)));
                self.wait_on(entry);
                continue;
            };
            self.owners.release(entry.owner);
            let group = self.sides.join(side, PeerGroup { peer, owner });
            if !entry.change.is_empty() {
                self.sides.book(group, &entry.change);
            }
            match self.connections.get_mut(&entry.id) {
                Some(known) if !entry.ended => {
                    known.group = group;
                    if side == Side::Outbound {
                        let owner = known.owner;
                        known.flow = self.flows.join(&mut self.owners, owner, &entry.ends);
                        let change = &entry.change;
                        self.flows
                            .add_bytes(known.flow, change.sent + change.received);
                        if known.opening && known.established {
                            self.flows.add_opened(known.flow);
                        }
                    }
                }
                _ => self.sides.leave(group),
            }
        }
    }

    fn wait_on(&mut self, entry: Undecided) {
        let number = self.undecided.len() as u32;
        if let Some(known) = self.connections.get_mut(&entry.id)
            && !entry.ended
        {
            known.group = GroupRef::new(Side::Undecided, number);
        }
        self.undecided.push(entry);
    }

    /// Where peers are told apart by owner: lets a connection join the group of its present one.
    pub(super) fn move_peer(&mut self, id: u64) {
        if !self.config.process_label {
            return;
        }
        let Some(known) = self.connections.get(&id) else {
            return;
        };
        let (former, owner) = (known.group, known.owner);
        if former.side() == Side::Undecided {
            return;
        }
        let Some(names) = self.owners.get(owner).cloned() else {
            return;
        };
        let groups = self.sides.get(former.side());
        let key: Option<&PeerGroup> = groups.key(former.number());
        let Some(PeerGroup { peer, .. }) = key.filter(|key| key.owner.as_ref() != Some(&names))
        else {
            return;
        };
        let peer: PeerKey = *peer;
        let key = PeerGroup {
            peer,
            owner: Some(names),
        };
        let group = self.sides.join(former.side(), key);
        self.sides.leave(former);
        if let Some(known) = self.connections.get_mut(&id) {
            known.group = group;
        }
    }
}
