extern crate std;

use std::vec::Vec;

use proptest::prelude::*;

use super::{Outcome, Segment, Socket, Turn, core::after};
use crate::wire::Excluded;

const MS: u64 = 1_000_000;
/// Round trip of the simulated network.
const RTT: u64 = MS;
const START: u64 = 1_000 * MS;

/// One end of a connection and what it decided so far.
pub(super) struct End {
    pub socket: Socket,
    pub turn: Turn,
    pub told: Vec<Outcome>,
    now: u64,
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

    fn segment(&mut self, seq: u32, bytes: u32, unheard: u32) {
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

    fn excluded(&self) -> Vec<Excluded> {
        self.told.iter().filter_map(|told| told.excluded).collect()
    }

    fn responses(&self) -> Vec<u64> {
        let told = self.told.iter();
        told.filter_map(|told| told.response_ns).collect()
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
    assert_eq!(end.told[0].first_ns, Some(6 * MS - RTT));
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
            response_ns: Some(response),
            first_ns: Some(wait),
            second_ns: Some(serve),
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
        end.told[0].first_ns.unwrap()
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
fn questions_that_overlap_are_left_out_for_long() {
    let mut end = End::new(false);
    end.turn(3 * MS);
    // Five questions a few ms apart, then an answer to each.
    for _ in 0..200 {
        for _ in 0..5 {
            end.wait(3 * RTT);
            end.send(100);
        }
        for _ in 0..5 {
            end.wait(MS / 4);
            end.hear(100, 0);
        }
    }
    assert_eq!(end.responses(), [3 * MS]);
    assert_eq!(end.excluded(), [Excluded::Overlap; 200]);
    // Whoever takes turns again is believed after a silence.
    end.wait(2_000 * MS);
    end.turn(3 * MS);
    assert_eq!(end.responses(), [3 * MS; 2]);
}

#[test]
fn an_answer_sent_before_the_question_was_heard_is_none() {
    let mut end = End::new(false);
    end.send(100);
    end.wait(MS);
    end.hear(100, 50);
    end.wait(MS);
    for _ in 0..8 {
        end.turn(3 * MS);
        end.wait(MS);
    }
    end.turn(3 * MS);
    assert_eq!(end.excluded(), [Excluded::Overlap; 9]);
    assert_eq!(end.responses(), [3 * MS]);
}

#[test]
fn a_pushing_side_is_left_out() {
    let mut end = End::new(false);
    for _ in 0..100 {
        end.send(100);
        for _ in 0..3 {
            end.wait(3 * RTT);
            end.hear(100, 0);
        }
        end.wait(RTT);
    }
    // The first turn is decided before there is a sign.
    assert_eq!(end.responses().len(), 1);
    assert_eq!(end.excluded(), [Excluded::Push; 99]);
    // Four times as silent as between its pushes.
    end.wait(12 * RTT);
    end.turn(3 * MS);
    assert_eq!(end.responses().len(), 2);
}

#[test]
fn a_streamed_answer_is_no_push() {
    let mut end = End::new(false);
    for _ in 0..50 {
        end.send(100);
        end.wait(5 * MS);
        for _ in 0..10 {
            end.hear(20_000, 0);
            end.wait(4 * RTT);
        }
    }
    assert_eq!(end.responses(), [5 * MS; 50]);
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
    assert_eq!(end.told[0].first_ns, Some(3 * MS - RTT));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Send(u32),
    Hear(u32, u32),
    Early(u32),
    Read,
    Retransmit,
    Missed,
    Leave,
}

fn steps() -> impl Strategy<Value = Vec<(u64, Step)>> {
    let step = prop_oneof![
        5 => (1u32..40_000).prop_map(Step::Send),
        5 => (0u32..40_000, prop_oneof![3 => Just(0u32), 1 => 1u32..500]).prop_map(|(a, b)| Step::Hear(a, b)),
        1 => (1u32..3_000).prop_map(Step::Early),
        2 => Just(Step::Read),
        1 => Just(Step::Retransmit),
        1 => Just(Step::Missed),
        1 => Just(Step::Leave),
    ];
    proptest::collection::vec((0u64..50_000_000, step), 0..200)
}

proptest! {
    /// Whatever happens: no time is longer than the conversation, parts make no more than the
    /// whole, and every question that was opened is decided once, by a sample or a reason.
    #[test]
    fn every_turn_is_decided_once(inbound: bool, steps in steps()) {
        let mut end = End::new(inbound);
        let mut opened = 0;
        for (wait, step) in steps {
            let asking = end.turn.is_asking();
            let told = end.told.len();
            end.wait(wait);
            match step {
                Step::Send(bytes) => end.send(bytes),
                Step::Hear(bytes, unheard) => end.hear(bytes, unheard),
                Step::Early(bytes) => {
                    let seq = end.socket.rcv_nxt.wrapping_add(500);
                    end.segment(seq, bytes, 0);
                }
                Step::Read => end.read(),
                Step::Retransmit => end.socket.retransmitted += 1,
                Step::Missed => end.socket.rcv_nxt = end.socket.rcv_nxt.wrapping_add(10),
                Step::Leave => end.leave(),
            }
            let decided = end.told.len() - told;
            // Within one event a question may be decided and the next begin.
            prop_assert!(decided <= 1);
            let open = u32::from(end.turn.is_asking()) + decided as u32;
            prop_assert!(open >= u32::from(asking), "a question was lost");
            opened += open - u32::from(asking);
        }
        prop_assert_eq!(opened, end.told.len() as u32 + u32::from(end.turn.is_asking()));
        for told in &end.told {
            prop_assert!(told.response_ns.is_some() != told.excluded.is_some());
            let first = told.first_ns.unwrap_or(0);
            if let Some(response) = told.response_ns {
                prop_assert!(response <= end.now - START);
                // Stamps of first bytes are cut to µs.
                let parts = first + told.second_ns.unwrap_or(0);
                prop_assert!(parts <= response + 1_000);
            } else {
                prop_assert_eq!(told.first_ns.or(told.second_ns), None);
            }
        }
    }

    /// Whoever takes turns is timed to the nanosecond, whatever the pauses between the turns.
    #[test]
    fn turns_one_after_another_are_all_timed(
        turns in proptest::collection::vec((1_000u64..10_000_000_000, 0u64..10_000_000_000), 1..100)
    ) {
        let mut end = End::new(false);
        let mut truth = Vec::new();
        for (response, pause) in turns {
            end.wait(pause);
            end.turn(response);
            truth.push(response);
        }
        prop_assert_eq!(end.responses(), truth);
    }
}
