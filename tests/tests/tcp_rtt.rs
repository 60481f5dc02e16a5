//! Round-trip times per peer over a link of known delay, against what `ss` says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use hostlens_tests::{
    agent::Agent,
    delay_link::{Delay, DelayLink, FAR, NEAR},
    host::{AGENT, LINK, Turn, offers},
    netns::Netns,
    scrape::Scrape,
    tcp_truth,
    traffic::{Server, client},
    workload::{Names, Workload},
};

/// Samples per connection before quantiles are compared.
const SAMPLES: f64 = 8.0;

/// One end of a group of connections: how `ss` and how the agent name it.
struct End<'a> {
    namespace: &'a Netns,
    filter: String,
    labels: Vec<(&'static str, String)>,
}

impl End<'_> {
    fn labels(&self) -> Vec<(&str, &str)> {
        let pairs = self.labels.iter();
        pairs.map(|(name, value)| (*name, value.as_str())).collect()
    }

    /// Waits for enough samples, then compares quantile `q` with that of `ss`, within 5 %; hands
    /// out the agent's.
    fn agrees(&self, agent: &Agent, connections: f64, q: &str) -> f64 {
        let labels = self.labels();
        let scrape = agent.await_scrape("samples", Duration::from_secs(40), |scrape| {
            let count = scrape.sum("hostlens_tcp_rtt_seconds_count", &labels);
            if count >= connections * SAMPLES {
                Ok(scrape.clone())
            } else {
                Err(format!("{count} samples of {labels:?}"))
            }
        });
        let read = quantile(&scrape, &labels, q);
        let rtts = tcp_truth::rtts(&tcp_truth::established(self.namespace, &self.filter));
        assert_eq!(rtts.len() as f64, connections, "connections in ss");
        let truth = tcp_truth::quantile(&rtts, q.parse().unwrap());
        println!("{labels:?} q{q}: {read:.5} s, ss {truth:.5} s");
        assert!((read / truth - 1.0).abs() <= 0.05, "{read} against {truth}");
        read
    }
}

fn quantile(scrape: &Scrape, labels: &[(&str, &str)], q: &str) -> f64 {
    let mut labels = labels.to_vec();
    labels.push(("q", q));
    scrape
        .value("hostlens_tcp_rtt_quantile_seconds", &labels)
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Both ends of connections from the near to the far side of `link`.
fn ends<'a>(link: &'a DelayLink, near: &str, far: &str, port: u16) -> [End<'a>; 2] {
    let label = |name, value: &str| (name, value.to_owned());
    let port_text = port.to_string();
    [
        End {
            namespace: &link.near,
            filter: format!("dport = {port}"),
            labels: vec![
                label("direction", "outbound"),
                label("remote_ip", far),
                label("remote_port", &port_text),
                label("listen_port", ""),
            ],
        },
        End {
            namespace: &link.far,
            filter: format!("sport = {port}"),
            labels: vec![
                label("direction", "inbound"),
                label("listen_ip", far),
                label("listen_port", &port_text),
                label("remote_ip", near),
                label("remote_port", ""),
            ],
        },
    ]
}

fn ping(program: &std::path::Path, link: &DelayLink, arguments: &str) -> Workload {
    let mut pings = client(program, &format!("ping {arguments}"), Some(&link.near));
    pings.reply();
    pings
}

/// 20 ms each way, over IPv4 and IPv6, seen from both ends, which both lie in namespaces that are
/// not the agent's.
fn known_delay(mode: &str) {
    let _turn = Turn::take();
    let names = Names::new();
    let program = names.workload("rttpeer");
    let agent = Agent::start(&format!("--ebpf {mode}"));
    let link = DelayLink::new(&Delay::of(Duration::from_millis(20)));
    let groups: Vec<_> = NEAR
        .into_iter()
        .zip(FAR)
        .map(|(near, far)| {
            let server = Server::start(&program, far, Some(&link.far));
            let target = SocketAddr::new(far.parse().unwrap(), server.port);
            let pings = ping(&program, &link, &format!("{target} 4 --source {near}"));
            (near, far, server, pings)
        })
        .collect();
    for (near, far, server, _) in &groups {
        for end in ends(&link, near, far, server.port) {
            let p50 = end.agrees(&agent, 4.0, "0.5");
            assert!((p50 / 0.040 - 1.0).abs() <= 0.10, "p50 {p50} for 40 ms");
            let labels = end.labels();
            let scrape = agent.scrape();
            let least = scrape
                .value("hostlens_tcp_min_rtt_seconds", &labels)
                .unwrap();
            assert!((0.039..0.044).contains(&least), "lowest {least} for 40 ms");
            let mut established = labels.clone();
            established.push(("state", "established"));
            let count = scrape.value("hostlens_tcp_connections", &established);
            assert_eq!(count, Ok(4.0), "established connections");
        }
    }
}

/// Of 20 connections to one peer 4 take 80 ms, the others 20 ms: the median is that of the fast
/// ones, the 95th percentile that of the slow ones.
fn mixed_delays(mode: &str) {
    let _turn = Turn::take();
    let names = Names::new();
    let program = names.workload("rttmixed");
    let agent = Agent::start(&format!("--ebpf {mode}"));
    let link = DelayLink::new(&Delay {
        usual: Duration::from_millis(10),
        special: Some((21_000..=21_999, Duration::from_millis(40))),
    });
    let server = Server::start(&program, FAR[0], Some(&link.far));
    let target = format!("{}:{}", FAR[0], server.port);
    let _fast = ping(&program, &link, &format!("{target} 16 --first-port 20000"));
    let _slow = ping(&program, &link, &format!("{target} 4 --first-port 21000"));
    for end in ends(&link, NEAR[0], FAR[0], server.port) {
        let p50 = end.agrees(&agent, 20.0, "0.5");
        let p95 = end.agrees(&agent, 20.0, "0.95");
        assert!((p50 / 0.020 - 1.0).abs() <= 0.10, "p50 {p50} for 20 ms");
        assert!((p95 / 0.080 - 1.0).abs() <= 0.10, "p95 {p95} for 80 ms");
        let series = agent.scrape();
        let named: BTreeSet<_> = series
            .series("hostlens_tcp_min_rtt_seconds", &end.labels())
            .into_iter()
            .map(|sample| sample.labels.clone())
            .collect();
        assert_eq!(named.len(), 1, "one peer, one series: {named:?}");
    }
}

#[test]
fn known_delay_seen_by_kernel_programs() {
    if offers(&[AGENT, LINK]) {
        known_delay("on");
    }
}

#[test]
fn known_delay_seen_by_polling() {
    if offers(&[AGENT, LINK]) {
        known_delay("off");
    }
}

#[test]
fn mixed_delays_seen_by_kernel_programs() {
    if offers(&[AGENT, LINK]) {
        mixed_delays("on");
    }
}

#[test]
fn mixed_delays_seen_by_polling() {
    if offers(&[AGENT, LINK]) {
        mixed_delays("off");
    }
}
