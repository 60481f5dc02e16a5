//! All living connections and their groups.

use std::time::Duration;

use hostlens_ebpf::wire::SockRecord;
use rustc_hash::FxHashMap;

use super::{
    TcpConfig,
    accepts::Accepts,
    account::{PeerAccount, PeerCycle, PeerGroup, activity},
    connection::{Change, Connection, GroupRef, Side},
    detail::Details,
    direction::{Ends, Undecided},
    flow::Flows,
    life::Waiting,
    owner::OwnerBook,
    port_use::Path,
    sight::Sight,
};
use crate::{
    aggregate::{
        Owners, WalkOutcome,
        ended::Ended,
        group::Groups,
        horizon::Horizon,
        listeners::Listeners,
        overflow::Overflow,
        service::{FailureTable, ServiceTable},
        shrink,
    },
    clock::Moment,
    model::Lost,
};

/// Complete walks without an identity after which it has gone.
pub(super) const GONE: u8 = 2;
/// Cycles for which the RTT of a connection that no walk has seen waits for its final record.
const LAST_RTT_CYCLES: u32 = 30;
/// Network namespaces with a retransmission total at most, beyond those in use.
const NAMESPACES: usize = 4_096;

/// The groups of both directions.
#[derive(Debug)]
pub(super) struct Sides {
    pub inbound: Groups<PeerGroup, PeerAccount>,
    pub outbound: Groups<PeerGroup, PeerAccount>,
    /// Samples of records count; otherwise they come by [`crate::collect::RttSink`].
    pub sample_walks: bool,
}

impl Sides {
    /// The groups of one direction. What nobody could decide counts as outbound.
    pub fn get(&mut self, side: Side) -> &mut Groups<PeerGroup, PeerAccount> {
        match side {
            Side::Inbound => &mut self.inbound,
            Side::Outbound | Side::Undecided => &mut self.outbound,
        }
    }

    pub fn join(&mut self, side: Side, key: PeerGroup) -> GroupRef {
        GroupRef::new(side, self.get(side).join(key))
    }

    pub fn leave(&mut self, group: GroupRef) {
        self.get(group.side()).leave(group.number());
    }

    pub fn book(&mut self, group: GroupRef, change: &Change) {
        let activity = activity(change);
        let change = Change {
            sample: change.sample.filter(|_| self.sample_walks),
            ..*change
        };
        let cycle = self.get(group.side()).cycle(group.number(), activity);
        cycle.add(&change);
    }
}

/// Turns socket records into counters of peer groups. Records may come at any time; `begin` and
/// `finish` frame a walk over all sockets.
#[derive(Debug)]
pub struct TcpTable {
    pub(super) config: TcpConfig,
    pub(super) connections: FxHashMap<u64, Connection>,
    pub(super) sides: Sides,
    pub(super) undecided: Vec<Undecided>,
    pub(super) listeners: Listeners,
    pub(super) waiting: Vec<Ends>,
    /// TIME_WAIT sockets by group; each entry is a member of its group.
    pub(super) time_wait: FxHashMap<GroupRef, u32>,
    pub(super) time_wait_known: bool,
    /// TIME_WAIT sockets of connections opened here, by what their local port was bound for.
    pub(super) time_wait_paths: FxHashMap<Path, u32>,
    pub(super) owners: OwnerBook,
    pub(super) services: ServiceTable,
    pub(super) failures: FailureTable,
    pub(super) flows: Flows,
    pub(super) waiting_lives: Waiting,
    pub(super) sight: Sight,
    pub(super) accepts: Accepts,
    /// Complete walks so far.
    pub(super) walks: u32,
    /// RTT in µs and cycle, of connections that no walk has seen.
    pub(super) last_rtts: FxHashMap<u64, (u32, u32)>,
    pub(super) ended: Ended<(u64, u64)>,
    /// By the direction that records have.
    pub(super) overflow: [Overflow<5>; 3],
    pub(super) lost_finals: u64,
    retransmits: FxHashMap<u32, u64>,
    pub(super) details: Option<Details>,
    pub(super) cycle: u32,
    pub(super) began: Option<Moment>,
    /// Sockets born later are known not to have been there before: start of the last complete
    /// walk but one, at first of the first walk.
    horizon: Horizon,
    pub(super) now: Option<Moment>,
    pub(super) seconds: f64,
}

impl TcpTable {
    /// An empty table.
    pub fn new(config: TcpConfig) -> Self {
        let groups = || Groups::new(config.peer_budget, config.retention);
        Self {
            connections: FxHashMap::default(),
            sides: Sides {
                inbound: groups(),
                outbound: groups(),
                sample_walks: true,
            },
            undecided: Vec::new(),
            listeners: Listeners::default(),
            waiting: Vec::new(),
            time_wait: FxHashMap::default(),
            time_wait_known: false,
            time_wait_paths: FxHashMap::default(),
            owners: OwnerBook::default(),
            services: ServiceTable::new(config.service_budget, config.retention),
            failures: FailureTable::new(config.failure_budget, config.retention),
            flows: Flows::default(),
            waiting_lives: Waiting::default(),
            sight: Sight::default(),
            accepts: Accepts::default(),
            walks: 0,
            last_rtts: FxHashMap::default(),
            ended: Ended::default(),
            overflow: Default::default(),
            lost_finals: 0,
            retransmits: FxHashMap::default(),
            details: config.details.then(Details::default),
            cycle: 0,
            began: None,
            horizon: Horizon::default(),
            now: None,
            seconds: 0.0,
            config,
        }
    }

