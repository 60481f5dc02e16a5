//! The state machine.

use super::{
    burst::Burst,
    doubt::Doubt,
    event::{Nanos, Outcome, Segment, Socket},
    network,
    owed::Owed,
};
use crate::wire::Excluded;

/// Nothing is known of the connection's past: a question may be open.
pub(super) const UNKNOWN: u8 = 0;
/// Both sides have been silent so far.
pub(super) const IDLE: u8 = 1;
/// A question is open.
pub(super) const ASKING: u8 = 2;
/// It was answered.
pub(super) const ANSWERING: u8 = 3;

/// Bits of [`Turn::marks`]: something says that this turn overlaps another.
pub(super) const OVERLAP: u8 = 1;
/// Part of the question arrived out of order.
pub(super) const HOLE: u8 = 1 << 1;
/// Part of the answer arrived out of order, before its first byte.
pub(super) const EARLY: u8 = 1 << 2;
/// Answers to earlier questions were still owed when this one began.
pub(super) const OWED: u8 = 1 << 3;
/// Reads of this connection are seen, now and for all turns: those of MPTCP's subflows are not.
pub(super) const READS: u8 = 1 << 4;

/// Stamps of first bytes are cut to µs.
const CUT_NS: u64 = 999;

/// One connection. All zero is none.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Turn {
    /// When the last byte of the question passed.
    pub(super) asked_ns: u64,
    /// When the last byte of an answer passed.
    pub(super) answered_ns: u64,
    /// Of an open question. Inbound: when it was read; outbound: when it was acknowledged without
    /// an answer. Of an answer that arrived: when it was read. 0: not.
    pub(super) noted_ns: u64,
    /// Longest pause between bursts of the last answer; of all that make it one of pushes.
    pub(super) longest_ns: u64,
    /// `snd_nxt` at the last event.
    snd_nxt: u32,
    /// `data_segs_out` at the last event.
    segs_out: u32,
    /// After the last byte seen to arrive.
    rcv_end: u32,
    /// First sequence number of what arrived last.
    last_seq: u32,
    /// Bytes of the burst that passed last, of the side that spoke last.
    pub(super) burst: u32,
    /// `bytes_retrans` before the question.
    pub(super) retransmitted: u32,
    /// Shortest round trip known, µs.
    pub(super) floor_us: u32,
    pub(super) owed: Owed,
    pub(super) doubt: Doubt,
    pub(super) phase: u8,
    inbound: u8,
    pub(super) marks: u8,
    /// Bursts of the answer, as far as they matter.
    pub(super) bursts: u8,
}

/// Whether one sequence number comes after another.
#[inline(always)]
pub(super) fn after(one: u32, other: u32) -> bool {
    (other.wrapping_sub(one) as i32) < 0
}

impl Turn {
    /// A connection seen for the first time. `sent_before` is the number of bytes it had sent by
    /// now if nothing had been received before; `None`: it is older. `handshake_us` is the round
    /// trip of its opening, 0 unknown.
    #[inline(always)]
    pub fn begin(
        &mut self,
        socket: &Socket,
        inbound: bool,
        sent_before: Option<u32>,
        handshake_us: u32,
    ) {
        self.asked_ns = 0;
        self.answered_ns = 0;
        self.noted_ns = 0;
        self.longest_ns = 0;
        self.snd_nxt = socket.snd_nxt.wrapping_sub(sent_before.unwrap_or(0));
        self.segs_out = if sent_before.is_some() {
            0
        } else {
            socket.segs_out
        };
        self.rcv_end = socket.rcv_nxt;
        self.last_seq = 0;
        self.burst = 0;
        self.retransmitted = if sent_before.is_some() {
            0
        } else {
            socket.retransmitted
        };
        self.floor_us = if handshake_us == 0 {
            u32::MAX
        } else {
            handshake_us
        };
        self.owed = Owed::default();
        self.doubt = Doubt::default();
        self.phase = if sent_before.is_some() { IDLE } else { UNKNOWN };
        self.inbound = u8::from(inbound);
        self.marks = 0;
        self.bursts = 0;
    }

    /// Whether a question is open.
    #[inline(always)]
    pub fn is_asking(&self) -> bool {
        self.phase == ASKING
    }

    /// Whether the peer asks.
    #[inline(always)]
    pub fn is_inbound(&self) -> bool {
        self.inbound == 1
    }

    /// Whether a segment without payload matters, with all that was sent before it.
    #[inline(always)]
    pub fn awaits(&self, socket: &Socket) -> bool {
        self.snd_nxt != socket.snd_nxt || self.inbound == 0 && self.phase == ASKING
    }

