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
    deadline::{PATIENCE, poll_until},
    delay_link::{Delay, DelayLink, FAR, NEAR},
    host::{AGENT, LINK, Turn, offers},
    scrape::Scrape,
    tcp_truth::{SsConnection, Watch, about},
    traffic::{Server, client},
    workload::{Names, Workload},
};

/// Samples per connection before quantiles are compared.
const SAMPLES: f64 = 8.0;
/// How far a quantile read from buckets may be off.
const BUCKET: f64 = 0.05;

/// One end of a group of connections: how `ss` and how the agent name it.
struct End {
    truth: Watch,
    labels: Vec<(&'static str, String)>,
}

impl End {
    fn labels(&self) -> Vec<(&str, &str)> {
        let pairs = self.labels.iter();
        pairs.map(|(name, value)| (*name, value.as_str())).collect()
    }

    /// Whether the agent has enough samples of `connections` and agrees with `ss` on the lowest
    /// round-trip time, within 1 %, and on these quantiles; hands out the agent's.
    fn agrees<const N: usize>(
        &mut self,
        agent: &Agent,
        connections: usize,
        quantiles: [&str; N],
    ) -> Result<[f64; N], String> {
        let scrape = agent.scrape();
        let seen = self.truth.look();
        let labels = self.labels();
        if seen.len() != connections {
            return Err(format!("{} connections in ss: {labels:?}", seen.len()));
        }
        let count = scrape.sum("hostlens_tcp_rtt_seconds_count", &labels);
        if count < connections as f64 * SAMPLES {
            return Err(format!("{count} samples of {labels:?}"));
        }
        let least = scrape.value("hostlens_tcp_min_rtt_seconds", &labels)?;
        let truth = lowest(&seen);
        if !about(least, &(truth..=truth), 0.01) {
            return Err(format!("{labels:?}: lowest {least} s, ss {truth} s"));
        }
        let mut read = [0.0; N];
        for (read, q) in read.iter_mut().zip(quantiles) {
            *read = quantile(&scrape, &labels, q)?;
            let truth = self.truth.quantile(q.parse().unwrap());
            let words = format!("{labels:?} q{q}: {read:.5} s, ss {truth:.5?} s");
            if !about(*read, &truth, BUCKET) {
                return Err(words);
            }
            println!("{words}, lowest {least:.5} s");
        }
        Ok(read)
    }
}

/// Lowest round-trip time of these connections, seconds.
fn lowest(connections: &[SsConnection]) -> f64 {
    let all = connections.iter().filter_map(|one| one.min_rtt);
    all.fold(f64::INFINITY, f64::min)
}

fn quantile(scrape: &Scrape, labels: &[(&str, &str)], q: &str) -> Result<f64, String> {
    let mut labels = labels.to_vec();
    labels.push(("q", q));
    scrape.value("hostlens_tcp_rtt_quantile_seconds", &labels)
}

/// Expects a round-trip time that the link allows: never below its delay, and of its order.
fn possible(read: f64, delay: f64) {
    assert!(
        (delay * (1.0 - BUCKET)..delay * 4.0).contains(&read),
        "{read} s over a link of {delay} s"
    );
}

/// Both ends of connections from the near to the far side of `link`.
fn ends(link: &DelayLink, near: &str, far: &str, port: u16) -> [End; 2] {
    let label = |name, value: &str| (name, value.to_owned());
    let port_text = port.to_string();
    [
        End {
            truth: Watch::new(&link.near, format!("dport = {port}")),
            labels: vec![
                label("direction", "outbound"),
                label("remote_ip", far),
                label("remote_port", &port_text),
                label("listen_port", ""),
            ],
        },
        End {
            truth: Watch::new(&link.far, format!("sport = {port}")),
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

/// Waits until the agent agrees with `ss` about all these ends, each of so many connections.
fn all_agree<const N: usize>(
    agent: &Agent,
    ends: &mut [End],
    connections: usize,
    quantiles: [&str; N],
) -> Vec<[f64; N]> {
    poll_until("agreement with ss", 2 * PATIENCE, || {
        // All of them, also behind one that disagrees: each must look at its connections.
        let read: Vec<_> = ends
            .iter_mut()
            .map(|end| end.agrees(agent, connections, quantiles))
            .collect();
        read.into_iter().collect()
    })
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
    let mut ends: Vec<End> = groups
        .iter()
        .flat_map(|(near, far, server, _)| ends(&link, near, far, server.port))
        .collect();
    for [p50] in all_agree(&agent, &mut ends, 4, ["0.5"]) {
        possible(p50, 0.040);
    }
    let scrape = agent.scrape();
    for end in &ends {
        let mut labels = end.labels();
        let least = scrape.value("hostlens_tcp_min_rtt_seconds", &labels);
        possible(least.unwrap(), 0.040);
        labels.push(("state", "established"));
        let count = scrape.value("hostlens_tcp_connections", &labels);
        assert_eq!(count, Ok(4.0), "established connections");
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
    let mut ends = ends(&link, NEAR[0], FAR[0], server.port);
    for [p50, p95] in all_agree(&agent, &mut ends, 20, ["0.5", "0.95"]) {
        possible(p50, 0.020);
        possible(p95, 0.080);
    }
    let scrape = agent.scrape();
    for end in &ends {
        let named: BTreeSet<_> = scrape
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
