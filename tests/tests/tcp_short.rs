//! Connections that live much shorter than a cycle.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use hostlens_tests::{
    agent::Agent,
    deadline::PATIENCE,
    host::{AGENT, Turn, offers},
    scrape::Scrape,
    traffic::{Server, Totals, client},
    workload::Names,
};

const CONNECTIONS: u64 = 3_000;
/// How many of them live at once.
const PARALLEL: u64 = 30;

/// What an agent has counted of the connections to one port: samples, and the bytes that the
/// opening side sent and received.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Counted {
    samples: f64,
    sent: f64,
    received: f64,
}

impl Counted {
    /// As the side that opened the connections.
    fn outbound(scrape: &Scrape, port: &str) -> Self {
        let labels = [("direction", "outbound"), ("remote_port", port)];
        let [samples, sent, received] = sums(scrape, &labels);
        Self {
            samples,
            sent,
            received,
        }
    }

    /// As the side that accepted them, turned round.
    fn inbound(scrape: &Scrape, port: &str) -> Self {
        let labels = [("direction", "inbound"), ("listen_port", port)];
        let [samples, received, sent] = sums(scrape, &labels);
        Self {
            samples,
            sent,
            received,
        }
    }

    fn has_bytes_of(&self, truth: Totals) -> bool {
        self.sent == truth.sent as f64 && self.received == truth.received as f64
    }
}

fn sums(scrape: &Scrape, labels: &[(&str, &str)]) -> [f64; 3] {
    [
        "hostlens_tcp_rtt_seconds_count",
        "hostlens_tcp_sent_bytes_total",
        "hostlens_tcp_received_bytes_total",
    ]
    .map(|name| scrape.sum(name, labels))
}

/// Cycles finished so far.
fn cycles(scrape: &Scrape) -> f64 {
    let cycles = scrape.value("hostlens_agent_cycles_total", &[]);
    cycles.unwrap_or_else(|error| panic!("{error}"))
}

/// 3,000 connections of 20 ms: kernel programs count all with every byte, polling only those that
/// live at the moment of a cycle.
#[test]
fn short_connections_are_counted() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let program = names.workload("shortpeer");
    let agent = Agent::start("--ebpf on");
    let polling = Agent::start("--ebpf off");
    let server = Server::start(&program, "127.0.0.1", None);
    let port = server.port.to_string();
    let arguments = format!("short 127.0.0.1:{port} {CONNECTIONS} --live 20 --parallel {PARALLEL}");
    let before = [&agent, &polling].map(|agent| cycles(&agent.scrape()));
    let mut short = client(&program, &arguments, None);
    let truth = Totals::of(&short.reply());
    assert_eq!(truth.connections, CONNECTIONS);
    // Each cycle, the one under way included, meets at most so many alive, and as many that the
    // server comes late to close.
    let after = [&agent, &polling].map(|agent| cycles(&agent.scrape()));
    let [met, polled] = [0, 1].map(|at| (after[at] - before[at] + 1.0) * 2.0 * PARALLEL as f64);

    let sides = |scrape: &Scrape| {
        [
            Counted::outbound(scrape, &port),
            Counted::inbound(scrape, &port),
        ]
    };
    agent.await_scrape("all bytes", PATIENCE, |scrape| {
        let sides = sides(scrape);
        if sides.iter().all(|side| side.has_bytes_of(truth)) {
            Ok(())
        } else {
            Err(format!("{sides:?} for {truth:?}"))
        }
    });
    // Counting anything twice would show only now.
    agent.await_cycles(3);
    for side in sides(&agent.scrape()) {
        println!("kernel programs: {side:?} for {truth:?}");
        assert!(side.has_bytes_of(truth), "{side:?} for {truth:?}");
        // A connection that a cycle happened to meet alive may give one more sample at its end.
        let (least, most) = (CONNECTIONS as f64 * 0.99, CONNECTIONS as f64 + met);
        assert!((least..=most).contains(&side.samples), "{side:?}");
    }
    polling.await_cycles(1);
    for side in sides(&polling.scrape()) {
        println!("polling: {side:?} for {truth:?}");
        assert!(side.samples <= polled, "{side:?}, {polled} met");
        // None sends more than 149 bytes.
        assert!(side.sent <= 149.0 * polled, "{side:?}, {polled} met");
    }
    short.finish();
}
