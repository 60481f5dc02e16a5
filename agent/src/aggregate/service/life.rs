//! What happened to one connection, as it is booked.

use hostlens_ebpf::wire::SockRecord;

use super::classify::close_reason;
use crate::model::{AbortCause, CloseReason};

/// Events of one connection that are not booked yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// Its handshake was completed under our eyes.
    pub opened: bool,
    /// How long that took, ns.
    pub connect_ns: Option<u64>,
    /// It ended.
    pub end: Option<End>,
    /// Bytes never read that were only known after its end.
    pub late_unread: u32,
}

/// The end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// How.
    pub reason: CloseReason,
    /// Why it was cut off, if it was.
    pub cause: Option<AbortCause>,
    /// Bytes received and never read.
    pub unread: u32,
    /// Bytes written and never acknowledged.
    pub unacked: u32,
    /// From established to ended, ns.
    pub lifetime_ns: Option<u64>,
}

/// `to` − `from`, ns, where both were seen.
fn between(from: u64, to: u64) -> Option<u64> {
    (from > 0 && to > 0).then(|| to.saturating_sub(from))
}

/// From the first SYN to established, ns, of a connection opened here.
pub fn connect_ns(record: &SockRecord) -> Option<u64> {
    let outbound = record.direction == hostlens_ebpf::wire::Direction::Outbound as u8;
    outbound
        .then(|| between(record.born_ns, record.established_ns))
        .flatten()
}

impl Life {
    /// A connection was opened.
    pub fn opened(record: &SockRecord) -> Self {
        Self {
            opened: true,
            connect_ns: connect_ns(record),
            ..Self::default()
        }
    }

    /// Whether there is nothing to book.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl End {
    /// The end that a final record tells of. What a clean close leaves unacknowledged is none of
    /// the application's bytes.
    pub fn of(record: &SockRecord) -> Self {
        let (reason, cause) = close_reason(record);
        Self {
            reason,
            cause,
            unread: record.unread,
            unacked: match reason {
                CloseReason::Closed => 0,
                _ => record.unacked,
            },
            lifetime_ns: between(record.established_ns, record.ended_ns),
        }
    }
}

#[cfg(test)]
mod tests {
    use hostlens_ebpf::wire::{Direction, tcp_state};

    use super::*;

    #[test]
    fn durations_need_both_ends_and_loss_an_unclean_one() {
        let record = SockRecord {
            direction: Direction::Outbound as u8,
            old_state: tcp_state::LAST_ACK,
            born_ns: 100,
            established_ns: 130,
            ended_ns: 1_130,
            unacked: 1,
            ..SockRecord::default()
        };
        assert_eq!(Life::opened(&record).connect_ns, Some(30));
        let end = End::of(&record);
        assert_eq!((end.lifetime_ns, end.unacked), (Some(1_000), 0));
        let inbound = SockRecord {
            direction: Direction::Inbound as u8,
            ..record
        };
        assert_eq!(Life::opened(&inbound).connect_ns, None);
        let old = SockRecord {
            established_ns: 0,
            error: 110,
            ..record
        };
        let end = End::of(&old);
        assert_eq!((end.lifetime_ns, end.unacked), (None, 1));
        assert_eq!(Life::opened(&old).connect_ns, None);
    }
}
