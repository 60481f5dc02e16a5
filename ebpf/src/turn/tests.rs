#![allow(clippy::unwrap_used, reason = "tests")]

extern crate std;

use std::vec::Vec;

use super::{Nanos, Outcome, Segment, Socket, Turn, core::after};
use crate::wire::Excluded;

pub(super) const MS: u64 = 1_000_000;
/// Round trip of the simulated network.
pub(super) const RTT: u64 = MS;
pub(super) const START: u64 = 1_000 * MS;

/// One end of a connection and what it decided so far.
pub(super) struct End {
    pub socket: Socket,
    pub turn: Turn,
    pub told: Vec<Outcome>,
    pub now: u64,
}

impl End {
    pub fn new(inbound: bool) -> Self {
        let socket = Socket {
            snd_nxt: u32::MAX - 3,
            snd_una: u32::MAX - 3,
            rcv_nxt: u32::MAX - 7,
            segs_out: 0,
            retransmitted: 0,
            rtt_min_us: (RTT / 1_000) as u32,
            last_sent_ns: START,
            first_sent_ns: START,
        };
        let mut turn = Turn::default();
        turn.begin(&socket, inbound, Some(0), (RTT / 1_000) as u32);
        Self {
            socket,
            turn,
            told: Vec::new(),
            now: START,
        }
    }

    pub fn wait(&mut self, ns: u64) {
        self.now += ns;
    }

    /// As `tcp_write_xmit()` leaves it.
    pub fn send(&mut self, bytes: u32) {
        if self.socket.snd_una == self.socket.snd_nxt {
            self.socket.first_sent_ns = self.now / 1_000 * 1_000;
        }
        self.socket.snd_nxt = self.socket.snd_nxt.wrapping_add(bytes);
        self.socket.segs_out += bytes.div_ceil(1_460);
        self.socket.last_sent_ns = self.now;
    }

    /// A segment of so many bytes arrives that acknowledges all, or all but so much.
    pub fn hear(&mut self, bytes: u32, unheard: u32) {
        let seq = self.socket.rcv_nxt;
        self.segment(seq, bytes, unheard);
        self.socket.rcv_nxt = seq.wrapping_add(bytes);
    }

    pub fn segment(&mut self, seq: u32, bytes: u32, unheard: u32) {
        let segment = Segment {
            seq,
            end: seq.wrapping_add(bytes),
            ack: self.socket.snd_nxt.wrapping_sub(unheard),
            at_ns: self.now,
        };
        let sent = self.turn.sent(&self.socket);
        let arrived = self.turn.arrived(&self.socket, &segment);
        self.note(sent.or(arrived));
        if after(segment.ack, self.socket.snd_una) {
            self.socket.snd_una = segment.ack;
            self.socket.first_sent_ns = self.socket.last_sent_ns / 1_000 * 1_000;
        }
    }

    pub fn read(&mut self) {
        if self.turn.awaits_read() {
            self.turn.read(self.socket.rcv_nxt, self.now);
        }
    }

    pub fn leave(&mut self) {
        let sent = self.turn.sent(&self.socket);
        let left = self.turn.left();
        self.note(sent.or(left));
    }

    fn note(&mut self, outcome: Outcome) {
        if outcome != Outcome::default() {
            self.told.push(outcome);
        }
    }

    /// One question and its answer after so long, by a peer whose kernel acknowledges with it.
    pub fn turn(&mut self, ns: u64) {
        self.send(100);
        self.wait(ns);
        self.hear(1_000, 0);
    }

    pub fn excluded(&self) -> Vec<Excluded> {
        self.told.iter().filter_map(|told| told.excluded).collect()
    }

    pub fn responses(&self) -> Vec<u64> {
        let told = self.told.iter();
        told.filter_map(|told| told.response_ns.get()).collect()
    }
}

#[test]
fn an_answer_counts_from_the_last_byte_asked_to_the_first_received() {
    let mut end = End::new(false);
    end.send(100);
    end.wait(MS / 5);
    end.send(50);
    end.wait(6 * MS);
    end.hear(1_000, 0);
    end.wait(MS / 5);
    end.hear(1_000, 0);
    assert_eq!(end.responses(), [6 * MS]);
    // The acknowledgement came with it: all beyond the shortest round trip was the peer.
    assert_eq!(end.told[0].first_ns, Nanos::new(6 * MS - RTT));
    end.wait(MS);
    end.turn(3 * MS);
    assert_eq!(end.responses(), [6 * MS, 3 * MS]);
    assert!(end.excluded().is_empty());
}

#[test]
fn a_listener_waits_and_serves() {
    let mut end = End::new(true);
    end.hear(1_400, 0);
    end.wait(MS / 10);
    end.read();
    end.hear(100, 0);
    end.wait(4 * MS);
    end.read();
    end.wait(5 * MS);
    end.send(1_000);
    end.wait(RTT);
    end.hear(100, 0);
    let (response, wait, serve) = (9 * MS, 4 * MS, 5 * MS);
    assert_eq!(
        end.told,
        [Outcome {
            response_ns: Nanos::new(response),
            first_ns: Nanos::new(wait),
            second_ns: Nanos::new(serve),
            excluded: None,
        }]
    );
    // Nobody answers what they have not read: this belongs to something else.
    end.wait(2 * MS);
    end.send(1_000);
    end.leave();
    assert_eq!(end.excluded(), [Excluded::Overlap]);
}

