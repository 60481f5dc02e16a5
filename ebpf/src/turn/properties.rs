extern crate std;

use std::vec::Vec;

use proptest::prelude::*;

use super::tests::{End, START};

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
            prop_assert!(told.response_ns.get().is_some() != told.excluded.is_some());
            let first = told.first_ns.get().unwrap_or(0);
            if let Some(response) = told.response_ns.get() {
                prop_assert!(response <= end.now - START);
                // Stamps of first bytes are cut to µs.
                let parts = first + told.second_ns.get().unwrap_or(0);
                prop_assert!(parts <= response + 1_000);
            } else {
                prop_assert_eq!(told.first_ns.get().or(told.second_ns.get()), None);
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
