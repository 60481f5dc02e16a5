//! The front door without kernel programs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use hostlens_tests::{
    agent::Agent,
    holder::{PATIENCE, await_listener},
    host::{AGENT, Need, Turn, offers},
    listen_truth::listener,
    prefork::PreFork,
    top,
    workload::Names,
};
use serde_json::json;

/// What the test here needs.
const NEEDS: &[Need] = &[Need::Root, Need::Tool("ip"), Need::Tool("ss")];

/// Without kernel programs descriptors tell who it is; what cannot be seen is not shown.
#[test]
fn owners_without_kernel_programs() {
    if !offers(&[AGENT, NEEDS]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let agent = Agent::start("--ebpf off");
    let mut scene = PreFork::start(&names);
    // Two that nobody accepts.
    scene.client.connect("127.0.0.1", scene.port, 2);
    let own = |family: &str, count: f64| {
        agent.await_scrape(family, PATIENCE, |scrape| {
            let seen = scene.worker().sum(scrape, family, Some("preworker"));
            (seen == count)
                .then_some(())
                .ok_or_else(|| format!("{seen} {family}"))
        });
    };
    own("established_connections", 1.0);
    scene
        .opener()
        .await_alone(&agent, "established_connections", 3.0);
    await_listener(&agent, scene.port, ("preparent", "root"), 2.0);
    let port = scene.port.to_string();
    let labels = [
        ("listen_ip", "127.0.0.1"),
        ("listen_port", port.as_str()),
        ("process", "preparent"),
        ("user", "root"),
    ];
    let truth = listener(&scene.namespace, scene.port);
    assert_eq!(truth.queue, 2);
    let panel = [
        ("listen_queue_length", truth.queue),
        ("listen_queue_limit", truth.limit),
        ("listen_queue_high_water", 2),
        ("listen_drops_total", truth.drops),
    ];
    agent.await_scrape("the panel", PATIENCE, |scrape| {
        panel.iter().try_for_each(|(family, truth)| {
            let seen = scrape.value(&format!("hostlens_tcp_{family}"), &labels)?;
            (seen == *truth as f64)
                .then_some(())
                .ok_or_else(|| format!("{family}: {seen} for {truth}"))
        })
    });
    nothing_unseen_is_shown(&agent, &port);
}

fn nothing_unseen_is_shown(agent: &Agent, port: &str) {
    let scrape = agent.scrape();
    for family in [
        "listen_resets_total",
        "accepted_total",
        "accept_oldest_wait_seconds",
        "connections_closed_total",
        "connection_lifetime_seconds_count",
        "connect_seconds_count",
        "close_unread_bytes_total",
        "close_unacked_bytes_total",
        "aborted_connections_total",
        "connect_failures_total",
        "refused_total",
    ] {
        let name = format!("hostlens_tcp_{family}");
        let series = [("listen_port", port), ("remote_port", port)];
        let series = series.map(|label| scrape.series(&name, &[label]));
        assert!(series.concat().is_empty(), "{series:?}");
    }
    let status = agent.status();
    for (signal, source) in [
        ("tcp_live", "sock_diag"),
        ("tcp_ended", "absent"),
        ("tcp_connect_local", "absent"),
        ("tcp_owner", "proc_fd"),
        ("tcp_listeners", "sock_diag"),
        ("tcp_refused", "absent"),
    ] {
        let entry = top::row(&status, "sources", &[("signal", json!(signal))]).unwrap();
        assert_eq!(entry["source"], json!(source), "{entry}");
        let why = entry["degraded"].as_str().unwrap_or_default();
        // That sockets are still being looked for depends on the rest of the host.
        assert!(
            !why.is_empty() || signal == "tcp_owner",
            "{signal}: no reason"
        );
        println!("{signal}: {why}");
    }
}
