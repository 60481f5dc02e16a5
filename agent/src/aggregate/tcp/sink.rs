//! What each record of a socket does to the table.

use hostlens_ebpf::wire::{SockKind, SockRecord, SockTotals, tcp_state};

use super::{
    connection::{Connection, Side},
    direction::Ends,
    life::side_of,
    table::TcpTable,
};
use crate::{
    aggregate::service::{End, Life},
    collect::TcpSink,
};

/// RTTs of connections that no walk has seen, held at most.
const LAST_RTTS: usize = 65_536;

impl TcpTable {
    fn live(&mut self, record: &SockRecord) {
        // A child of a listener that has no peer yet, on older kernels.
        if record.remote_port == 0 {
            return;
        }
        let mut newborn = self.newborn(record);
        if let Some(known) = self.connections.get_mut(&record.id) {
            if !known.is_other(record) {
                let change = known.observe(record, self.cycle);
                let (group, netns, flow) = (known.group, known.netns, known.flow);
                let rises = known.rises();
                let same_owner = self.owners.is(known.owner, record);
                self.book(group, netns, &change);
                if change.sent | change.received != 0 {
                    self.flows.add_bytes(flow, change.sent + change.received);
                }
                if !same_owner {
                    self.change_owner(record);
                }
                if rises {
                    self.established(record);
                }
                self.accepted(record);
                if let Some(details) = &mut self.details {
                    details.observe(record, &change);
                }
                return;
            }
            // Whoever took this identity over did all it did since the former one was last seen.
            newborn |= record.born_ns == 0 && self.cycle.wrapping_sub(known.seen) <= 1;
            self.vanish(record.id);
        } else if self.ended.contains(&(record.id, record.born_ns)) {
            return;
        }
        let owner = self.owners.hold_of(record);
        let group = self.place(record, owner, false);
        let mut connection = Connection::new(record, newborn, (group, owner), self.cycle);
        connection.opening |= self.polled_new(record);
        if let Some((srtt_us, _)) = self.last_rtts.remove(&record.id) {
            connection.note_last_rtt(srtt_us);
        }
        let mut change = connection.observe(record, self.cycle);
        change.opened = u32::from(newborn);
        if group.side() == Side::Outbound {
            connection.flow = self.flows.join(&mut self.owners, owner, &Ends::of(record));
            self.flows
                .add_bytes(connection.flow, change.sent + change.received);
        }
        let rises = connection.rises();
        self.connections.insert(record.id, connection);
        self.book(group, record.netns, &change);
        if rises {
            self.established(record);
        }
        self.accepted(record);
        if let Some(details) = &mut self.details {
            details.observe(record, &change);
        }
    }

    fn end(&mut self, record: &SockRecord) {
        if !self.ended.insert((record.id, record.born_ns)) {
            return;
        }
        let last_rtt = self.last_rtts.remove(&record.id);
        let mut newborn = self.newborn(record);
        if let Some(known) = self.connections.get(&record.id)
            && known.is_other(record)
        {
            newborn |= record.born_ns == 0 && self.cycle.wrapping_sub(known.seen) <= 1;
            self.vanish(record.id);
        }
        if self.connections.contains_key(&record.id) {
            self.end_known(record);
        } else if record.remote_port != 0 {
            self.end_unseen(record, newborn, last_rtt.map(|(srtt_us, _)| srtt_us));
        }
    }

    fn end_known(&mut self, record: &SockRecord) {
        let Some(known) = self.connections.get(&record.id) else {
            return;
        };
        if !self.owners.is(known.owner, record) {
            self.change_owner(record);
        }
        self.accepted(record);
        let Some(mut known) = self.connections.remove(&record.id) else {
            return;
        };
        let change = known.finish(record);
        self.leave(known.group);
        // The final sample is one more beside that of the walk.
        let group = match known.group.side() {
            Side::Undecided => self.place(record, known.owner, true),
            _ => known.group,
        };
        self.book(group, known.netns, &change);
        if known.group.side() == Side::Undecided {
            self.leave(group);
        }
        self.flows
            .add_bytes(known.flow, change.sent + change.received);
        let mut life = Life {
            end: Some(End::of(record)),
            ..Life::default()
        };
        if known.opening && !known.established {
            self.flows.add_opened(known.flow);
            life = Life {
                end: life.end,
                ..Life::opened(record)
            };
        }
        self.tell_of(
            record,
            side_of(record, Some(known.group)),
            known.owner,
            life,
        );
        self.leave_life(known.owner, known.flow, known.service);
        if let Some(details) = &mut self.details {
            details.remove(record.id);
        }
    }

