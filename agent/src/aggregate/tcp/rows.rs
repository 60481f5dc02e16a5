//! Rows for the snapshot.

use hostlens_ebpf::wire::{Direction, tcp_state};

use super::{
    account::{PeerAccount, PeerGroup},
    connection::{GroupRef, Side},
    table::TcpTable,
};
use crate::{
    aggregate::{
        birth::View,
        group::{Groups, RowView},
    },
    model::{
        BirthGate, Budget, ConnectionRow, ConnectionState, FailureRow, PeerKey, PeerRates, PeerRow,
        ServiceRow,
    },
};

/// Gauges of one row, summed over its connections.
#[derive(Clone, Debug)]
struct Gauges {
    states: [u64; ConnectionState::ALL.len()],
    unread: u64,
    unacked: u64,
    min_rtt_us: u32,
}

impl Default for Gauges {
    fn default() -> Self {
        Self {
            states: [0; ConnectionState::ALL.len()],
            unread: 0,
            unacked: 0,
            min_rtt_us: u32::MAX,
        }
    }
}

impl Gauges {
    fn count(&mut self, state: ConnectionState, sockets: u64) {
        if let Some(count) = self.states.get_mut(state as usize) {
            *count += sockets;
        }
    }
}

fn state(kernel: u8) -> ConnectionState {
    match kernel {
        tcp_state::ESTABLISHED => ConnectionState::Established,
        tcp_state::SYN_SENT => ConnectionState::SynSent,
        tcp_state::CLOSE_WAIT => ConnectionState::CloseWait,
        tcp_state::TIME_WAIT => ConnectionState::TimeWait,
        _ => ConnectionState::Other,
    }
}

impl TcpTable {
    /// The rows of the snapshot with this sequence: inbound, then outbound, heaviest first, all
    /// folded groups of a direction last. To be called once after each `finish`: it also decides
    /// who keeps a name. Empty before the first.
    pub fn rows(&mut self, sequence: u64, gate: BirthGate) -> Vec<PeerRow> {
        let Some(view) = self.view(sequence, gate) else {
            return Vec::new();
        };
        for side in [Side::Inbound, Side::Outbound] {
            self.sides.get(side).arrange(&view);
            if let Some(moved) = self.sides.get(side).compact() {
                self.renumber(side, &moved);
            }
        }
        let [inbound, outbound] = self.gauges();
        let known = self.time_wait_known;
        let mut rows = Vec::new();
        for (groups, gauges, direction) in [
            (&self.sides.inbound, inbound, Direction::Inbound),
            (&self.sides.outbound, outbound, Direction::Outbound),
        ] {
            let row = |view| peer_row(&view, &gauges, direction, known);
            rows.extend(groups.rows().into_iter().map(row));
        }
        rows
    }

    fn view(&self, sequence: u64, gate: BirthGate) -> Option<View> {
        Some(View {
            sequence,
            gate,
            now: self.now?,
            seconds: self.seconds,
            window_ns: self.window_ns(),
        })
    }

    /// Lives of connections: inbound, then outbound, heaviest first, all folded groups of a
    /// direction last. Once per cycle, as `rows`. What a source that only polls cannot see is
    /// absent; it counts as opened what a walk finds new in a network namespace that the walk
    /// before had read.
    pub fn services(&mut self, sequence: u64, gate: BirthGate) -> Vec<ServiceRow> {
        let Some(view) = self.view(sequence, gate) else {
            return Vec::new();
        };
        let connections = &mut self.connections;
        self.services.arrange(&view, |direction, moved| {
            let side = match direction {
                Direction::Inbound => Side::Inbound,
                _ => Side::Outbound,
            };
            for known in connections.values_mut() {
                if known.service.side() == side {
                    known.service = renumbered(known.service, moved);
                }
            }
        });
        self.services.rows(self.config.ends)
    }

    /// Attempts to connect that failed: heaviest first, all folded groups last. Once per cycle, as
    /// `rows`.
    pub fn failures(&mut self, sequence: u64, gate: BirthGate) -> Vec<FailureRow> {
        let view = self.view(sequence, gate);
        view.map_or_else(Vec::new, |view| self.failures.rows(&view))
    }

