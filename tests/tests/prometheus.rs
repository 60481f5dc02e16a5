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
    deadline::{PATIENCE, poll_until, some_attempt},
    delay_link::{Delay, DelayLink, FAR},
    host::{AGENT, LINK, Need, Turn, command, offers},
    prometheus::Prometheus,
    traffic::{Server, Totals, client},
    workload::{Names, Start, rounds},
};

const TOOLS: &[Need] = &[Need::Tool("prometheus"), Need::Tool("promtool")];

/// Fails unless `read` is within 5 % of `truth`.
fn agree(what: &str, read: f64, truth: f64) -> Result<(), String> {
    let off = read / truth - 1.0;
    let words = format!("{what}: {read} for {truth} ({:+.2} %)", 100.0 * off);
    println!("{words}");
    (off.abs() <= 0.05).then_some(()).ok_or(words)
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
    poll_until("samples in Prometheus", PATIENCE, || {
        let samples = prometheus.value(&count, None)?;
        (samples >= 20.0 * 12.0)
            .then_some(())
            .ok_or_else(|| format!("{samples} samples"))
    });
    for (q, delay) in [("0.5", 0.020), ("0.95", 0.080)] {
        let native =
            format!("histogram_quantile({q}, increase(hostlens_tcp_rtt_seconds{{{labels}}}[1m]))");
        let gauge = format!("hostlens_tcp_rtt_quantile_seconds{{{labels},q=\"{q}\"}}");
        // Both are over the last minute, but not to the very cycle.
        let gauge = poll_until("native histogram and gauge", PATIENCE, || {
            let now = prometheus.last_scrape()?;
            let gauge = prometheus.value(&gauge, Some(now))?;
            agree(&native, prometheus.value(&native, Some(now))?, gauge)?;
            Ok(gauge)
        });
        // That of this group of connections: never below its delay, and of its order.
        assert!(
            (0.95 * delay..3.8 * delay).contains(&gauge),
            "q{q} {gauge} over a link of {delay}"
        );
    }
}

/// A Prometheus whose scrapes are far apart.
struct Slow {
    agent: Agent,
    prometheus: Prometheus,
}

impl Slow {
    const SCRAPE_SECONDS: u32 = 5;

    fn start() -> Self {
        let agent = Agent::start("--ebpf on");
        let prometheus = Prometheus::start(agent.address, Self::SCRAPE_SECONDS);
        Self { agent, prometheus }
    }

    /// Waits for a scrape later than `earlier`.
    fn scrape_after(&self, earlier: f64) -> f64 {
        poll_until("a scrape", PATIENCE, || {
            let last = self.prometheus.last_scrape()?;
            (last > earlier)
                .then_some(last)
                .ok_or_else(|| "none yet".to_owned())
        })
    }

    fn increase(&self, series: &str, at: f64) -> Result<f64, String> {
        let expression = format!("sum(increase({series}[5m]))");
        self.prometheus.value(&expression, Some(at))
    }
}

/// What lives and dies between two scrapes is worth what it did in `increase()`.
#[test]
fn what_lives_between_two_scrapes_counts() {
    if !offers(&[AGENT, TOOLS]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let rounds = rounds(500);
    let slow = Slow::start();
    let mut number = 0;
    some_attempt("a life between two scrapes", 8, || {
        // Names and ports that no earlier attempt has left counters of.
        number += 1;
        let burner = format!("betweenburn{number}");
        let peer = names.workload(&format!("betweenpeer{number}"));
        let server = Server::start(&peer, "127.0.0.1", None);
        // The server is older than the first scrape, so only what follows is new.
        let first = slow.scrape_after(slow.prometheus.last_scrape().unwrap_or(0.0));
        let start = slow.scrape_after(first);
        let mut short = client(&peer, &format!("short 127.0.0.1:{} 50", server.port), None);
        let cpu = Start::new(&names.workload(&burner), &format!("burn {rounds}"))
            .spawn()
            .wait()
            .cpu_seconds;
        let totals = Totals::of(&short.reply());
        short.finish();
        if slow.prometheus.last_scrape() != Ok(start) {
            return Err("it did not fit between two scrapes".to_owned());
        }
        // Scrapes after that: the birth at 0, the value, and one that changes nothing more.
        let end = (0..4).fold(start, |last, _| slow.scrape_after(last));
        let series = format!("hostlens_process_cpu_seconds_total{{process=\"{burner}\"}}");
        agree("CPU seconds", slow.increase(&series, end)?, cpu)?;
        connections_count(&slow, server.port, totals, end)
    });
}

/// Holds what Prometheus has of 50 connections to `port` at time `end` against their own count.
fn connections_count(slow: &Slow, port: u16, totals: Totals, end: f64) -> Result<(), String> {
    let peer = format!("{{direction=\"outbound\",remote_port=\"{port}\"}}");
    let sent = format!("hostlens_tcp_sent_bytes_total{peer}");
    let received = format!("hostlens_tcp_received_bytes_total{peer}");
    agree("bytes sent", slow.increase(&sent, end)?, totals.sent as f64)?;
    let read = slow.increase(&received, end)?;
    agree("bytes received", read, totals.received as f64)?;

    // For native histograms increase() extrapolates to the ends of its range even from 0, so the
    // range is that of the points.
    let points = slow.prometheus.query(&format!("{sent}[5m]"), Some(end))?;
    let [series] = points.as_slice() else {
        return Err(format!("one series: {points:?}"));
    };
    println!("{:?}", series.points);
    assert_eq!(series.points[0].1, 0.0, "a series is born at 0");
    let range = ((end - series.points[0].0) * 1e3).round();
    let native = format!("histogram_count(increase(hostlens_tcp_rtt_seconds{peer}[{range}ms]))");
    let samples = slow.prometheus.value(&native, Some(end))?;
    let port = port.to_string();
    let labels = [("direction", "outbound"), ("remote_port", port.as_str())];
    let scrape = slow.agent.scrape();
    let truth = scrape.sum("hostlens_tcp_rtt_seconds_count", &labels);
    agree("RTT samples", samples, truth)?;
    // Each connection gives one, and one more for each cycle that meets it alive: within the
    // seconds between two scrapes there are as many cycles.
    let most = f64::from(50 * (1 + Slow::SCRAPE_SECONDS));
    assert!(
        (50.0..=most).contains(&truth),
        "{truth} samples of 50 connections"
    );
    Ok(())
}
