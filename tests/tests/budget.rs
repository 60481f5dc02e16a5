//! Far more peers than the budget allows.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::Duration,
};

use hostlens_tests::{
    agent::Agent,
    deadline::{PATIENCE, poll_until},
    host::{AGENT, Turn, offers},
    scrape::{Labels, Scrape},
    tcp_truth::{established_here, payload_sent},
    traffic::{Server, Totals, client},
    workload::Names,
};

const CONNECTIONS: u64 = 5_000;
const BUDGET: usize = 100;
const SCRAPES: usize = 50;
/// How far the books of IP may be off, as part of what the connections here move.
const OFF: f64 = 0.005;
/// Longest pause between two scrapes at the end: a cycle and more where it comes late.
const PAUSE: Duration = Duration::from_secs(4);

/// Label sets of one direction, the folded one included.
fn label_sets(scrape: &Scrape, direction: &str) -> BTreeSet<Labels> {
    scrape
        .series("hostlens_tcp_sent_bytes_total", &[("direction", direction)])
        .into_iter()
        .map(|sample| sample.labels.clone())
        .collect()
}

/// Whether this is the set that all groups beyond the budget share.
fn other(labels: &Labels) -> bool {
    ["remote_port", "listen_port"]
        .iter()
        .any(|name| labels.get(*name).is_some_and(|port| port == "other"))
}

/// What counters of a direction moved by, as `increase()` adds it up: a series that ends, as its
/// group lost its name to a heavier one, takes nothing of that back.
struct Books {
    /// Ports of the services whose groups count by name; of all others, whose traffic may be in
    /// namespaces we cannot look into, only what is folded does.
    ports: [String; 2],
    last: BTreeMap<(String, Labels), f64>,
    moved: BTreeMap<(String, String), f64>,
}

impl Books {
    fn new(ports: [u16; 2]) -> Self {
        Self {
            ports: ports.map(|port| port.to_string()),
            last: BTreeMap::new(),
            moved: BTreeMap::new(),
        }
    }

    fn counts(&self, labels: &Labels) -> bool {
        let service = ["remote_port", "listen_port"];
        let mut ports = service.iter().filter_map(|name| labels.get(*name));
        other(labels) || ports.any(|port| self.ports.contains(port))
    }

    /// Enters a scrape; what stands in the first one is where counting begins.
    fn enter(&mut self, scrape: &Scrape) {
        let first = self.last.is_empty();
        let previous = std::mem::take(&mut self.last);
        for ((name, labels), value) in scrape.counters() {
            let earlier = previous.get(&(name.clone(), labels.clone())).copied();
            if let Some(earlier) = earlier {
                // Within one appearance no counter may fall.
                assert!(
                    value >= earlier,
                    "{name} {labels:?} fell from {earlier} to {value}"
                );
            }
            if !first
                && self.counts(&labels)
                && let Some(direction) = labels.get("direction")
            {
                let account = self.moved.entry((name.clone(), direction.clone()));
                *account.or_default() += value - earlier.unwrap_or(0.0);
            }
            self.last.insert((name, labels), value);
        }
    }

    /// Bytes sent and received.
    fn bytes(&self, direction: &str) -> [f64; 2] {
        [
            "hostlens_tcp_sent_bytes_total",
            "hostlens_tcp_received_bytes_total",
        ]
        .map(|name| {
            let account = (name.to_owned(), direction.to_owned());
            self.moved.get(&account).copied().unwrap_or(0.0)
        })
    }
}

/// Fails if bytes are missing, or there are more than `others` may have added.
fn agree(
    direction: &str,
    counted: [f64; 2],
    expected: [f64; 2],
    others: f64,
) -> Result<(), String> {
    let words = format!("{direction}: {counted:?} for {expected:?}, up to {others} of others");
    println!("{words}");
    let right = counted
        .into_iter()
        .zip(expected)
        .all(|(counted, expected)| {
            (-2_000.0..=others + OFF * expected).contains(&(counted - expected))
        });
    right.then_some(()).ok_or(words)
}

/// 5,000 peers per direction and a budget of 100: at most 100 are named, no counter ever goes
/// down, and the sums are those of all connections.
#[test]
fn folding_keeps_every_byte() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let program = names.workload("manypeers");
    let server = Server::start(&program, "0.0.0.0", None);
    let agent = Agent::start(&format!("--ebpf on --peer-budget {BUDGET}"));
    let own_before = agent.own_traffic();
    let payload_before = payload_sent();
    let mut books = Books::new([server.port, agent.address.port()]);
    books.enter(&agent.scrape());
    let mut fan = client(
        &program,
        &format!("fan {} {CONNECTIONS}", server.port),
        None,
    );
    assert_eq!(Totals::of(&fan.reply()).connections, CONNECTIONS);

    let mut replies = 0;
    for number in 0..SCRAPES {
        if number % 5 == 0 {
            fan.say("round");
            replies += 1;
        }
        let scrape = agent.scrape();
        books.enter(&scrape);
        for direction in ["outbound", "inbound"] {
            let sets = label_sets(&scrape, direction);
            let named = sets.iter().filter(|labels| !other(labels)).count();
            assert!(named <= BUDGET, "{named} named {direction} label sets");
        }
        thread::sleep(Duration::from_millis(250));
    }
    let mut truth = Totals::default();
    for _ in 0..replies {
        truth = Totals::of(&fan.reply());
    }
    // The agent sees its own scrapes too. What was asked for until here is known, but shows only
    // when the cycle after it is over: nothing is asked for a while.
    let scrape = poll_until("every byte", 2 * PATIENCE, || {
        thread::sleep(PAUSE);
        let own = agent.own_traffic();
        let scrape = agent.scrape();
        books.enter(&scrape);
        let sent = (truth.sent + own.0 - own_before.0) as f64;
        let received = (truth.received + own.1 - own_before.1) as f64;
        // Both ends of every connection are in this namespace.
        let others = (payload_sent() - payload_before - sent - received).max(0.0);
        agree(
            "outbound",
            books.bytes("outbound"),
            [sent, received],
            others,
        )?;
        agree("inbound", books.bytes("inbound"), [received, sent], others)?;
        Ok(scrape)
    });
    for direction in ["outbound", "inbound"] {
        let sets = label_sets(&scrape, direction);
        let folded: Vec<_> = sets.iter().filter(|labels| other(labels)).collect();
        println!("{direction}: {} label sets, folded {folded:?}", sets.len());
        assert_eq!(folded.len(), 1, "{folded:?}");
        assert!(sets.len() > BUDGET / 2, "the budget is hardly used");
        let established = [("direction", direction), ("state", "established")];
        let connections = scrape.sum("hostlens_tcp_connections", &established);
        // Others come on top: those of this namespace, and a few elsewhere.
        let own = CONNECTIONS as f64;
        let range = own..=own + (established_here() - 2.0 * own).max(0.0) + 50.0;
        assert!(
            range.contains(&connections),
            "{connections} {direction} connections"
        );
    }
    fan.finish();
}
