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

/// Expects this conversation to be left out, in both directions, for this reason.
fn left_out(
    agent: &Agent,
    names: &Names,
    [serve, ask]: [&str; 2],
    [near, far]: [&Netns; 2],
    address: &str,
    reason: &str,
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
        if excluded.of_reason(direction, reason) == 0.0 {
            verdict = Err(format!("{direction}: not left out for {reason}"));
        }
    }
    verdict
}

/// On one host, and behind 20 ms each way.
fn everywhere(what: &str, conversation: [&str; 2], reason: &str) {
    if !offers(&[AGENT, LINK]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let agent = Agent::start("--ebpf on --response-time on");
    let home = Netns::new();
    some_attempt(what, ATTEMPTS, || {
        left_out(
            &agent,
            &names,
            conversation,
            [&home, &home],
            "127.0.0.1",
            reason,
        )
    });
    let link = DelayLink::new(&Delay::of(Duration::from_millis(20)));
    some_attempt(what, ATTEMPTS, || {
        let ends = [&link.near, &link.far];
        left_out(&agent, &names, conversation, ends, FAR[0], reason)
    });
}

/// A question each millisecond, each answered 5.3 ms later, as HTTP/2 would.
#[test]
fn multiplexed() {
    let conversation = [
        "5300 5300 --workers unlimited",
        "1 3000 --manner multiplex --pause 1000",
    ];
    everywhere("multiplexed", conversation, "overlap");
}

/// Questions answered after 5.2 ms while something is pushed every 2 ms.
#[test]
fn pushed() {
    let conversation = ["5200 5200 --push 2000", "1 300 --pause 2000"];
    everywhere("pushed", conversation, "push");
}