    /// What was sent up to an event. Before [`Turn::arrived`].
    #[inline(always)]
    pub fn sent(&mut self, socket: &Socket) -> Outcome {
        let mut outcome = Outcome::default();
        if socket.rtt_min_us < self.floor_us {
            self.floor_us = socket.rtt_min_us;
        }
        // A FIN takes one number.
        if after(socket.rcv_nxt, self.rcv_end.wrapping_add(1)) {
            // Something arrived that we were not shown.
            self.rcv_end = socket.rcv_nxt;
            if self.phase == ASKING {
                outcome.excluded = Some(Excluded::Stamp);
            }
            self.phase = UNKNOWN;
        }
        let before = self.snd_nxt;
        if !after(socket.snd_nxt, before) {
            return outcome;
        }
        self.snd_nxt = socket.snd_nxt;
        let segments = socket.segs_out.wrapping_sub(self.segs_out);
        self.segs_out = socket.segs_out;
        // Part of it was acknowledged in an event we were not shown, or the flight began earlier.
        let spoken_ns = self.asked_ns.max(self.answered_ns);
        let known = !after(socket.snd_una, before) && socket.first_sent_ns + CUT_NS >= spoken_ns;
        let burst = Burst {
            first_ns: if known {
                socket.first_sent_ns
            } else {
                socket.last_sent_ns
            },
            last_ns: socket.last_sent_ns,
            bytes: socket.snd_nxt.wrapping_sub(before),
            segments,
        };
        if self.inbound == 0 {
            self.ask(burst, socket.retransmitted);
            return outcome;
        }
        if self.phase != ASKING {
            self.speak(burst);
            return outcome;
        }
        let first_ns = burst.first_ns;
        if known && self.unread_at(first_ns) {
            self.overlap(0);
        }
        // What of it was pushed counts against this turn already.
        self.answer(burst);
        outcome.excluded = self.verdict((!known).then_some(Excluded::Stamp));
        if outcome.excluded.is_none() {
            outcome.response_ns = Nanos::new(first_ns.saturating_sub(self.asked_ns));
            if self.noted_ns != 0 && self.noted_ns <= first_ns + CUT_NS {
                outcome.first_ns = Nanos::new(self.noted_ns.saturating_sub(self.asked_ns));
                outcome.second_ns = Nanos::new(first_ns.saturating_sub(self.noted_ns));
            }
        }
        outcome
    }

    /// A segment has arrived.
    #[inline(always)]
    pub fn arrived(&mut self, socket: &Socket, segment: &Segment) -> Outcome {
        let mut outcome = Outcome::default();
        let now = segment.at_ns;
        if self.phase != ASKING {
            self.retransmitted = socket.retransmitted;
        }
        let heard_all = !after(socket.snd_nxt, segment.ack);
        if segment.seq == segment.end {
            if self.inbound == 0 && self.phase == ASKING && self.noted_ns == 0 && heard_all {
                self.noted_ns = now;
            }
            return outcome;
        }
        if !after(segment.end, socket.rcv_nxt) {
            return outcome;
        }
        if after(segment.end, self.rcv_end) {
            self.rcv_end = segment.end;
        }
        let burst = Burst {
            first_ns: now,
            last_ns: now,
            bytes: segment.end.wrapping_sub(segment.seq),
            segments: 1,
        };
        let in_order = !after(segment.seq, socket.rcv_nxt);
        if self.inbound == 1 {
            self.ask(burst, self.retransmitted);
            if self.phase == ASKING {
                self.last_seq = segment.seq;
                if !in_order {
                    self.marks |= HOLE;
                }
                if !heard_all {
                    self.overlap(0);
                }
            }
            return outcome;
        }
        if self.phase != ASKING {
            self.speak(burst);
            self.await_read(segment);
            return outcome;
        }
        if !in_order {
            if self.marks & EARLY == 0 {
                self.marks |= EARLY;
                self.answered_ns = now;
            }
            return outcome;
        }
        if !heard_all {
            self.overlap(0);
        }
        let again = self.retransmitted != socket.retransmitted;
        self.retransmitted = socket.retransmitted;
        outcome.excluded = self.verdict(again.then_some(Excluded::Retransmit));
        if outcome.excluded.is_none() {
            let response_ns = now.saturating_sub(self.asked_ns);
            outcome.response_ns = Nanos::new(response_ns);
            let spoke_ns = if self.marks & EARLY == 0 {
                response_ns
            } else {
                self.answered_ns.saturating_sub(self.asked_ns)
            };
            outcome.first_ns = network::peer_ns(self, spoke_ns);
        }
        self.answer(burst);
        self.await_read(segment);
        outcome
    }

    /// Somebody has read up to `copied_seq`.
    #[inline(always)]
    pub fn read(&mut self, copied_seq: u32, now: u64) {
        if self.noted_ns == 0 && after(copied_seq, self.last_seq) {
            self.noted_ns = now;
            self.marks |= READS;
        }
    }

    /// Whether a read matters.
    #[inline(always)]
    pub fn awaits_read(&self) -> bool {
        let hearing = if self.inbound == 1 { ASKING } else { ANSWERING };
        self.phase == hearing && self.noted_ns == 0
    }

    /// A part of the answer has arrived and is not read yet.
    #[inline(always)]
    fn await_read(&mut self, segment: &Segment) {
        self.last_seq = segment.seq;
        self.noted_ns = 0;
    }

    /// Whether what arrived last was not read yet at that time. Who speaks before that does not
    /// speak of it: another turn is under way.
    #[inline(always)]
    pub(super) fn unread_at(&self, ns: u64) -> bool {
        self.marks & READS != 0 && (self.noted_ns == 0 || self.noted_ns > ns + CUT_NS)
    }

    /// The connection is no longer whole; after [`Turn::sent`].
    #[inline(always)]
    pub fn left(&mut self) -> Outcome {
        let open = self.phase == ASKING;
        self.phase = UNKNOWN;
        Outcome {
            excluded: open.then_some(Excluded::Closed),
            ..Outcome::default()
        }
    }
}
