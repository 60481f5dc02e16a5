//! The exposition as promtool and a real Prometheus take it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{io::Write, process::Stdio, time::Duration};

use hostlens_tests::{
    agent::Agent,
    deadline::poll_until,
    delay_link::{Delay, DelayLink, FAR},
    host::{AGENT, LINK, Need, Turn, command, offers},
    prometheus::Prometheus,
    traffic::{Server, Totals, client},
    workload::{Names, Start, rounds},
};

const TOOLS: &[Need] = &[Need::Tool("prometheus"), Need::Tool("promtool")];

fn agree(what: &str, read: f64, truth: f64) {
    println!(
        "{what}: {read} for {truth} ({:+.2} %)",
        100.0 * (read / truth - 1.0)
    );
    assert!(
        (read / truth - 1.0).abs() <= 0.05,
        "{what}: {read} for {truth}"
    );
}

#[test]
fn promtool_finds_nothing() {
    if !offers(&[AGENT, TOOLS]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let agent = Agent::start("--ebpf on");
    let server = Server::start(&names.workload("lintedpeer"), "127.0.0.1", None);
    let target = format!("127.0.0.1:{} 3", server.port);
    let pings = client(
        &names.workload("lintedpeer"),
        &format!("ping {target}"),
        None,
    );
    agent.await_cycles(2);
    let text = agent.get("/metrics", &["Accept: text/plain;version=0.0.4"]);
    assert!(
        text.text().contains("lintedpeer"),
        "the workload is missing"
    );
    let mut lint = command("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start promtool");
    let mut stdin = lint.stdin.take().unwrap();
    stdin.write_all(&text.body).expect("write to promtool");
    drop(stdin);
    let output = lint.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    println!(
        "promtool on {} bytes: {} {said}",
        text.body.len(),
        output.status
    );
    assert!(output.status.success() && said.is_empty(), "{said}");
    pings.finish();
}

/// A quantile that Prometheus computes from the native histogram is that of the gauge.
#[test]
fn quantiles_in_promql_are_those_of_the_gauges() {
    if !offers(&[AGENT, LINK, TOOLS]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let program = names.workload("promqlpeer");
    let agent = Agent::start("--ebpf on");
    let prometheus = Prometheus::start(agent.address, 1);
    let link = DelayLink::new(&Delay {
        usual: Duration::from_millis(10),
        special: Some((21_000..=21_999, Duration::from_millis(40))),
    });
    let server = Server::start(&program, FAR[0], Some(&link.far));
    let target = format!("{}:{}", FAR[0], server.port);
    let arguments = format!("ping {target} 16 --first-port 20000");
    let _fast = client(&program, &arguments, Some(&link.near));
    let arguments = format!("ping {target} 4 --first-port 21000");
    let _slow = client(&program, &arguments, Some(&link.near));
    let labels = format!("direction=\"outbound\",remote_port=\"{}\"", server.port);
    let count = format!("histogram_count(hostlens_tcp_rtt_seconds{{{labels}}})");
    poll_until("samples in Prometheus", Duration::from_secs(60), || {
        let samples = prometheus.value(&count, None)?;
        (samples >= 20.0 * 12.0)
            .then_some(())
            .ok_or_else(|| format!("{samples} samples"))
    });
    let now = prometheus.last_scrape().unwrap();
    for (q, truth) in [("0.5", 0.020), ("0.95", 0.080)] {
        let native =
            format!("histogram_quantile({q}, increase(hostlens_tcp_rtt_seconds{{{labels}}}[55s]))");
        let gauge = format!("hostlens_tcp_rtt_quantile_seconds{{{labels},q=\"{q}\"}}");
        let gauge = prometheus.value(&gauge, Some(now)).unwrap();
        agree(
            &native,
            prometheus.value(&native, Some(now)).unwrap(),
            gauge,
        );
        assert!(
            (gauge / truth - 1.0).abs() < 0.1,
            "q{q} {gauge} for {truth}"
        );
    }
}

/// What lives and dies between two scrapes is worth what it did in `increase()`.
#[test]
fn what_lives_between_two_scrapes_counts() {
    const SCRAPE_SECONDS: u32 = 5;
    if !offers(&[AGENT, TOOLS]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let burner = names.workload("betweenburn");
    let peer = names.workload("betweenpeer");
    let rounds = rounds(1_000);
    let server = Server::start(&peer, "127.0.0.1", None);
    let agent = Agent::start("--ebpf on");
    let prometheus = Prometheus::start(agent.address, SCRAPE_SECONDS);
    let patience = Duration::from_secs(40);
    let scrape_after = |earlier: f64| {
        poll_until("a scrape", patience, || {
            let last = prometheus.last_scrape()?;
            (last > earlier)
                .then_some(last)
                .ok_or_else(|| "none yet".to_owned())
        })
    };
    // The server is older than the first scrape, so only what follows is new.
    let first = scrape_after(0.0);
    let start = scrape_after(first);
    let mut short = client(&peer, &format!("short 127.0.0.1:{} 50", server.port), None);
    let cpu = Start::new(&burner, &format!("burn {rounds}"))
        .spawn()
        .wait()
        .cpu_seconds;
    let totals = Totals::of(&short.reply());
    short.finish();
    assert_eq!(
        prometheus.last_scrape(),
        Ok(start),
        "it did not fit between two scrapes"
    );

    // Scrapes after that: the birth at 0, the value, and one that changes nothing more.
    let end = (0..4).fold(start, |last, _| scrape_after(last));
    let at = Some(end);
    let increase = |series: &str| {
        let expression = format!("sum(increase({series}[5m]))");
        prometheus
            .value(&expression, at)
            .unwrap_or_else(|error| panic!("{error}"))
    };
    let series = "hostlens_process_cpu_seconds_total{process=\"betweenburn\"}";
    agree("CPU seconds", increase(series), cpu);
    let peer = format!("{{direction=\"outbound\",remote_port=\"{}\"}}", server.port);
    let sent = increase(&format!("hostlens_tcp_sent_bytes_total{peer}"));
    agree("bytes sent", sent, totals.sent as f64);
    let received = increase(&format!("hostlens_tcp_received_bytes_total{peer}"));
    agree("bytes received", received, totals.received as f64);

    // For native histograms increase() extrapolates to the ends of its range even from 0, so the
    // range is that of the points.
    let points = prometheus
        .query(&format!("hostlens_tcp_sent_bytes_total{peer}[5m]"), at)
        .unwrap();
    let [series] = points.as_slice() else {
        panic!("one series: {points:?}");
    };
    println!("{:?}", series.points);
    assert_eq!(series.points[0].1, 0.0, "a series is born at 0");
    let range = ((end - series.points[0].0) * 1e3).round();
    let native = format!("histogram_count(increase(hostlens_tcp_rtt_seconds{peer}[{range}ms]))");
    let samples = prometheus.value(&native, at).unwrap();
    let labels = [
        ("direction", "outbound"),
        ("remote_port", &server.port.to_string()),
    ];
    let truth = agent
        .scrape()
        .sum("hostlens_tcp_rtt_seconds_count", &labels);
    agree("RTT samples", samples, truth);
    assert!(
        (50.0..=60.0).contains(&truth),
        "{truth} samples of 50 connections"
    );
}
