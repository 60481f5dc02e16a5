//! Round-trip times that groups of connections measured by themselves, one per acknowledgement.

use hostlens_ebpf::wire::{Direction, RttKey};

use super::{account::PeerGroup, connection::Side, direction::ip, table::TcpTable};
use crate::{
    collect::RttSink,
    model::{PeerKey, Remote, SampleCounts},
};

impl TcpTable {
    /// Whether the samples of walks count for the histograms; from the start they do. Not if
    /// every acknowledgement's do.
    pub fn sample_walks(&mut self, sample: bool) {
        self.sides.sample_walks = sample;
    }
}

/// The peer that programs know by such a key. They decide the direction of every connection.
pub(in crate::aggregate) fn peer_key(key: &RttKey) -> PeerKey {
    let remote = match key.beyond {
        0 => Remote::Ip(ip(key.remote)),
        _ => Remote::Other,
    };
    match Direction::from_wire(key.direction) {
        Direction::Inbound => PeerKey::Inbound {
            listen_ip: ip(key.listen),
            listen_port: key.port,
            remote,
        },
        Direction::Outbound | Direction::Unknown => PeerKey::Outbound {
            remote,
            remote_port: key.port,
        },
    }
}

impl RttSink for TcpTable {
    fn rtt(&mut self, key: &RttKey, samples: &SampleCounts) {
        let key = peer_key(key);
        let side = match key.direction() {
            Direction::Inbound => Side::Inbound,
            Direction::Outbound | Direction::Unknown => Side::Outbound,
        };
        // Its connections may all have ended by now: a member for as long as this takes.
        let group = self.sides.join(
            side,
            PeerGroup {
                peer: key,
                owner: None,
            },
        );
        // Many samples weigh no more than one: walks weigh connections by the same measure.
        let cycle = self.sides.get(side).cycle(group.number(), 1.0);
        cycle.samples.merge(samples);
        self.sides.leave(group);
    }

    fn rtt_elsewhere(&mut self, direction: Direction, samples: &SampleCounts) {
        let side = match direction {
            Direction::Inbound => Side::Inbound,
            Direction::Outbound | Direction::Unknown => Side::Outbound,
        };
        self.sides.get(side).other_cycle().samples.merge(samples);
    }
}
