//! Times to first byte of conversations that are more than a small question and a small answer:
//! each turn is either measured right or left out for a reason that is counted.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::time::Duration;

use hostlens_tests::{
    agent::Agent,
    deadline::some_attempt,
    delay_link::{Delay, DelayLink, FAR},
    host::{AGENT, LINK, Turn, offers},
    netns::Netns,
    response::{COMPARED, Clients, Exclusions, RESPONSE, Row, Server, enough},
    tcp_truth::quantile,
    workload::Names,
};

const ATTEMPTS: usize = 3;

/// A kind of conversation.
struct Shape {
    /// As for `answer`.
    serve: &'static str,
    /// As for `converse`.
    ask: &'static str,
    /// Turns in all.
    turns: usize,
    /// Turns that may be left out,
    left_out: usize,
    /// for one of these reasons.
    reasons: &'static [&'static str],
}

/// Both ends, and what the agent says of them.
struct Seen {
    /// As the clients stamped them, seconds, ascending.
    waited: Vec<f64>,
    /// As the server did.
    served: Vec<f64>,
    /// Turns measured, outbound and inbound.
    counts: [f64; 2],
}

/// Has such a conversation between two namespaces and compares it with what clients saw.
fn converse(
    agent: &Agent,
    names: &Names,
    shape: &Shape,
    [near, far]: [&Netns; 2],
    address: &str,
) -> Result<Seen, String> {
    let (asks, answers) = (names.workload("asks"), names.workload("answers"));
    let before = Exclusions::of(&agent.scrape());
    let mut server = Server::start(&answers, address, shape.serve, far);
    let mut clients = Clients::start(&asks, &server, shape.ask, near);
    let waited = clients.converse();
    let served = server.served();
    agent.await_cycles(3);
    let scrape = agent.scrape();
    let excluded = Exclusions::of(&scrape).since(&before);
    let rows = [Row::outbound(server.address), Row::inbound(server.address)];
    let counts = [0, 1].map(|at| rows[at].count(&scrape, RESPONSE));
    println!(
        "{}: {} turns, measured {counts:?}, left out {excluded}",
        shape.ask,
        waited.len()
    );
    for (direction, count) in ["outbound", "inbound"].into_iter().zip(counts) {
        enough(count + shape.left_out as f64, shape.turns)?;
        // Others on this host may have turns left out too, but not fewer.
        let reasons = shape.reasons.iter();
        let left_out: f64 = reasons
            .map(|reason| excluded.of_reason(direction, reason))
            .sum();
        enough(count + left_out, shape.turns)?;
        if count > shape.turns as f64 {
            return Err(format!("{count} of {} turns, {direction}", shape.turns));
        }
    }
    for q in ["0.5", "0.95"] {
        let read = rows
            .each_ref()
            .map(|row| row.quantile(&scrape, RESPONSE, q));
        let expected = quantile(&waited, q.parse().unwrap());
        println!("q{q}: client {expected:.6} s, agent {read:.6?}");
    }
    if shape.left_out < shape.turns {
        let strays = shape.left_out + shape.turns.div_ceil(100);
        rows[0].histogram_agrees(&scrape, RESPONSE, &waited, strays)?;
        // What is left out is left out whatever time it took: the middle stays where it is.
        let compared = if shape.left_out == 0 {
            &COMPARED[..]
        } else {
            &COMPARED[..1]
        };
        rows[0].quantiles_agree(&scrape, RESPONSE, &waited, compared)?;
    }
    Ok(Seen {
        waited,
        served,
        counts,
    })
}

/// As [`converse`] within one namespace, until it goes undisturbed.
fn at_home(what: &str, shape: &Shape) {
    if !offers(&[AGENT, LINK]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let agent = Agent::start("--ebpf on --response-time on");
    let home = Netns::new();
    some_attempt(what, ATTEMPTS, || {
        converse(&agent, &names, shape, [&home, &home], "127.0.0.1").map(drop)
    });
}

#[test]
fn a_pool_of_idle_connections() {
    let shape = Shape {
        serve: "4000 6000",
        ask: "200 5 --pause 1500000",
        turns: 1_000,
        left_out: 0,
        reasons: &[],
    };
    at_home("pool", &shape);
}

#[test]
fn streamed_answers() {
    let shape = Shape {
        serve: "4000 6000",
        ask: "1 60 --reply 20000000 --pause 2000",
        turns: 60,
        left_out: 0,
        reasons: &[],
    };
    at_home("streamed answers", &shape);
}

/// A question as long as that may be sent again in part, when its last byte is long in coming.
#[test]
fn uploads() {
    let shape = Shape {
        serve: "2500 3500",
        ask: "1 60 --request 8000000 --pause 2000",
        turns: 60,
        left_out: 40,
        reasons: &["retransmit"],
    };
    at_home("uploads", &shape);
}

/// Turns end before the connection's first half is closed, so none is seen as a whole.
#[test]
fn half_closed_clients() {
    let shape = Shape {
        serve: "4000 6000",
        ask: "1 60 --manner half-close --pause 2000",
        turns: 60,
        left_out: 60,
        reasons: &["closed"],
    };
    at_home("half-closed", &shape);
}

/// Five questions at once are one turn: from the last of them to the first answer. The answers
/// come one by one, so slowly that they look as if some came unasked, and before all was read.
#[test]
fn pipelined_questions() {
    let shape = Shape {
        serve: "3000 3000",
        ask: "1 60 --pipeline 5 --pause 2000",
        turns: 60,
        left_out: 60,
        reasons: &["push", "overlap"],
    };
    at_home("pipelined", &shape);
}

/// The same behind a link of some length. Answers leave before the last question was read, so the
/// answering end leaves them out.
#[test]
fn pipelined_questions_behind_a_link() {
    if !offers(&[AGENT, LINK]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let agent = Agent::start("--ebpf on --response-time on");
    let link = DelayLink::new(&Delay::of(Duration::from_millis(20)));
    let shape = Shape {
        serve: "3000 3000",
        ask: "4 25 --pipeline 5 --pause 2000",
        turns: 100,
        left_out: 100,
        reasons: &["overlap"],
    };
    some_attempt("pipelined", ATTEMPTS, || {
        converse(&agent, &names, &shape, [&link.near, &link.far], FAR[0]).map(drop)
    });
}

/// One packet of fifty is lost, questions and answers alike.
#[test]
fn losses() {
    if !offers(&[AGENT, LINK]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let agent = Agent::start("--ebpf on --response-time on");
    let link = DelayLink::lossy(&Delay::of(Duration::from_millis(5)), 0.02);
    let shape = Shape {
        serve: "4000 6000",
        ask: "10 100 --pause 2000",
        turns: 1_000,
        left_out: 60,
        reasons: &["retransmit"],
    };
    some_attempt("losses", ATTEMPTS, || {
        let seen = converse(&agent, &names, &shape, [&link.near, &link.far], FAR[0])?;
        // Where nothing was lost the server's own time is most of it.
        println!("served p50 {:.6} s", quantile(&seen.served, 0.5));
        let late = seen.waited.iter().filter(|one| **one > 0.1).count();
        println!("{late} turns were late, measured {:?}", seen.counts);
        (late > 0)
            .then_some(())
            .ok_or("nothing was lost".to_owned())
    });
}