    /// Single connections; empty unless details were asked for.
    pub fn connections(&self) -> Vec<ConnectionRow> {
        let details = self.details.as_ref();
        details.map_or_else(Vec::new, |details| {
            details.rows(&self.connections, &self.owners)
        })
    }

    /// State of the budgets.
    pub fn budgets(&self) -> Vec<Budget> {
        let mut budgets = vec![
            self.sides.inbound.budget("peer_inbound"),
            self.sides.outbound.budget("peer_outbound"),
        ];
        budgets.extend(self.services.budgets());
        budgets.push(self.failures.budget());
        budgets
    }

    /// Label sets shown as 0 until scrapers have seen their birth.
    pub fn held(&self) -> u64 {
        let peers = self.sides.inbound.held() + self.sides.outbound.held();
        peers + self.services.held() + self.failures.held()
    }

    fn gauges(&self) -> [Vec<Gauges>; 2] {
        let sides = [&self.sides.inbound, &self.sides.outbound];
        let mut gauges = sides.map(|groups| vec![Gauges::default(); groups.gauge_count()]);
        let [inbound, outbound] = &mut gauges;
        let mut of = |group: GroupRef, fill: &mut dyn FnMut(&mut Gauges)| {
            let (groups, gauges): (&Groups<_, _>, _) = match group.side() {
                Side::Inbound => (&self.sides.inbound, &mut *inbound),
                _ => (&self.sides.outbound, &mut *outbound),
            };
            if let Some(gauges) = gauges.get_mut(groups.gauge_index(group.number())) {
                fill(gauges);
            }
        };
        for connection in self.connections.values() {
            of(connection.group, &mut |gauges| {
                gauges.count(state(connection.state), 1);
                gauges.unread += u64::from(connection.unread);
                gauges.unacked += u64::from(connection.unacked);
                gauges.min_rtt_us = gauges.min_rtt_us.min(connection.min_rtt_us);
            });
        }
        for (&group, &sockets) in &self.time_wait {
            of(group, &mut |gauges| {
                gauges.count(ConnectionState::TimeWait, u64::from(sockets));
            });
        }
        gauges
    }

    fn renumber(&mut self, side: Side, moved: &[u32]) {
        for connection in self.connections.values_mut() {
            if connection.group.side() == side {
                connection.group = renumbered(connection.group, moved);
            }
        }
        self.time_wait = std::mem::take(&mut self.time_wait)
            .into_iter()
            .map(|(group, sockets)| {
                let group = if group.side() == side {
                    renumbered(group, moved)
                } else {
                    group
                };
                (group, sockets)
            })
            .collect();
    }
}

/// The same group under its new number.
fn renumbered(group: GroupRef, moved: &[u32]) -> GroupRef {
    let number = moved.get(group.number() as usize).copied();
    GroupRef::new(group.side(), number.unwrap_or(u32::MAX))
}

fn peer_row(
    view: &RowView<'_, PeerGroup, PeerAccount>,
    gauges: &[Gauges],
    direction: Direction,
    time_wait_known: bool,
) -> PeerRow {
    let account = view.account;
    let gauges = match gauges.get(view.index) {
        Some(gauges) if view.live => gauges.clone(),
        _ => Gauges::default(),
    };
    let mut connections = gauges.states.map(Some);
    if !time_wait_known && let Some(count) = connections.get_mut(ConnectionState::TimeWait as usize)
    {
        *count = None;
    }
    let [sent_rate, received_rate] = account.rates;
    PeerRow {
        key: view.key.map_or(PeerKey::Folded(direction), |key| key.peer),
        owner: view.key.and_then(|key| key.owner.as_deref()).cloned(),
        held: view.held,
        live: view.live,
        connections,
        sent_bytes: account.sent,
        received_bytes: account.received,
        sent_segments: account.segments,
        retransmitted_segments: account.retransmitted,
        unread_bytes: gauges.unread,
        unacked_bytes: gauges.unacked,
        min_rtt_ns: (gauges.min_rtt_us < u32::MAX).then(|| u64::from(gauges.min_rtt_us) * 1_000),
        rtt: account.rtt.clone(),
        rtt_quantiles: (!view.lingering)
            .then(|| account.window.quantiles())
            .flatten(),
        rates: PeerRates {
            sent_bytes: sent_rate,
            received_bytes: received_rate,
            retransmit_ratio: account.window.retransmit_ratio(),
        },
    }
}
