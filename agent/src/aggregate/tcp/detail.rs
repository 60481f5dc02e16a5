//! What `top` shows of a single connection; kept only when asked for.

use hostlens_ebpf::wire::{Direction, SockRecord, tcp_state};
use rustc_hash::FxHashMap;

use super::{
    connection::{Change, Connection, Side},
    direction::Ends,
    owner::OwnerBook,
};
use crate::model::ConnectionRow;

#[derive(Debug)]
struct Detail {
    record: SockRecord,
    /// Bytes in this cycle: sent, received.
    bytes: [u64; 2],
    /// Bytes per second over the last cycle.
    rates: [f64; 2],
}

/// The last record of every living connection.
#[derive(Debug, Default)]
pub(super) struct Details {
    by_id: FxHashMap<u64, Detail>,
}

impl Details {
    pub fn observe(&mut self, record: &SockRecord, change: &Change) {
        let detail = self.by_id.entry(record.id).or_insert_with(|| Detail {
            record: *record,
            bytes: [0; 2],
            rates: [0.0; 2],
        });
        detail.record = *record;
        let [sent, received] = &mut detail.bytes;
        *sent += change.sent;
        *received += change.received;
    }

    pub fn remove(&mut self, id: u64) {
        self.by_id.remove(&id);
    }

    /// The cycle is over: its bytes become rates.
    pub fn rate(&mut self, rate: impl Fn(u64) -> f64) {
        for detail in self.by_id.values_mut() {
            detail.rates = detail.bytes.map(&rate);
            detail.bytes = [0; 2];
        }
        crate::aggregate::shrink(&mut self.by_id);
    }

    pub fn rows(
        &self,
        connections: &FxHashMap<u64, Connection>,
        owners: &OwnerBook,
    ) -> Vec<ConnectionRow> {
        let rows = self.by_id.iter().filter_map(|(id, detail)| {
            let connection = connections.get(id)?;
            Some(detail.row(connection, owners))
        });
        rows.collect()
    }
}

impl Detail {
    fn row(&self, connection: &Connection, owners: &OwnerBook) -> ConnectionRow {
        let record = &self.record;
        let ends = Ends::of(record);
        let micros = |us: u32| u64::from(us) * 1_000;
        let [sent_rate, received_rate] = self.rates;
        ConnectionRow {
            id: record.id,
            direction: match connection.group.side() {
                Side::Inbound => Direction::Inbound,
                Side::Outbound => Direction::Outbound,
                Side::Undecided => Direction::Unknown,
            },
            local_ip: ends.local_ip,
            local_port: ends.local_port,
            remote_ip: ends.remote_ip,
            remote_port: ends.remote_port,
            owner: owners.get(connection.owner).map(|names| (**names).clone()),
            pid: owners.process(connection.owner).map(|id| id.tgid),
            netns: ends.netns,
            state: state_name(connection.state),
            rtt_ns: (record.srtt_us > 0).then(|| micros(record.srtt_us)),
            min_rtt_ns: (connection.min_rtt_us < u32::MAX).then(|| micros(connection.min_rtt_us)),
            unread_bytes: u64::from(record.unread),
            unacked_bytes: u64::from(record.unacked),
            sent_bytes: record.bytes_sent.saturating_sub(record.bytes_retrans),
            received_bytes: record.bytes_received,
            sent_rate,
            received_rate,
            retransmitted_segments: u64::from(record.total_retrans),
        }
    }
}

/// A state as `ss` prints it.
fn state_name(state: u8) -> &'static str {
    match state {
        tcp_state::ESTABLISHED => "ESTAB",
        tcp_state::SYN_SENT => "SYN-SENT",
        tcp_state::SYN_RECV => "SYN-RECV",
        tcp_state::FIN_WAIT1 => "FIN-WAIT-1",
        tcp_state::FIN_WAIT2 => "FIN-WAIT-2",
        tcp_state::TIME_WAIT => "TIME-WAIT",
        tcp_state::CLOSE => "UNCONN",
        tcp_state::CLOSE_WAIT => "CLOSE-WAIT",
        tcp_state::LAST_ACK => "LAST-ACK",
        tcp_state::LISTEN => "LISTEN",
        tcp_state::CLOSING => "CLOSING",
        _ => "UNKNOWN",
    }
}
