//! All connections that live, by whose they are, and what became of the others.

use std::time::Duration;

use hostlens_ebpf::wire::Direction;

use super::{
    account::{ServiceAccount, activity},
    life::Life,
};
use crate::{
    aggregate::{
        birth::View,
        group::{GroupId, Groups, RowView},
    },
    model::{Budget, Owner, ServiceKey, ServiceRow, budget},
};

/// Label sets per direction.
pub const BUDGET: usize = budget::SERVICES;

/// Counters of connection lives. A connection is a member of its group from the end of its
/// handshake until it ends.
#[derive(Debug)]
pub struct ServiceTable {
    inbound: Groups<ServiceKey, ServiceAccount>,
    outbound: Groups<ServiceKey, ServiceAccount>,
}

impl ServiceTable {
    /// An empty table; at most `budget` label sets per direction.
    pub fn new(budget: usize, retention: Duration) -> Self {
        Self {
            inbound: Groups::new(budget, retention),
            outbound: Groups::new(budget, retention),
        }
    }

    fn of(&mut self, direction: Direction) -> &mut Groups<ServiceKey, ServiceAccount> {
        match direction {
            Direction::Inbound => &mut self.inbound,
            Direction::Outbound | Direction::Unknown => &mut self.outbound,
        }
    }

    /// A connection joins; the number of its group.
    pub fn join(&mut self, direction: Direction, owner: &Owner, port: u16) -> GroupId {
        self.of(direction).join(ServiceKey::Service {
            direction,
            owner: owner.clone(),
            port,
        })
    }

    /// A connection leaves.
    pub fn leave(&mut self, direction: Direction, group: GroupId) {
        self.of(direction).leave(group);
    }

    /// Books what happened to a member of the group.
    pub fn book(&mut self, direction: Direction, group: GroupId, life: &Life) {
        let cycle = self.of(direction).cycle(group, activity(life));
        cycle.add(life);
    }

    /// Ends the cycle. If groups of a direction got new numbers, `renumber` is told of them: the
    /// new one of each old one.
    pub fn arrange(&mut self, view: &View, mut renumber: impl FnMut(Direction, &[GroupId])) {
        for direction in [Direction::Inbound, Direction::Outbound] {
            self.of(direction).arrange(view);
            if let Some(moved) = self.of(direction).compact() {
                renumber(direction, &moved);
            }
        }
    }

    /// The rows: inbound, then outbound, heaviest first, all folded groups of a direction last.
    /// `ends`: opens and ends are seen as they happen.
    pub fn rows(&self, ends: bool) -> Vec<ServiceRow> {
        let mut rows = Vec::new();
        for (direction, groups) in [
            (Direction::Inbound, &self.inbound),
            (Direction::Outbound, &self.outbound),
        ] {
            let views = groups.rows().into_iter();
            rows.extend(views.map(|view| row(&view, direction, ends)));
        }
        rows
    }

    /// State of the budgets.
    pub fn budgets(&self) -> [Budget; 2] {
        [
            self.inbound.budget("service_inbound"),
            self.outbound.budget("service_outbound"),
        ]
    }

    /// Label sets shown as 0 until scrapers have seen their birth.
    pub fn held(&self) -> u64 {
        self.inbound.held() + self.outbound.held()
    }
}

fn row(
    view: &RowView<'_, ServiceKey, ServiceAccount>,
    direction: Direction,
    ends: bool,
) -> ServiceRow {
    let account = view.account;
    let outbound = direction == Direction::Outbound;
    ServiceRow {
        key: view.key.cloned().unwrap_or(ServiceKey::Folded(direction)),
        held: view.held,
        live: view.live,
        connections: view.members,
        opened: account.opened,
        closed: ends.then_some(account.closed),
        aborted: ends.then_some(account.aborted),
        unread_bytes: ends.then_some(account.unread),
        unacked_bytes: ends.then_some(account.unacked),
        lifetime: ends.then(|| account.lifetime.clone()),
        connect: (ends && outbound).then(|| account.connect.clone()),
        rates: account.rates,
    }
}
