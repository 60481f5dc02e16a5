//! The state machine.

use super::{
    burst::{BULK, Burst},
    doubt::{self, Doubt},
    network,
};
use crate::wire::Excluded;

/// Nothing is known of the connection's past: a question may be open.
const UNKNOWN: u8 = 0;
/// Both sides have been silent so far.
const IDLE: u8 = 1;
/// A question is open.
const ASKING: u8 = 2;
/// It was answered.
const ANSWERING: u8 = 3;

/// Bits of [`Turn::marks`]: something says that this turn overlaps another.
const OVERLAP: u8 = 1;
/// Part of the question arrived out of order.
const HOLE: u8 = 1 << 1;
/// Part of the answer arrived out of order, before its first byte.
const EARLY: u8 = 1 << 2;
/// Reads of this connection are seen, now and for all turns: those of MPTCP's subflows are not.
const READS: u8 = 1 << 3;

/// Stamps of first bytes are cut to µs.
const CUT_NS: u64 = 999;

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

/// What an event decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// A turn: from the question's last byte to the answer's first, ns.
    pub response_ns: Option<u64>,
    /// With that, outbound: the part the peer took itself; inbound: from arrival to read, ns.
    pub first_ns: Option<u64>,
    /// With that, inbound: from read to the answer's first byte, ns.
    pub second_ns: Option<u64>,
    /// A turn left out.
    pub excluded: Option<Excluded>,
}

impl Outcome {
    /// This, or the other if this is none: an event decides one turn at most.
    #[inline(always)]
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if self.response_ns.is_some() || self.excluded.is_some() {
            self
        } else {
            other
        }
    }
}

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
    segs_out: u32,
    /// After the last byte seen to arrive.
    rcv_end: u32,
    /// First sequence number of what arrived last.
    last_seq: u32,
    /// Bytes of the burst that passed last, of the side that spoke last.
    burst: u32,
    /// `bytes_retrans` before the question.
    retransmitted: u32,
    /// Shortest round trip known, µs.
    pub(super) floor_us: u32,
    pub(super) doubt: Doubt,
    phase: u8,
    inbound: u8,
    marks: u8,
    /// Bursts of the answer, as far as they matter.
    bursts: u8,
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
        self.segs_out = socket.segs_out;
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
            self.overlap();
        }
        outcome.excluded = self.verdict((!known).then_some(Excluded::Stamp));
        if outcome.excluded.is_none() {
            outcome.response_ns = Some(first_ns.saturating_sub(self.asked_ns));
            if self.noted_ns != 0 && self.noted_ns <= first_ns + CUT_NS {
                outcome.first_ns = Some(self.noted_ns.saturating_sub(self.asked_ns));
                outcome.second_ns = Some(first_ns.saturating_sub(self.noted_ns));
            }
        }
        self.answer(burst);
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
                    self.overlap();
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
            self.overlap();
        }
        let again = self.retransmitted != socket.retransmitted;
        self.retransmitted = socket.retransmitted;
        outcome.excluded = self.verdict(again.then_some(Excluded::Retransmit));
        if outcome.excluded.is_none() {
            let response_ns = now.saturating_sub(self.asked_ns);
            outcome.response_ns = Some(response_ns);
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
    fn unread_at(&self, ns: u64) -> bool {
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

    /// Part of a question passes.
    #[inline(always)]
    fn ask(&mut self, burst: Burst, retransmitted: u32) {
        let pause = doubt::pause_ns(self.floor_us);
        if self.phase == UNKNOWN {
            return;
        }
        let again = retransmitted != self.retransmitted;
        if self.phase == ASKING {
            let gap = burst.first_ns.saturating_sub(self.asked_ns);
            if gap < pause {
                self.burst = self.burst.saturating_add(burst.bytes);
            } else {
                if self.burst < BULK && self.marks & HOLE == 0 && !again {
                    self.overlap();
                }
                self.burst = burst.bytes;
            }
        } else {
            let silence = burst.first_ns.saturating_sub(self.answered_ns);
            self.doubt.silence(silence, self.longest_ns);
            let overtakes =
                self.inbound == 0 && self.phase == ANSWERING && self.unread_at(burst.first_ns);
            self.phase = ASKING;
            self.marks &= READS;
            self.burst = burst.bytes;
            if overtakes {
                self.overlap();
            }
        }
        let parts = burst.parts(pause);
        if !again && parts > 1 {
            self.overlap();
            if parts > 2 {
                self.overlap();
            }
        }
        self.noted_ns = 0;
        self.asked_ns = burst.last_ns;
    }

    /// The first part of an answer passes.
    #[inline(always)]
    fn answer(&mut self, burst: Burst) {
        self.phase = ANSWERING;
        self.bursts = 0;
        if !self.doubt.is_push() {
            self.longest_ns = 0;
        }
        self.parts(burst, 1);
        self.burst = burst.bytes;
        self.answered_ns = burst.last_ns;
    }

    /// The answering side speaks, and no question is open.
    #[inline(always)]
    fn speak(&mut self, burst: Burst) {
        if self.phase != ANSWERING {
            self.answer(burst);
            return;
        }
        let gap = burst.first_ns.saturating_sub(self.answered_ns);
        self.answered_ns = burst.last_ns;
        if gap < doubt::pause_ns(self.floor_us) {
            self.parts(burst, 0);
            self.burst = self.burst.saturating_add(burst.bytes);
            return;
        }
        if self.burst < BULK {
            self.parts(burst, 1);
        }
        self.burst = burst.bytes;
        if gap > self.longest_ns {
            self.longest_ns = gap;
        }
    }

    /// Counts bursts of the answering side: `new` is 0 if the first only goes on with the last.
    #[inline(always)]
    fn parts(&mut self, burst: Burst, new: u8) {
        let parts = burst.parts(doubt::pause_ns(self.floor_us));
        if parts > 1 {
            let span = burst.last_ns.saturating_sub(burst.first_ns);
            self.longest_ns = self.longest_ns.max(span);
        }
        if self.bursts < doubt::PUSHES {
            self.bursts += parts - 1 + new;
            if self.bursts >= doubt::PUSHES {
                self.doubt.arise(Excluded::Push);
            }
        }
    }

    /// Something says that the question overlaps another turn; counts once per turn.
    #[inline(always)]
    fn overlap(&mut self) {
        if self.marks & OVERLAP == 0 {
            self.marks |= OVERLAP;
            self.doubt.arise(Excluded::Overlap);
        } else {
            self.doubt.worst();
        }
    }

    /// Why the turn that ends now is left out; `None` if it is not.
    #[inline(always)]
    fn verdict(&mut self, flaw: Option<Excluded>) -> Option<Excluded> {
        if self.marks & OVERLAP != 0 {
            return Some(Excluded::Overlap);
        }
        if flaw.is_some() {
            return flaw;
        }
        self.doubt.ended()
    }
}