    /// A walk over all sockets begins.
    pub fn begin(&mut self, at: Moment) {
        match self.began {
            None => self.horizon.start(at.mono_ns),
            Some(before) => self.seconds = at.since(before).as_secs_f64(),
        }
        self.began = Some(at);
        self.cycle = self.cycle.wrapping_add(1);
    }

    /// The walk is over; `owners` knows whose its sockets are. `time_wait_known`: the source shows
    /// TIME_WAIT sockets, and all of them were handed in if the walk is complete.
    pub fn finish(
        &mut self,
        at: Moment,
        outcome: WalkOutcome,
        time_wait_known: bool,
        owners: &dyn Owners,
    ) {
        let began = self.began.unwrap_or(at);
        self.now = Some(at);
        self.walks = self.walks.wrapping_add(u32::from(outcome.complete));
        self.settle_owners(owners);
        self.take_time_wait(outcome.complete, time_wait_known);
        if outcome.complete {
            self.forget_missing();
            self.settle_overflow();
            self.listeners.age(began, self.config.retention);
            self.horizon.walked(began.mono_ns);
            self.sight.walked();
        }
        let window_ns = self.window_ns();
        self.flows.age(&mut self.owners, at.mono_ns, window_ns);
        let (cycle, seconds) = (self.cycle, self.seconds);
        if let Some(details) = &mut self.details {
            details.rate(|bytes| {
                if seconds > 0.0 {
                    bytes as f64 / seconds
                } else {
                    0.0
                }
            });
        }
        self.last_rtts
            .retain(|_, (_, noted)| cycle.wrapping_sub(*noted) < LAST_RTT_CYCLES);
        shrink(&mut self.last_rtts);
        self.ended.age();
        if self.retransmits.len() > NAMESPACES {
            let used: rustc_hash::FxHashSet<u32> =
                self.connections.values().map(|known| known.netns).collect();
            self.retransmits.retain(|netns, _| used.contains(netns));
        }
    }

    /// Retransmitted segments booked so far, by network namespace (inode number); what was lost
    /// in an overflow is not among them.
    pub fn retransmits_by_netns(&self) -> impl Iterator<Item = (u32, u64)> {
        self.retransmits
            .iter()
            .map(|(&netns, &total)| (netns, total))
    }

    /// Final records that were lost so far, whose counters are booked to `other`, and events of
    /// connections whose process is gone before it could be named, booked to `unknown`.
    pub fn lost_detail(&self) -> Vec<Lost> {
        vec![
            Lost {
                what: "tcp_final",
                count: self.lost_finals,
            },
            Lost {
                what: "tcp_owner",
                count: self.owners.beyond() + self.waiting_lives.given_up(),
            },
        ]
    }

    /// Who listens: network namespace, bound address, port.
    pub fn listening(&self) -> impl Iterator<Item = (u32, std::net::IpAddr, u16)> {
        self.listeners.all()
    }

    /// Living connections.
    pub fn tracked(&self) -> u64 {
        self.connections.len() as u64
    }

    pub(super) fn newborn(&self, record: &SockRecord) -> bool {
        self.horizon.is_newborn(record.born_ns)
    }

    pub(super) fn book(&mut self, group: GroupRef, netns: u32, change: &Change) {
        if change.is_empty() {
            return;
        }
        if change.retransmitted > 0 {
            *self.retransmits.entry(netns).or_default() += u64::from(change.retransmitted);
        }
        if group.side() == Side::Undecided {
            if let Some(undecided) = self.undecided.get_mut(group.number() as usize) {
                undecided.change.add(change);
            }
        } else {
            self.sides.book(group, change);
        }
    }

    /// A member of a group has gone.
    pub(super) fn leave(&mut self, group: GroupRef) {
        if group.side() != Side::Undecided {
            self.sides.leave(group);
        } else if let Some(undecided) = self.undecided.get_mut(group.number() as usize) {
            undecided.ended = true;
        }
    }

    /// Drops a connection that has gone without a final record.
    pub(super) fn vanish(&mut self, id: u64) {
        let Some(gone) = self.connections.remove(&id) else {
            return;
        };
        if let Some(overflow) = self.overflow.get_mut(usize::from(gone.wire_direction)) {
            overflow.vanished(gone.known());
        }
        self.leave(gone.group);
        self.leave_life(gone.owner, gone.flow, gone.service);
        if let Some(details) = &mut self.details {
            details.remove(id);
        }
    }

    fn forget_missing(&mut self) {
        let mut gone = Vec::new();
        for (&id, connection) in &mut self.connections {
            if connection.seen != self.cycle {
                connection.missed += 1;
                if connection.missed >= GONE {
                    gone.push(id);
                }
            }
        }
        for id in gone {
            self.vanish(id);
        }
        shrink(&mut self.connections);
    }

    fn settle_overflow(&mut self) {
        let sides = [Side::Undecided, Side::Inbound, Side::Outbound];
        for (overflow, side) in self.overflow.iter_mut().zip(sides) {
            let Some([_, sent, received, segments, retransmitted]) = overflow.settle() else {
                continue;
            };
            let cycle: &mut PeerCycle = self.sides.get(side).other_cycle();
            cycle.sent += sent;
            cycle.received += received;
            cycle.segments += segments;
            cycle.retransmitted += retransmitted;
        }
    }

    /// How long the quantile window is, ns.
    pub(super) fn window_ns(&self) -> u64 {
        let window: Duration = self.config.window;
        u64::try_from(window.as_nanos()).unwrap_or(u64::MAX)
    }
}
