use super::tests::{End, MS, RTT};
use crate::wire::Excluded;

impl End {
    fn samples(&self) -> usize {
        let told = self.told.iter();
        told.filter(|told| told.response_ns.get().is_some()).count()
    }

    fn left_out(&self, reason: Excluded) -> usize {
        let told = self.told.iter();
        told.filter(|told| told.excluded == Some(reason)).count()
    }
}

/// The peer's kernel acknowledges the answer long before its application asks again.
#[test]
fn an_answer_acknowledged_before_the_next_question_counts() {
    let mut end = End::new(true);
    for _ in 0..20 {
        end.hear(100, 0);
        end.wait(5 * MS);
        end.send(300);
        end.wait(40 * MS);
        end.hear(0, 0);
        end.wait(500 * MS);
    }
    assert_eq!(end.samples(), 20);
    let right = |ns: u64| (5 * MS - 1_000..=5 * MS).contains(&ns);
    assert!(
        end.told
            .iter()
            .all(|told| told.response_ns.get().is_some_and(right))
    );
}

/// Five questions are under way all the time: after the first five each is followed by an answer,
/// though never by its own.
#[test]
fn a_steady_rhythm_of_several_questions_under_way_is_left_out() {
    for inbound in [false, true] {
        let mut end = End::new(inbound);
        let ask = |end: &mut End| {
            if inbound {
                end.hear(100, 0)
            } else {
                end.send(100)
            }
        };
        for _ in 0..5 {
            ask(&mut end);
            end.wait(3 * MS);
            if !inbound {
                end.hear(0, 0);
            }
        }
        for _ in 0..2_000 {
            if inbound {
                end.send(100);
            } else {
                end.hear(100, 0);
            }
            end.wait(3 * MS);
            ask(&mut end);
            end.wait(300_000);
        }
        assert_eq!(end.samples(), 0, "inbound: {inbound}");
        assert!(end.left_out(Excluded::Overlap) >= 1_999);
    }
}

/// What is pushed between two questions is seen at the second, all at once.
#[test]
fn pushes_that_are_seen_at_once_are_pushes() {
    let mut end = End::new(true);
    for _ in 0..300 {
        end.hear(100, 0);
        for _ in 0..4 {
            end.wait(4 * MS);
            end.send(1);
        }
        end.wait(MS);
    }
    assert!(end.samples() <= 1, "{}", end.samples());
    assert!(end.left_out(Excluded::Push) >= 298);
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
fn one_question_in_two_parts_is_forgiven() {
    let mut end = End::new(false);
    end.send(100);
    end.wait(3 * RTT);
    end.hear(0, 0);
    end.turn(MS);
    for _ in 0..8 {
        end.wait(20 * MS);
        end.turn(MS);
    }
    assert_eq!(end.excluded(), [Excluded::Overlap; 9]);
    end.wait(20 * MS);
    end.turn(MS);
    assert_eq!(end.responses(), [MS]);
    // Without a pause it takes longer.
    let mut end = End::new(false);
    end.send(100);
    end.wait(3 * RTT);
    end.hear(0, 0);
    for _ in 0..1_100 {
        end.turn(MS);
    }
    assert!(end.responses().len() > 50);
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
