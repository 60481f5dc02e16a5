//! `hostlens doctor` tells what works here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::process::Output;

use hostlens_tests::{
    agent::run,
    host::{AGENT, Turn, offers},
};
use serde_json::Value;

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn list<'a>(report: &'a Value, key: &str) -> &'a Vec<Value> {
    report[key]
        .as_array()
        .unwrap_or_else(|| panic!("no list {key} in {report}"))
}

/// Every program that serves a signal is loaded, and the exit code says how well things are.
#[test]
fn as_root() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let output = run(&["doctor", "--json"], None);
    let report = report(&output);
    println!("{report:#}");
    for signal in ["tcp_live", "tcp_ended", "process_live", "process_ended"] {
        let found = list(&report, "signals")
            .iter()
            .find(|one| one["signal"] == signal);
        let found = found.unwrap_or_else(|| panic!("{signal} is missing"));
        assert!(
            found["source"].as_str().unwrap().starts_with("bpf"),
            "{found}"
        );
    }
    for program in list(&report, "programs") {
        let state = program["state"].as_str().unwrap();
        assert!(
            ["attached", "loaded", "unused"].contains(&state),
            "{program}"
        );
    }
    assert!(report["seen"]["namespaces"].as_u64() >= Some(1));
    let degraded = list(&report, "signals")
        .iter()
        .any(|one| !one["degraded"].is_null());
    assert_eq!(output.status.code(), Some(i32::from(degraded)));

    let text = run(&["doctor"], None);
    assert_eq!(text.status.code(), output.status.code());
    let text = String::from_utf8(text.stdout).unwrap();
    for program in list(&report, "programs") {
        let name = program["program"].as_str().unwrap();
        assert!(text.contains(name), "{name} is missing:\n{text}");
    }
}

/// Without privileges things are degraded, each with its reason.
#[test]
fn as_nobody() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let output = run(&["doctor", "--json"], Some(61_239));
    let report = report(&output);
    assert_eq!(output.status.code(), Some(1), "{report:#}");
    assert_eq!(report["health"], "degraded");
    for signal in ["tcp_live", "process_live"] {
        let found = list(&report, "signals")
            .iter()
            .find(|one| one["signal"] == signal);
        let reason = found.and_then(|found| found["degraded"].as_str());
        println!("{signal}: {reason:?}");
        assert!(reason.is_some_and(|reason| reason.lines().count() == 1));
    }
}