#[test]
fn who_asks_on_before_reading_the_answer_did_not_wait_for_it() {
    let mut end = End::new(false);
    end.send(100);
    end.wait(3 * MS);
    end.hear(1_000, 0);
    end.read();
    end.wait(MS / 10);
    end.turn(3 * MS);
    assert_eq!(end.responses(), [3 * MS, 3 * MS]);
    // The next question leaves between arrival and reading.
    end.wait(MS / 10);
    end.send(100);
    end.wait(MS / 10);
    end.read();
    end.wait(3 * MS);
    end.hear(1_000, 0);
    assert_eq!(end.excluded(), [Excluded::Overlap]);
    // Where no read is ever seen, none is missed.
    let mut end = End::new(false);
    end.turn(3 * MS);
    end.turn(3 * MS);
    assert_eq!(end.responses(), [3 * MS, 3 * MS]);
}

#[test]
fn the_network_is_what_an_acknowledgement_alone_took() {
    let peer = |acked: Option<u64>, response: u64| {
        let mut end = End::new(false);
        end.send(100);
        if let Some(acked) = acked {
            end.wait(acked);
            end.hear(0, 0);
        }
        end.wait(response - acked.unwrap_or(0));
        end.hear(100, 0);
        end.told[0].first_ns.get().unwrap()
    };
    assert_eq!(peer(Some(2 * MS), 30 * MS), 28 * MS);
    // Delayed by the peer's kernel.
    assert_eq!(peer(Some(41 * MS), 90 * MS), 89 * MS);
    assert_eq!(peer(Some(201 * MS), 290 * MS), 289 * MS);
    // So slow is a network.
    assert_eq!(peer(Some(100 * MS), 130 * MS), 30 * MS);
    assert_eq!(peer(None, 30 * MS), 29 * MS);
    // It would have acknowledged by itself before.
    assert_eq!(peer(None, 130 * MS), 40 * MS);
    assert_eq!(peer(None, MS / 2), 0);
}

#[test]
fn an_upload_is_one_question() {
    for inbound in [false, true] {
        let mut end = End::new(inbound);
        for burst in 0..20 {
            for _ in 0..10 + burst {
                if inbound {
                    end.hear(1_460, 0);
                } else {
                    end.send(1_460);
                }
            }
            // Longer than a pause: the network's queues are full.
            end.wait(4 * RTT);
            if !inbound {
                end.hear(0, 0);
            }
        }
        end.wait(MS);
        if inbound {
            end.send(100);
            end.leave();
        } else {
            end.hear(100, 0);
        }
        assert_eq!(end.responses(), [5 * MS], "{inbound}");
    }
}

#[test]
fn what_cannot_be_timed_is_left_out() {
    let mut end = End::new(false);
    end.send(100);
    end.wait(MS);
    end.socket.retransmitted += 100;
    end.hear(100, 0);
    end.wait(MS);
    end.turn(MS);
    end.send(100);
    end.leave();
    assert_eq!(end.excluded(), [Excluded::Retransmit, Excluded::Closed]);
    assert_eq!(end.responses(), [MS]);

    // An acknowledgement of the answer that we were not shown.
    let mut end = End::new(true);
    end.hear(100, 0);
    end.wait(MS);
    end.send(100);
    end.wait(RTT);
    end.socket.snd_una = end.socket.snd_nxt;
    end.hear(0, 0);
    assert_eq!(end.excluded(), [Excluded::Stamp]);

    // A question that we were not shown.
    let mut end = End::new(true);
    end.hear(100, 0);
    end.socket.rcv_nxt = end.socket.rcv_nxt.wrapping_add(100);
    end.wait(MS);
    end.send(100);
    end.wait(RTT);
    end.hear(100, 0);
    assert_eq!(end.excluded(), [Excluded::Stamp]);
    assert!(end.responses().is_empty());
}

#[test]
fn a_turn_seen_half_is_none() {
    let mut end = End::new(false);
    end.turn.begin(&end.socket, false, None, 0);
    end.turn(MS);
    assert!(end.told.is_empty());
    end.wait(MS);
    end.turn(2 * MS);
    assert_eq!(end.responses(), [2 * MS]);
}

#[test]
fn an_answer_out_of_order_counts_when_its_first_byte_is_there() {
    let mut end = End::new(false);
    end.send(100);
    end.wait(3 * MS);
    let missing = end.socket.rcv_nxt;
    end.segment(missing.wrapping_add(1_000), 1_000, 0);
    end.wait(20 * MS);
    end.segment(missing, 1_000, 0);
    assert_eq!(end.responses(), [23 * MS]);
    // The peer had spoken long before.
    assert_eq!(end.told[0].first_ns, Nanos::new(3 * MS - RTT));
}
