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
    host::{AGENT, LINK, Turn, offers},
    http,
    netns::Netns,
    response::{Clients, RESPONSE, Row, Server},
    traffic,
    workload::Names,
};

/// Longest wait for a second try.
const LIMIT: Duration = Duration::from_secs(120);
/// A question that is open for long.
const SLOW: Duration = Duration::from_secs(6);

fn post(agent: &Agent, query: &str) -> http::Response {
    let address = agent.address;
    let request = format!(
        "POST /api/response-time{query} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n\
         Connection: close\r\n\r\n"
    );
    http::exchange(address, request.as_bytes()).expect("an answer")
}

/// Whether the programs run and, if not, why, once that is so.
fn await_state(agent: &Agent, state: &str, reason: &str) {
    let expected = [("state", state), ("reason", reason)];
    agent.await_scrape(state, LIMIT, |scrape| {
        let family = "hostlens_agent_response_time_info";
        let found = scrape.series(family, &expected).len();
        let all = scrape.series(family, &[]);
        (found == 1 && all.len() == 1)
            .then_some(())
            .ok_or_else(|| format!("{all:?}"))
    });
}

fn await_attached(agent: &Agent) {
    await_state(agent, "attached", "");
}

fn await_unwanted(agent: &Agent) {
    await_state(agent, "detached", "not_wanted");
}

/// Samples of both ends together.
fn counted(agent: &Agent, server: &Server) -> f64 {
    agent.await_cycles(3);
    let scrape = agent.scrape();
    let rows = [Row::outbound(server.address), Row::inbound(server.address)];
    rows.iter().map(|row| row.count(&scrape, RESPONSE)).sum()
}

/// Whether so many turns were counted at both ends, but for what a kernel hides.
fn about(count: f64, turns: f64) {
    assert!(
        (2.0 * turns - 2.0..=2.0 * turns).contains(&count),
        "{count} samples of {turns} turns"
    );
}

/// A turn that began before anybody watched: who asked may still tell when, from what the socket
/// remembers, but whoever answers must not take it for shorter than it was.
fn seen_by_half(agent: &Agent, slow: &Server) {
    counted(agent, slow);
    let scrape = agent.scrape();
    for row in [Row::outbound(slow.address), Row::inbound(slow.address)] {
        if let Ok(mean) = row.mean(&scrape, RESPONSE) {
            assert!(mean >= SLOW.as_secs_f64(), "{mean} s: a turn seen by half");
        }
    }
}

/// Turns of two connections that were there before: whether the first began before, too, cannot
/// be told.
const WATCHED: f64 = 2.0 * (25.0 - 1.0);

/// Watched from a POST until the next, on connections that live all the time: nothing before,
/// nothing after.
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
    let slow = Server::start(
        &answers,
        "127.0.0.1",
        &format!("{0} {0}", SLOW.as_micros()),
        &home,
    );
    let mut patient = Clients::start(&asks, &slow, "1 1", &home);
    await_unwanted(&agent);
    clients.converse();
    assert_eq!(counted(&agent, &server), 0.0);

    let refused = post(&agent, "?for=ever");
    assert_eq!((refused.status, refused.text().lines().count()), (400, 1));
    await_unwanted(&agent);

    patient.ask();
    assert_eq!(post(&agent, "?for=10m").status, 200);
    await_attached(&agent);
    clients.converse();
    about(counted(&agent, &server), WATCHED);
    patient.waited();
    seen_by_half(&agent, &slow);

    assert_eq!(post(&agent, "?for=0s").status, 200);
    await_unwanted(&agent);
    clients.converse();
    about(counted(&agent, &server), WATCHED);

    assert_eq!(post(&agent, "").status, 200);
    await_attached(&agent);
    clients.converse();
    about(counted(&agent, &server), 2.0 * WATCHED);
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
    await_attached(&agent);
    await_unwanted(&agent);
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
    await_attached(&agent);

    let busy = traffic::Server::start(&names.workload("stormy"), "127.0.0.1", Some(&home));
    let arguments = format!("ping 127.0.0.1:{} 4 --pause 0", busy.port);
    let mut storm = traffic::client(&asks, &arguments, Some(&home));
    storm.reply();
    await_state(&agent, "detached", "too_expensive");
    let scrape = agent.scrape();
    let own = |name: &str| scrape.value(&format!("hostlens_agent_response_time_{name}"), &[]);
    println!(
        "cost {:?} of a core, {:?} s a run",
        own("cost_ratio"),
        own("run_seconds")
    );
    assert!(own("cost_ratio").unwrap() > own("budget_ratio").unwrap());
    assert!(own("detachments_total").unwrap() >= 1.0);
    storm.finish();

    await_attached(&agent);
    let before = counted(&agent, &quiet);
    clients.converse();
    about(counted(&agent, &quiet) - before, 20.0);
}
