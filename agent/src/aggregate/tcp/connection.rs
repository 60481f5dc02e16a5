//! One connection: its last counters, and what a new record of it adds.

use hostlens_ebpf::wire::SockRecord;

use super::{flow, life::is_connected, owner::OwnerId};

/// Which group a connection belongs to, packed: direction and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct GroupRef(u32);

/// What a [`GroupRef`] stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Group of inbound connections.
    Inbound,
    /// Group of outbound connections.
    Outbound,
    /// Place in the list of connections whose direction is decided when the walk is over.
    Undecided,
}

impl GroupRef {
    const BITS: u32 = 30;

    /// No group of this side: its gauges count for `other`.
    pub fn none(side: Side) -> Self {
        Self::new(side, u32::MAX)
    }

    /// Packs a side and a number below 2³⁰.
    pub fn new(side: Side, number: u32) -> Self {
        Self((side as u32) << Self::BITS | number & ((1 << Self::BITS) - 1))
    }

    /// The side.
    pub fn side(self) -> Side {
        match self.0 >> Self::BITS {
            0 => Side::Inbound,
            1 => Side::Outbound,
            _ => Side::Undecided,
        }
    }

    /// The number.
    pub fn number(self) -> u32 {
        self.0 & ((1 << Self::BITS) - 1)
    }
}

/// What a record adds to the counters of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// Payload bytes sent for the first time.
    pub sent: u64,
    /// Payload bytes received.
    pub received: u64,
    /// Segments sent.
    pub segments: u32,
    /// Segments retransmitted.
    pub retransmitted: u32,
    /// One RTT sample, ns.
    pub sample: Option<u64>,
    /// Connections that were opened since the last complete walk.
    pub opened: u32,
}

impl Change {
    /// Whether there is nothing to book.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds another; only one sample a cycle gets here, so the newer one stands.
    pub fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.received += other.received;
        self.segments = self.segments.saturating_add(other.segments);
        self.retransmitted = self.retransmitted.saturating_add(other.retransmitted);
        self.sample = other.sample.or(self.sample);
        self.opened += other.opened;
    }
}

/// A living connection.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    born_ns: u64,
    bytes_sent: u64,
    /// First-time payload bytes booked so far or before we came.
    sent: u64,
    received: u64,
    segments: u32,
    retransmitted: u32,
    /// `delivered` at the last sample, or when it was first seen.
    delivered: u32,
    /// RTT from before the close handshake, µs; 0: not said.
    last_rtt_us: u32,
    /// Lowest RTT, µs; `u32::MAX`: none.
    pub min_rtt_us: u32,
    /// Receive queue, bytes.
    pub unread: u32,
    /// Send queue, bytes.
    pub unacked: u32,
    /// Network namespace.
    pub netns: u32,
    /// Its group.
    pub group: GroupRef,
    /// Cycle of the last record.
    pub seen: u32,
    /// Whose it is.
    pub owner: OwnerId,
    /// Its group of lives, once its handshake was completed and its owner is known.
    pub service: GroupRef,
    /// Its flow, if outbound.
    pub flow: u32,
    /// Local port.
    pub local_port: u16,
    /// Remote port.
    pub remote_port: u16,
    /// TCP state.
    pub state: u8,
    /// Direction as the records have it, under which its final record would be lost.
    pub wire_direction: u8,
    /// Complete walks in a row without it.
    pub missed: u8,
    /// It counts as opened once its handshake is completed.
    pub opening: bool,
    /// Its handshake was found completed.
    pub established: bool,
    /// It was told who accepted it, or that happened before we came.
    pub accept_told: bool,
    /// Nothing was sampled yet and all it measured is ours.
    unsampled: bool,
}

/// Segment counters are 32 bits wide and wrap; a value a little behind is a torn read.
fn wrapped(now: u32, before: u32) -> u32 {
    let delta = now.wrapping_sub(before);
    if delta > u32::MAX / 2 { 0 } else { delta }
}

