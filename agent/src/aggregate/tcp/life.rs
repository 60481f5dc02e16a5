//! The lives of connections: what is told at once, and what waits until it is known whose they
//! are.

use std::sync::Arc;

use hostlens_ebpf::wire::{Direction, SockRecord, tcp_state};

use super::{
    connection::{GroupRef, Side},
    direction::{Ends, ip},
    owner::{NOBODY, OwnerId},
    table::TcpTable,
};
use crate::{
    aggregate::{
        Owners,
        service::{Life, connect_error, is_connect_failure},
    },
    model::{ConnectError, FailureKey, Owner},
};

/// Complete walks after which nobody will tell any more whose something is: a walk over processes
/// comes before each, and the final record of one that ended by then comes a moment after its end.
pub(super) const PATIENCE: u32 = 2;
/// Events that wait at most; further ones are nobody's at once.
const WAITING: usize = 65_536;

/// What happened.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Life(Life),
    Failed(ConnectError),
}

/// Something that happened to a connection, on its way into the books.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    /// The connection; while it lives, its owner may still be corrected.
    pub id: u64,
    pub owner: OwnerId,
    pub side: Side,
    pub ends: Ends,
    pub event: Event,
    /// When it happened, ns of `CLOCK_MONOTONIC`; 0 if that is not known.
    at_ns: u64,
    /// Complete walks when it happened.
    since: u32,
    /// Its connection has gone.
    pub over: bool,
}

/// What waits for an owner or a direction.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Living connections that are to join a group, and the number of complete walks when that
    /// was found.
    moving: Vec<(u64, u32)>,
    due: Vec<Due>,
    /// Names are right for what happened until then, see [`Owners::as_of`].
    named_ns: u64,
    /// What was booked to nobody although its process was named.
    given_up: u64,
}

impl Waiting {
    pub fn given_up(&self) -> u64 {
        self.given_up
    }

    /// Owners have new numbers.
    pub fn renumber_owners(&mut self, moved: &[OwnerId]) {
        for due in &mut self.due {
            if let Some(&owner) = moved.get(due.owner as usize) {
                due.owner = owner;
            }
        }
    }

    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.moving.is_empty() && self.due.is_empty()
    }
}

/// A handshake was completed.
pub(super) fn is_connected(state: u8) -> bool {
    !matches!(
        state,
        tcp_state::SYN_SENT | tcp_state::SYN_RECV | tcp_state::NEW_SYN_RECV
    )
}

/// The direction that a record has, else that of a group.
pub(super) fn side_of(record: &SockRecord, group: Option<GroupRef>) -> Side {
    match Direction::from_wire(record.direction) {
        Direction::Inbound => Side::Inbound,
        Direction::Outbound => Side::Outbound,
        Direction::Unknown => group.map_or(Side::Undecided, GroupRef::side),
    }
}

fn direction(side: Side) -> Direction {
    match side {
        Side::Inbound => Direction::Inbound,
        Side::Outbound | Side::Undecided => Direction::Outbound,
    }
}

impl TcpTable {
    /// So much waits for an owner that it is better not to wait for the next walk.
    pub fn crowded(&self) -> bool {
        self.waiting_lives.due.len() > WAITING / 2
    }

    /// Asks for the names of owners not known yet and books what waited for them, or for newer
    /// names than there are.
    pub fn resolve(&mut self, owners: &dyn Owners) {
        self.owners.resolve(owners);
        let named_ns = std::mem::replace(&mut self.waiting_lives.named_ns, u64::MAX);
        self.settle(false);
        self.waiting_lives.named_ns = named_ns;
    }

