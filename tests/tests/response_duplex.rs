//! Times to first byte of connections that do not take turns: they are left out, not published
//! as the short times they look like.
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
    response::{Clients, Exclusions, RESPONSE, Row, Server},
    tcp_truth::quantile,
    workload::Names,
};

const ATTEMPTS: usize = 3;

/// Expects this conversation to be left out, in both directions, for one of these reasons.
fn left_out(
    agent: &Agent,
    names: &Names,
    [serve, ask]: [&str; 2],
    [near, far]: [&Netns; 2],
    address: &str,
    reasons: &[&str],
) -> Result<(), String> {
    let (asks, answers) = (names.workload("asks"), names.workload("answers"));
    let before = Exclusions::of(&agent.scrape());
    let server = Server::start(&answers, address, serve, far);
    let mut clients = Clients::start(&asks, &server, ask, near);
    let waited = clients.converse();
    agent.await_cycles(3);
    let scrape = agent.scrape();
    let excluded = Exclusions::of(&scrape).since(&before);
    let mut verdict = Ok(());
    for (direction, row) in [
        ("outbound", Row::outbound(server.address)),
        ("inbound", Row::inbound(server.address)),
    ] {
        let count = row.count(&scrape, RESPONSE);
        let times = row.mean(&scrape, RESPONSE);
        println!(
            "{ask} {direction}: {} questions, really {:.6} s, measured {count} (mean {times:?}), \
             left out {excluded}",
            waited.len(),
            quantile(&waited, 0.5),
        );
        // The first turns are over before anything tells what kind of connection it is.
        if count > 0.01 * waited.len() as f64 {
            verdict = Err(format!("{direction}: {count} turns measured"));
        }
        let left_out = reasons
            .iter()
            .map(|reason| excluded.of_reason(direction, reason));
        if left_out.sum::<f64>() == 0.0 {
            verdict = Err(format!("{direction}: not left out for {reasons:?}"));
        }
    }
    verdict
}

/// As [`left_out`] within one namespace, until it goes undisturbed.
fn at_home(what: &str, conversation: [&str; 2], reasons: &[&str]) {
    if !offers(&[AGENT, LINK]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let agent = Agent::start("--ebpf on --response-time on");
    let home = Netns::new();
    some_attempt(what, ATTEMPTS, || {
        let ends = [&home, &home];
        left_out(&agent, &names, conversation, ends, "127.0.0.1", reasons)
    });
}

/// Likewise behind 20 ms each way.
fn far_away(what: &str, conversation: [&str; 2], reasons: &[&str]) {
    if !offers(&[AGENT, LINK]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let agent = Agent::start("--ebpf on --response-time on");
    let link = DelayLink::new(&Delay::of(Duration::from_millis(20)));
    some_attempt(what, ATTEMPTS, || {
        let ends = [&link.near, &link.far];
        left_out(&agent, &names, conversation, ends, FAR[0], reasons)
    });
}

/// A question each millisecond, each answered 5.3 ms later, as HTTP/2 would.
const MULTIPLEXED: [&str; 2] = [
    "5300 5300 --workers unlimited",
    "1 3000 --manner multiplex --pause 1000",
];
/// Questions answered after 5.2 ms while something is pushed every 2 ms.
const PUSHED: [&str; 2] = ["5200 5200 --push 2000", "1 300 --pause 2000"];

#[test]
fn multiplexed() {
    at_home("multiplexed", MULTIPLEXED, &["overlap"]);
}

#[test]
fn multiplexed_behind_a_link() {
    far_away("multiplexed", MULTIPLEXED, &["overlap"]);
}

#[test]
fn pushed() {
    at_home("pushed", PUSHED, &["push", "overlap"]);
}

/// What was pushed before the question arrived looks like an answer to it, sent before.
#[test]
fn pushed_behind_a_link() {
    far_away("pushed", PUSHED, &["push", "overlap"]);
}