impl Connection {
    /// A connection of `owner` seen for the first time. Everything it did counts if it is `newborn`,
    /// otherwise the record is a baseline.
    pub fn new(
        record: &SockRecord,
        newborn: bool,
        (group, owner): (GroupRef, OwnerId),
        cycle: u32,
    ) -> Self {
        let base = if newborn {
            SockRecord::default()
        } else {
            *record
        };
        Self {
            born_ns: record.born_ns,
            bytes_sent: base.bytes_sent,
            sent: base.bytes_sent.saturating_sub(base.bytes_retrans),
            received: base.bytes_received,
            segments: base.data_segs_out,
            retransmitted: base.total_retrans,
            delivered: base.delivered,
            last_rtt_us: 0,
            min_rtt_us: u32::MAX,
            unread: 0,
            unacked: 0,
            netns: record.netns,
            group,
            // Not yet seen in this cycle: `observe` follows.
            seen: cycle.wrapping_sub(1),
            owner,
            service: GroupRef::none(Side::Undecided),
            flow: flow::NONE,
            local_port: record.local_port,
            remote_port: record.remote_port,
            state: record.state,
            opening: newborn || !is_connected(record.state),
            established: false,
            accept_told: !newborn,
            wire_direction: record.direction,
            missed: 0,
            unsampled: newborn,
        }
    }

    /// Whether the record belongs to a later connection under the same id. Where births are known
    /// they tell; else counters that went back do. (A byte received may be a FIN in passing.)
    pub fn is_other(&self, record: &SockRecord) -> bool {
        self.born_ns != record.born_ns
            || record.born_ns == 0
                && (record.bytes_sent < self.bytes_sent
                    || record.bytes_received.saturating_add(1) < self.received)
    }

    /// Whether its handshake was completed since the last time this was asked.
    #[inline]
    pub fn rises(&mut self) -> bool {
        let rises = !self.established && is_connected(self.state);
        self.established |= rises;
        rises
    }

    /// Takes a record of a walk.
    pub fn observe(&mut self, record: &SockRecord, cycle: u32) -> Change {
        let mut change = self.count(record);
        // A walk may show a socket twice; it counts once per cycle.
        if self.seen != cycle && (record.delivered != self.delivered || self.unsampled) {
            change.sample = self.sample(record.srtt_us, record.delivered);
        }
        self.state = record.state;
        self.min_rtt_us = match record.min_rtt_us {
            0 => u32::MAX,
            us => us,
        };
        self.unread = record.unread;
        self.unacked = record.unacked;
        self.seen = cycle;
        self.missed = 0;
        change
    }

    /// Takes the final record.
    pub fn finish(&mut self, record: &SockRecord) -> Change {
        let mut change = self.count(record);
        if record.delivered != self.delivered || self.unsampled {
            let srtt_us = match self.last_rtt_us {
                0 => record.srtt_us,
                us => us,
            };
            change.sample = self.sample(srtt_us, record.delivered);
        }
        change
    }

    /// Notes the RTT that stood before the close handshake, µs.
    pub fn note_last_rtt(&mut self, srtt_us: u32) {
        self.last_rtt_us = srtt_us;
    }

    /// Last known absolute counters, in the order of the overflow totals.
    pub fn known(&self) -> [u64; 5] {
        [
            1,
            self.sent,
            self.received,
            u64::from(self.segments),
            u64::from(self.retransmitted),
        ]
    }

    fn sample(&mut self, srtt_us: u32, delivered: u32) -> Option<u64> {
        if srtt_us == 0 {
            return None;
        }
        self.unsampled = false;
        self.delivered = delivered;
        Some(u64::from(srtt_us) * 1_000)
    }

    fn count(&mut self, record: &SockRecord) -> Change {
        let sent = record.bytes_sent.saturating_sub(record.bytes_retrans);
        let change = Change {
            sent: sent.saturating_sub(self.sent),
            received: record.bytes_received.saturating_sub(self.received),
            segments: wrapped(record.data_segs_out, self.segments),
            retransmitted: wrapped(record.total_retrans, self.retransmitted),
            sample: None,
            opened: 0,
        };
        self.bytes_sent = self.bytes_sent.max(record.bytes_sent);
        self.sent += change.sent;
        self.received += change.received;
        self.segments = self.segments.wrapping_add(change.segments);
        self.retransmitted = self.retransmitted.wrapping_add(change.retransmitted);
        change
    }
}

const _: () = assert!(size_of::<Connection>() <= 96, "held for every socket");