    /// A walk is over: owners that changed their names take their connections along.
    pub(super) fn settle_owners(&mut self, owners: &dyn Owners) {
        self.waiting_lives.named_ns = owners.as_of();
        let changed = self.owners.refresh(owners);
        if !changed.is_empty() {
            let walks = self.walks;
            let moving = self.connections.iter().filter(|(_, known)| {
                known.established && changed.contains(&known.owner) && known.owner != NOBODY
            });
            let moving: Vec<(u64, u32)> = moving.map(|(&id, _)| (id, walks)).collect();
            self.waiting_lives.moving.extend(moving);
        }
        self.decide();
        self.settle(true);
        if let Some(moved) = self.owners.compact() {
            self.flows.renumber_owners(&moved);
            self.waiting_lives.renumber_owners(&moved);
            for undecided in &mut self.undecided {
                undecided.owner = renumbered(undecided.owner, &moved);
            }
            for known in self.connections.values_mut() {
                known.owner = renumbered(known.owner, &moved);
            }
        }
        if let Some(moved) = self.flows.compact() {
            for known in self.connections.values_mut() {
                known.flow = renumbered(known.flow, &moved);
            }
        }
    }

    /// Tries everything that waits once more; `decided`: all directions are known.
    fn settle(&mut self, decided: bool) {
        for (id, since) in std::mem::take(&mut self.waiting_lives.moving) {
            self.move_in(id, since);
        }
        for due in std::mem::take(&mut self.waiting_lives.due) {
            self.tell(due, decided);
        }
    }

    /// The record names another owner than the one known.
    pub(super) fn change_owner(&mut self, record: &SockRecord) {
        let owner = self.owners.hold_of(record);
        let Some(known) = self.connections.get_mut(&record.id) else {
            return;
        };
        self.owners.release(known.owner);
        known.owner = owner;
        known.flow = self.flows.change_owner(&mut self.owners, known.flow, owner);
        if known.established {
            self.move_in(record.id, self.walks);
        } else {
            self.move_peer(record.id);
        }
    }

    /// The handshake of a connection was found completed.
    pub(super) fn established(&mut self, record: &SockRecord) {
        let Some(known) = self.connections.get(&record.id) else {
            return;
        };
        let (group, owner, flow, opening) = (known.group, known.owner, known.flow, known.opening);
        if opening {
            self.flows.add_opened(flow);
            self.tell_of(
                record,
                side_of(record, Some(group)),
                owner,
                Life::opened(record),
            );
        }
        self.move_in(record.id, self.walks);
    }

    /// Lets a connection join the group of its owner, as soon as that and its direction are known.
    fn move_in(&mut self, id: u64, since: u32) {
        let Some(known) = self.connections.get(&id) else {
            return;
        };
        let (side, owner, former) = (known.group.side(), known.owner, known.service);
        let placed = former.side() != Side::Undecided;
        let patience = self.walks.wrapping_sub(since) < PATIENCE;
        let names = match self.owners.get(owner) {
            Some(names) => Arc::clone(names),
            None if patience => {
                self.waiting_lives.moving.push((id, since));
                return;
            }
            // It stays with whom it was.
            None if placed => return,
            None => self.owners.give_up(owner),
        };
        if side == Side::Undecided {
            self.waiting_lives.moving.push((id, since));
            return;
        }
        let Some(known) = self.connections.get_mut(&id) else {
            return;
        };
        let port = match side {
            Side::Inbound => known.local_port,
            _ => known.remote_port,
        };
        let group = self.services.join(direction(side), &names, port);
        known.service = GroupRef::new(side, group);
        if placed {
            self.services
                .leave(direction(former.side()), former.number());
        }
        self.move_peer(id);
    }

    /// Tells of the life of a connection that the record belongs to.
    pub(super) fn tell_of(&mut self, record: &SockRecord, side: Side, owner: OwnerId, life: Life) {
        if !life.is_empty() {
            self.tell_event(record, side, owner, Event::Life(life));
        }
    }

    /// Tells of an attempt that came to nothing.
    pub(super) fn tell_failure(&mut self, record: &SockRecord, owner: OwnerId) {
        if is_connect_failure(record) {
            let event = Event::Failed(connect_error(record));
            self.tell_event(record, Side::Outbound, owner, event);
        }
    }

