//! Processes that live much shorter than a cycle.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{path::Path, time::Duration};

use hostlens_tests::{
    agent::Agent,
    host::{AGENT, Turn, offers, tool},
    scrape::Scrape,
    workload::{Names, Start, rounds},
};
use serde_json::Value;

/// User that no host knows by name.
const USER: u32 = 61_234;
const USER_NAME: &str = "61234";

fn cpu(scrape: &Scrape, process: &str) -> f64 {
    let labels = [("process", process), ("user", USER_NAME)];
    scrape.sum("hostlens_process_cpu_seconds_total", &labels)
}

/// Runs a storm and expects its children's CPU time under `process`, within [99 %, 102 %].
///
/// `with_parent`: the children bear the name of the process that forks them, whose own CPU time
/// then counts as well.
fn storm_is_attributed(
    agent: &Agent,
    boss: &Path,
    arguments: &str,
    process: &str,
    with_parent: bool,
) {
    let mut storm = Start::new(boss, arguments).user(USER).spawn();
    let report = storm.reply();
    let children = report["children"].as_u64().unwrap() as f64;
    let whole = storm.wait().cpu_seconds;
    let truth = if with_parent { whole } else { seconds(&report) };
    agent.await_scrape("CPU time of the storm", Duration::from_secs(20), |scrape| {
        let counted = cpu(scrape, process);
        (counted >= 0.99 * truth)
            .then_some(())
            .ok_or_else(|| format!("{process}: {counted} s of {truth} s"))
    });
    agent.await_cycles(3);
    let scrape = agent.scrape();
    let counted = cpu(&scrape, process);
    println!(
        "{process}: {counted:.4} s, rusage {truth:.4} s ({:.2} %)",
        100.0 * counted / truth
    );
    assert!(
        counted <= 1.02 * truth,
        "{process}: {counted} s of {truth} s"
    );
    let labels = [("process", process), ("user", USER_NAME)];
    let expected = children + f64::from(u8::from(with_parent));
    for family in [
        "hostlens_process_started_total",
        "hostlens_process_exited_total",
    ] {
        let ended = scrape.sum(family, &labels);
        println!("{process}: {family} {ended} of {expected}");
        assert!(
            (0.99 * expected..=1.01 * expected).contains(&ended),
            "{family}: {ended}"
        );
    }
}

fn seconds(report: &Value) -> f64 {
    report["cpu_seconds"]
        .as_f64()
        .expect("CPU time of the children")
}

/// 100 per second that execute and burn 5 ms, 100 per second that are only forked and burn 5 ms,
/// 300 per second that do nothing at all.
#[test]
fn storms_are_attributed() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let boss = names.workload("stormboss");
    let leaf = names.workload("stormleaf");
    let forks = names.workload("stormfork");
    let truly = names.add("stormtrue", &tool("true").expect("true(1)"));
    let rounds = rounds(5);
    let agent = Agent::start("--ebpf on");
    let burning = format!("storm 100 500 -- {} burn {rounds}", leaf.display());
    storm_is_attributed(&agent, &boss, &burning, "stormleaf", false);
    let forking = format!("storm 100 500 --fork {rounds}");
    storm_is_attributed(&agent, &forks, &forking, "stormfork", true);
    let idle = format!("storm 300 1500 -- {}", truly.display());
    storm_is_attributed(&agent, &boss, &idle, "stormtrue", false);
}

/// Polling misses such processes, and says so.
#[test]
fn polling_says_what_it_misses() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let boss = names.workload("missedboss");
    let leaf = names.workload("missedleaf");
    let agent = Agent::start("--ebpf off");
    let arguments = format!("storm 100 200 -- {} burn {}", leaf.display(), rounds(5));
    let mut storm = Start::new(&boss, &arguments).user(USER).spawn();
    let truth = seconds(&storm.reply());
    agent.await_cycles(2);
    let scrape = agent.scrape();
    let counted = cpu(&scrape, "missedleaf");
    println!("polling: {counted} s of {truth} s");
    assert!(counted <= 1.02 * truth, "{counted} s of {truth} s");
    let ends = scrape.series("hostlens_process_exited_total", &[]).len();
    assert_eq!(ends, 0, "ends that polling cannot see are absent, not 0");
    for signal in ["process_ended", "tcp_ended"] {
        let labels = [("signal", signal)];
        let sources = scrape.series("hostlens_agent_source_info", &labels);
        let [source] = sources.as_slice() else {
            panic!("sources of {signal}: {sources:?}");
        };
        println!("{:?}", source.labels);
        assert_eq!(source.label("source"), "absent");
        assert!(
            !source.label("reason").is_empty(),
            "{signal} without reason"
        );
    }
}
