//! Times to first byte cost something on every segment received: they are watched when asked
//! for, and only as long as that stays within its budget.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::time::Duration;

use hostlens_tests::{
    agent::Agent,
    deadline::{PATIENCE, poll_until},
    host::{AGENT, LINK, Turn, offers},
    http,
    netns::Netns,
    response::{Clients, RESPONSE, Row, Server},
    workload::Names,
};
use serde_json::Value;

/// Longest wait for a second try.
const LIMIT: Duration = Duration::from_secs(120);

fn post(agent: &Agent, query: &str) -> http::Response {
    let address = agent.address;
    let request = format!(
        "POST /api/response-time{query} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n\
         Connection: close\r\n\r\n"
    );
    http::exchange(address, request.as_bytes()).expect("an answer")
}

/// What the agent says of itself.
fn status(agent: &Agent) -> Value {
    agent.status()["response_time"].clone()
}

fn await_status(agent: &Agent, what: &str, found: impl Fn(&Value) -> bool) -> Value {
    poll_until(what, LIMIT, || {
        let status = status(agent);
        found(&status)
            .then(|| status.clone())
            .ok_or_else(|| status.to_string())
    })
}

/// Samples of both ends together.
fn counted(agent: &Agent, server: &Server) -> f64 {
    agent.await_cycles(3);
    let scrape = agent.scrape();
    let rows = [Row::outbound(server.address), Row::inbound(server.address)];
    rows.iter().map(|row| row.count(&scrape, RESPONSE)).sum()
}

/// Whether so many turns of the two ends were counted, but for what a kernel hides.
fn about(count: f64, turns: f64) {
    assert!(
        (2.0 * turns - 2.0..=2.0 * turns).contains(&count),
        "{count} samples of {turns} turns"
    );
}

/// Watched from a POST until the next, on connections that live all the time: nothing before,
/// nothing after, nothing of what began before.
#[test]
fn asked_for_by_post() {
    if !offers(&[AGENT, LINK]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let (asks, answers) = (names.workload("asks"), names.workload("answers"));
    let agent = Agent::start("--ebpf on");
    let home = Netns::new();
    let server = Server::start(&answers, "127.0.0.1", "2000 4000", &home);
    let mut clients = Clients::start(&asks, &server, "2 25", &home);
    let slow = Server::start(&answers, "127.0.0.1", "6000000 6000000", &home);
    let mut patient = Clients::start(&asks, &slow, "1 1", &home);
    assert!(!attached(&agent));
    clients.converse();
    assert_eq!(counted(&agent, &server), 0.0);

    let refused = post(&agent, "?for=ever");
    assert_eq!((refused.status, refused.text().lines().count()), (400, 1));
    assert!(!attached(&agent));

    patient.ask();
    assert_eq!(post(&agent, "?for=10m").status, 200);
    await_attached(&agent, true);
    clients.converse();
    about(counted(&agent, &server), 50.0);
    patient.waited();
    assert_eq!(counted(&agent, &slow), 0.0, "a turn seen by half");

    assert_eq!(post(&agent, "?for=0s").status, 200);
    await_attached(&agent, false);
    clients.converse();
    about(counted(&agent, &server), 50.0);

    assert_eq!(post(&agent, "").status, 200);
    await_attached(&agent, true);
    clients.converse();
    about(counted(&agent, &server), 100.0);
    patient.converse();
    about(counted(&agent, &slow), 1.0);
}

/// A request that is not renewed ends by itself.
#[test]
fn a_request_ends_by_itself() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let agent = Agent::start("--ebpf on");
    assert_eq!(post(&agent, "?for=3s").status, 200);
    await_attached(&agent, true);
    await_attached(&agent, false);
}

/// A storm of short turns costs more than allowed: it is given up, said once, and taken up again
/// once the storm is over.
#[test]
fn gives_up_above_its_budget_and_comes_back() {
    if !offers(&[AGENT, LINK]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let (asks, answers) = (names.workload("asks"), names.workload("answers"));
    let agent = Agent::start("--ebpf on --response-time auto --response-budget 0.1%");
    let home = Netns::new();
    let quiet = Server::start(&answers, "127.0.0.1", "2000 4000", &home);
    let mut clients = Clients::start(&asks, &quiet, "1 20", &home);
    await_attached(&agent, true);

    let busy = traffic::Server::start(&names.workload("stormy"), "127.0.0.1", Some(&home));
    let arguments = format!("ping 127.0.0.1:{} 4 --pause 0", busy.port);
    let mut storm = traffic::client(&asks, &arguments, Some(&home));
    storm.reply();
    await_attached(&agent, false);
    let given_up = status(&agent);
    println!("given up: {given_up}");
    assert!(detachments(&agent) >= 1.0);
    storm.finish();

    await_attached(&agent, true);
    println!("taken up: {}", status(&agent));
    let before = counted(&agent, &quiet);
    clients.converse();
    about(counted(&agent, &quiet) - before, 20.0);
}