    fn tell_event(&mut self, record: &SockRecord, side: Side, owner: OwnerId, event: Event) {
        let life = match event {
            Event::Life(life) => Some(life),
            Event::Failed(_) => None,
        };
        let over = life.is_none_or(|life| life.end.is_some() || life.late_unread > 0);
        self.owners.hold(owner);
        let due = Due {
            id: record.id,
            owner,
            side,
            ends: Ends::of(record),
            event,
            at_ns: record.ended_ns.max(record.established_ns),
            since: self.walks,
            over,
        };
        self.tell(due, false);
    }

    fn tell(&mut self, mut due: Due, decided: bool) {
        if !due.over
            && let Some(known) = self.connections.get(&due.id)
        {
            self.owners.hold(known.owner);
            self.owners.release(due.owner);
            due.owner = known.owner;
            if known.group.side() != Side::Undecided {
                due.side = known.group.side();
            }
        }
        let full = self.waiting_lives.due.len() >= WAITING;
        if due.side == Side::Undecided {
            if !decided && !full {
                self.waiting_lives.due.push(due);
                return;
            }
            let Ends {
                netns,
                local_ip,
                local_port,
                ..
            } = due.ends;
            let listener = self.listeners.find(netns, local_ip, local_port);
            due.side = if listener.is_some() {
                Side::Inbound
            } else {
                Side::Outbound
            };
        }
        if due.at_ns > self.waiting_lives.named_ns && due.owner != NOBODY && !full {
            // The process may have become another between the walk that named it and this.
            self.waiting_lives.due.push(due);
            return;
        }
        let names = match self.owners.get(due.owner) {
            Some(names) => Arc::clone(names),
            // Nothing more will be said of it.
            None if due.owner == NOBODY && due.over => Arc::clone(self.owners.unknown()),
            None if !full && self.walks.wrapping_sub(due.since) < PATIENCE => {
                self.waiting_lives.due.push(due);
                return;
            }
            None => {
                self.waiting_lives.given_up += u64::from(due.owner != NOBODY);
                Arc::clone(self.owners.unknown())
            }
        };
        self.book_due(&due, &names);
        self.owners.release(due.owner);
    }

    fn book_due(&mut self, due: &Due, names: &Owner) {
        let life = match due.event {
            Event::Life(life) => life,
            Event::Failed(error) => {
                self.failures.book(FailureKey::Attempt {
                    owner: names.clone(),
                    remote: self.config.networks.remote(due.ends.remote_ip),
                    remote_port: due.ends.remote_port,
                    error,
                });
                return;
            }
        };
        let (direction, port) = match due.side {
            Side::Inbound => (Direction::Inbound, due.ends.local_port),
            _ => (Direction::Outbound, due.ends.remote_port),
        };
        let group = self.services.join(direction, names, port);
        self.services.book(direction, group, &life);
        self.services.leave(direction, group);
    }

    /// A connection has gone: it leaves its flow and the group of its owner.
    pub(super) fn leave_life(&mut self, owner: OwnerId, flow: u32, service: GroupRef) {
        self.flows.leave(flow);
        if service.side() != Side::Undecided {
            self.services
                .leave(direction(service.side()), service.number());
        }
        self.owners.release(owner);
    }

    /// A walk that shows no births: whether a connection first seen now was opened since the last
    /// walk, which had read its network namespace.
    pub(super) fn polled_new(&mut self, record: &SockRecord) -> bool {
        !self.config.ends && self.sight.knew(record.netns)
    }

    #[inline]
    pub(super) fn see_namespace(&mut self, record: &SockRecord) {
        if !self.config.ends {
            self.sight.see(record.netns);
        }
    }

    /// An address of a record belongs to a listener.
    pub(super) fn see_listener(&mut self, record: &SockRecord) {
        if let Some(began) = self.began {
            let address = ip(record.local_addr);
            self.listeners
                .see(record.netns, address, record.local_port, began);
        }
    }
}

/// The new number of something.
fn renumbered(id: u32, moved: &[u32]) -> u32 {
    moved.get(id as usize).copied().unwrap_or(u32::MAX)
}
