//! What each record of a socket does to the table.

use hostlens_ebpf::wire::{SockKind, SockRecord, SockTotals, tcp_state};

use super::{
    connection::{Connection, Side},
    direction::{Ends, ip},
    table::TcpTable,
};
use crate::collect::TcpSink;

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
                let (group, netns) = (known.group, known.netns);
                self.book(group, netns, &change);
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
        let group = self.place(record, false);
        let mut connection = Connection::new(record, newborn, group, self.cycle);
        if let Some((srtt_us, _)) = self.last_rtts.remove(&record.id) {
            connection.note_last_rtt(srtt_us);
        }
        let mut change = connection.observe(record, self.cycle);
        change.opened = u32::from(newborn);
        self.connections.insert(record.id, connection);
        self.book(group, record.netns, &change);
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
        if let Some(mut known) = self.connections.remove(&record.id) {
            let change = known.finish(record);
            self.leave(known.group);
            // The final sample is one more beside that of the walk.
            let group = match known.group.side() {
                Side::Undecided => self.place(record, true),
                _ => known.group,
            };
            self.book(group, known.netns, &change);
            if let Some(details) = &mut self.details {
                details.remove(record.id);
            }
        } else if record.remote_port != 0 && newborn {
            let group = self.place(record, true);
            let mut connection = Connection::new(record, true, group, self.cycle);
            if let Some((srtt_us, _)) = last_rtt {
                connection.note_last_rtt(srtt_us);
            }
            let mut change = connection.finish(record);
            change.opened = 1;
            self.book(group, record.netns, &change);
            self.leave(group);
        }
    }

    /// A connection attempt that came to nothing.
    fn fail(&mut self, record: &SockRecord) {
        self.ended.insert((record.id, record.born_ns));
        self.last_rtts.remove(&record.id);
        if let Some(known) = self.connections.remove(&record.id) {
            self.leave(known.group);
            if let Some(details) = &mut self.details {
                details.remove(record.id);
            }
        }
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
        match (record.kind, record.state) {
            (LIVE, tcp_state::LISTEN) => {
                if let Some(began) = self.began {
                    let address = ip(record.local_addr);
                    self.listeners
                        .see(record.netns, address, record.local_port, began);
                }
            }
            (LIVE, tcp_state::TIME_WAIT) => self.time_wait(record),
            // Not yet or no longer a connection.
            (LIVE, tcp_state::CLOSE | tcp_state::NEW_SYN_RECV) => (),
            (LIVE, _) => self.live(record),
            (FINAL, _) => self.end(record),
            (LAST_RTT, _) => self.note_last_rtt(record),
            (FAILED, _) => self.fail(record),
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
