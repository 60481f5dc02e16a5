use super::tests::End;
use crate::wire::Excluded;

const MS: u64 = 1_000_000;

impl End {
    fn samples(&self) -> usize {
        let told = self.told.iter();
        told.filter(|told| told.response_ns.is_some()).count()
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
            .all(|told| told.response_ns.is_some_and(right))
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
