//! What the times to first byte of a line mean in words: who is to blame, and where to look next.

use std::fmt::Write;

use hostlens_ebpf::wire::{Direction, Excluded};

use crate::model::EXCLUDED_NAMES;

use super::super::{
    answers::{Answer, MANY, P95, Turns},
    human::latency,
    stack::{Part, Stack},
};

/// From this share on a part is most of it.
const MOST: f64 = 0.6;
/// Where whoever asked waits less, nobody is to blame, seconds.
const QUICK: f64 = 0.001;

/// The words for a group of connections; `None` while nobody watches.
pub fn peer(answer: &Answer<'_>) -> Option<String> {
    let row = answer.row.filter(|_| answer.watched)?;
    let mut words = String::new();
    match (answer.response(P95), row.key.direction()) {
        (Some(response), Direction::Outbound) => {
            let _ = write!(words, "95 % of answers came within {}", latency(response));
        }
        (Some(response), _) => {
            let _ = write!(words, "95 % of answers left within {}", latency(response));
        }
        (None, _) => words.push_str("No answer timed in the last minute"),
    }
    if let Some(stack) = answer.stack(P95) {
        let _ = write!(words, ": {}", stack.spelled(spelled));
        words.push('.');
        words.push_str(advice(&stack));
    } else {
        words.push('.');
    }
    if let (Some(many), Some(ratio)) = (answer.excluded(), answer.excluded_ratio())
        && many > 0
    {
        let all = many + row.response.count();
        let reasons = excluded(&row.excluded);
        let _ = write!(words, " {many} of {all} turns left out: {reasons}.");
        if ratio > MANY {
            words.push_str(" What is left does not speak for it.");
        }
    }
    Some(words)
}

/// The words for a listener, to follow others; empty while nothing is known.
pub fn listener(turns: &Turns<'_>) -> String {
    let parts = [
        (Part::Network, turns.way(P95)),
        (Part::Wait, turns.wait(P95)),
        (Part::Serve, turns.serve(P95)),
    ];
    let [_, (_, Some(_)), (_, Some(_))] = parts else {
        return String::new();
    };
    let parts = parts.into_iter();
    let parts =
        parts.filter_map(|(part, time)| Some(format!("{} {}", latency(time?), spelled(part))));
    let mut words = format!("95 % of answers: {}.", parts.collect::<Vec<_>>().join(", "));
    if let Some(stack) = turns.stack(P95) {
        words.push_str(advice(&stack));
    }
    words
}

fn spelled(part: Part) -> &'static str {
    match part {
        Part::Network => "network",
        Part::Peer => "the peer itself",
        Part::Here => "here",
        Part::Wait => "waiting to be read",
        Part::Serve => "serving",
    }
}

/// ` Mostly …: …`; nothing where no part stands out.
fn advice(stack: &Stack) -> &'static str {
    match stack.largest() {
        _ if stack.total() < QUICK => "",
        Some((part, share)) if share >= MOST => match part {
            Part::Network => {
                " Mostly the network: loss (RETR%), queues (p50 far above MIN) or distance."
            }
            Part::Peer => " Mostly the peer: look there.",
            Part::Here => " Mostly this host: the listeners [4] tell waiting from serving.",
            Part::Wait => " Mostly waiting: more workers, or nothing that blocks its loop.",
            Part::Serve => " Mostly serving: the application, or what it asks in turn [2].",
        },
        _ => "",
    }
}

/// `1150 overlap, 50 push`; empty if none were.
pub fn excluded(counts: &[u64; Excluded::COUNT]) -> String {
    let counts = counts.iter().zip(EXCLUDED_NAMES);
    let counts = counts.filter(|(count, _)| **count > 0);
    let counts = counts.map(|(count, name)| format!("{count} {name}"));
    counts.collect::<Vec<_>>().join(", ")
}
