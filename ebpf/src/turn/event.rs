//! What the state machine is shown, and what it decides.

use crate::wire::Excluded;

/// What the socket says at an event.
#[derive(Clone, Copy, Debug, Default)]
pub struct Socket {
    /// `snd_nxt`.
    pub snd_nxt: u32,
    /// `snd_una`, before the segment is processed.
    pub snd_una: u32,
    /// `rcv_nxt`, likewise.
    pub rcv_nxt: u32,
    /// `data_segs_out`.
    pub segs_out: u32,
    /// Lower half of `bytes_retrans`.
    pub retransmitted: u32,
    /// `rtt_min`, µs; `u32::MAX`: none.
    pub rtt_min_us: u32,
    /// `tcp_wstamp_ns`: when the last segment was sent.
    pub last_sent_ns: u64,
    /// `first_tx_mstamp`, as ns: when the first segment of the flight was sent.
    pub first_sent_ns: u64,
}

/// A segment that has arrived.
#[derive(Clone, Copy, Debug, Default)]
pub struct Segment {
    /// First sequence number.
    pub seq: u32,
    /// The one after its last byte; a FIN is none.
    pub end: u32,
    /// First sequence number of ours its sender had not seen.
    pub ack: u32,
    /// When it arrived.
    pub at_ns: u64,
}

/// A time that may be none, ns. An `Option` without a value leaves its bytes as they are, and
/// verifiers before 6.3 refuse programs that move such bytes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nanos(u64);

impl Nanos {
    /// No time.
    pub const NONE: Self = Self(u64::MAX);

    /// So much.
    #[inline(always)]
    pub fn new(ns: u64) -> Self {
        Self(ns)
    }

    /// The time, if it is one.
    #[inline(always)]
    pub fn get(self) -> Option<u64> {
        (self.0 != u64::MAX).then_some(self.0)
    }
}

impl Default for Nanos {
    fn default() -> Self {
        Self::NONE
    }
}

/// What an event decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// A turn: from the question's last byte to the answer's first.
    pub response_ns: Nanos,
    /// With that, outbound: the part the peer took itself; inbound: from arrival to read.
    pub first_ns: Nanos,
    /// With that, inbound: from read to the answer's first byte.
    pub second_ns: Nanos,
    /// A turn left out.
    pub excluded: Option<Excluded>,
}

impl Outcome {
    /// This, or the other if this is none: an event decides one turn at most.
    #[inline(always)]
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if self.response_ns != Nanos::NONE || self.excluded.is_some() {
            self
        } else {
            other
        }
    }
}
