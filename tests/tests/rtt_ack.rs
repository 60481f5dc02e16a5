//! Round-trip times of every acknowledgement, against what the link itself saw of each packet.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{sync::Arc, time::Duration};

use hostlens_tests::{
    agent::Agent,
    deadline::poll_until,
    delay_link::{Delay, DelayLink, FAR},
    host::{AGENT, LINK, Turn, offers},
    packet_truth::PacketTruth,
    scrape::Scrape,
    tcp_truth,
    traffic::{Server, client},
    workload::Names,
};

/// Round trips before anything is compared.
const ROUND_TRIPS: usize = 1_500;
/// One bucket.
const BUCKET: f64 = 1.0 / 8.0;
const LIMIT: Duration = Duration::from_secs(60);

fn source(scrape: &Scrape, signal: &str) -> String {
    let found = scrape.series("hostlens_agent_source_info", &[("signal", signal)]);
    assert_eq!(found.len(), 1, "sources of {signal}");
    found[0].label("source").to_owned()
}

/// 10 ms each way and up to 30 ms more for each packet: the median and the 95th percentile lie
/// far apart, and the kernel's smoothed value is neither.
#[test]
fn quantiles_are_those_of_the_packets() {
    if !offers(&[AGENT, LINK]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let program = names.workload("rttack");
    let agent = Agent::start("--ebpf on --rtt-source ack");
    let walking = Agent::start("--ebpf on");
    let truth = Arc::new(PacketTruth::new(Duration::from_millis(30)));
    let link = DelayLink::watched(&Delay::of(Duration::from_millis(10)), &truth);
    let server = Server::start(&program, FAR[0], Some(&link.far));
    let target = format!("{}:{}", FAR[0], server.port);
    let mut pings = client(
        &program,
        &format!("ping {target} 8 --pause 0"),
        Some(&link.near),
    );
    pings.reply();
    poll_until("round trips", LIMIT, || {
        let seen = truth.round_trips().len();
        (seen >= ROUND_TRIPS)
            .then_some(())
            .ok_or_else(|| format!("{seen} round trips"))
    });
    pings.finish();

    let port = server.port.to_string();
    let labels = [
        ("direction", "outbound"),
        ("remote_ip", FAR[0]),
        ("remote_port", port.as_str()),
    ];
    agent.await_cycles(2);
    let (scrape, walked) = (agent.scrape(), walking.scrape());
    assert_eq!(source(&scrape, "tcp_rtt"), "bpf_tcp_probe");
    assert_eq!(source(&walked, "tcp_rtt"), "bpf_sk_storage");
    let count = scrape.sum("hostlens_tcp_rtt_seconds_count", &labels);
    let round_trips = truth.round_trips();
    let packets = round_trips.len() as f64;
    println!(
        "{packets} round trips on the link, {count} counted; {} by walks",
        walked.sum("hostlens_tcp_rtt_seconds_count", &labels)
    );
    // What was sent again is under way twice, and which of the two was answered is a guess.
    assert!(
        (count / packets - 1.0).abs() <= 0.01,
        "{count} of {packets}"
    );
    for q in ["0.5", "0.95"] {
        let mut labels = labels.to_vec();
        labels.push(("q", q));
        let read = |scrape: &Scrape| scrape.value("hostlens_tcp_rtt_quantile_seconds", &labels);
        let read_ack = read(&scrape).unwrap();
        let expected = tcp_truth::quantile(&round_trips, q.parse().unwrap());
        println!(
            "q{q}: link {expected:.5} s, ack {read_ack:.5} s, walk {:?}",
            read(&walked)
        );
        let buckets = (read_ack / expected).log2().abs() / BUCKET;
        assert!(buckets <= 1.0, "q{q}: {read_ack} for {expected}");
    }
    let lost = scrape.value("hostlens_agent_events_lost_total", &[("event", "rtt_ack")]);
    assert_eq!(lost, Ok(0.0));
}