    /// The end of a connection that no walk has seen.
    fn end_unseen(&mut self, record: &SockRecord, newborn: bool, last_rtt: Option<u32>) {
        let owner = self.owners.hold_of(record);
        let mut life = Life {
            end: Some(End::of(record)),
            ..Life::default()
        };
        if newborn {
            self.accepts.note(record);
            life = Life {
                end: life.end,
                ..Life::opened(record)
            };
            let group = self.place(record, owner, true);
            let mut connection = Connection::new(record, true, (group, owner), self.cycle);
            if let Some(srtt_us) = last_rtt {
                connection.note_last_rtt(srtt_us);
            }
            let mut change = connection.finish(record);
            change.opened = 1;
            self.book(group, record.netns, &change);
            self.leave(group);
            if side_of(record, None) == Side::Outbound {
                let flow = self.flows.join(&mut self.owners, owner, &Ends::of(record));
                self.flows.add_opened(flow);
                self.flows.add_bytes(flow, change.sent + change.received);
                self.flows.leave(flow);
            }
        }
        self.tell_of(record, side_of(record, None), owner, life);
        self.owners.release(owner);
    }

    /// A connection attempt that came to nothing.
    fn fail(&mut self, record: &SockRecord) {
        if !self.ended.insert((record.id, record.born_ns)) {
            return;
        }
        self.last_rtts.remove(&record.id);
        let owner = self.owners.hold_of(record);
        self.tell_failure(record, owner);
        self.owners.release(owner);
        if let Some(known) = self.connections.remove(&record.id) {
            self.leave(known.group);
            self.leave_life(known.owner, known.flow, known.service);
            if let Some(details) = &mut self.details {
                details.remove(record.id);
            }
        }
    }

    /// What a connection that ended earlier has lost besides.
    fn unread_later(&mut self, record: &SockRecord) {
        let owner = self.owners.hold_of(record);
        let life = Life {
            late_unread: record.unread,
            ..Life::default()
        };
        self.tell_of(record, side_of(record, None), owner, life);
        self.owners.release(owner);
    }

    fn note_last_rtt(&mut self, record: &SockRecord) {
        if record.srtt_us == 0 {
            return;
        }
        if let Some(known) = self.connections.get_mut(&record.id) {
            known.note_last_rtt(record.srtt_us);
        } else if self.last_rtts.len() < LAST_RTTS {
            self.last_rtts
                .insert(record.id, (record.srtt_us, self.cycle));
        }
    }
}

impl TcpSink for TcpTable {
    fn socket(&mut self, record: &SockRecord) {
        const LIVE: u8 = SockKind::Live as u8;
        const FINAL: u8 = SockKind::Final as u8;
        const LAST_RTT: u8 = SockKind::LastRtt as u8;
        const FAILED: u8 = SockKind::Failed as u8;
        const UNREAD: u8 = SockKind::Unread as u8;
        match (record.kind, record.state) {
            (LIVE, tcp_state::LISTEN) => {
                self.see_namespace(record);
                self.see_listener(record);
            }
            (LIVE, tcp_state::TIME_WAIT) => self.time_wait(record),
            // Not yet or no longer a connection.
            (LIVE, tcp_state::CLOSE | tcp_state::NEW_SYN_RECV) => (),
            (LIVE, _) => {
                self.see_namespace(record);
                self.live(record);
            }
            (FINAL, _) => self.end(record),
            (LAST_RTT, _) => self.note_last_rtt(record),
            (FAILED, _) => self.fail(record),
            (UNREAD, _) => self.unread_later(record),
            _ => (),
        }
    }

    fn time_wait(&mut self, record: &SockRecord) {
        self.waiting.push(Ends::of(record));
    }

    fn lost(&mut self, totals: &[SockTotals; 3]) {
        self.lost_finals = totals.iter().map(|totals| totals.connections).sum();
        for (overflow, totals) in self.overflow.iter_mut().zip(totals) {
            overflow.report([
                totals.connections,
                totals.sent_bytes,
                totals.received_bytes,
                totals.data_segs_out,
                totals.total_retrans,
            ]);
        }
    }
}
