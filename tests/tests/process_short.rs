//! Processes that live much shorter than a cycle.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::path::Path;

use hostlens_tests::{
    agent::Agent,
    deadline::{UNSEEN, some_attempt},
    host::{AGENT, Turn, offers, tool},
    scrape::Scrape,
    workload::{Names, Start, rounds},
};
use serde_json::Value;

/// User that no host knows by name.
const USER: u32 = 61_234;
const USER_NAME: &str = "61234";
/// What is counted of the processes of one name.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Counted {
    cpu: f64,
    started: f64,
    exited: f64,
}

impl Counted {
    fn of(scrape: &Scrape, process: &str) -> Self {
        let labels = [("process", process), ("user", USER_NAME)];
        Self {
            cpu: cpu(scrape, process),
            started: scrape.sum("hostlens_process_started_total", &labels),
            exited: scrape.sum("hostlens_process_exited_total", &labels),
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            cpu: self.cpu - before.cpu,
            started: self.started - before.started,
            exited: self.exited - before.exited,
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            cpu: self.cpu + other.cpu,
            started: self.started + other.started,
            exited: self.exited + other.exited,
        }
    }
}

fn cpu(scrape: &Scrape, process: &str) -> f64 {
    let labels = [("process", process), ("user", USER_NAME)];
    scrape.sum("hostlens_process_cpu_seconds_total", &labels)
}

/// Fails with `words` unless `value` is in [`least`, `most`].
fn within(words: &str, value: f64, least: f64, most: f64) -> Result<(), String> {
    let words = format!("{words}: {value:.4} for {least:.4} to {most:.4}");
    println!("  {words}");
    (least..=most).contains(&value).then_some(()).ok_or(words)
}

/// Runs a storm and holds what is counted under the names of its parent `boss` and its children
/// `process` against rusage: CPU time of both within [99 %, 102 %], starts and ends at least 99 %
/// and not one too many. The names may be the same.
///
/// A child has its parent's name until it executes its program. A walk that meets it there books
/// its start and what it used so far under that name, and as the parent waits meanwhile, there is
/// at most one such child at a time.
fn storm(agent: &Agent, boss: &Path, arguments: &str, process: &str) -> Result<(), String> {
    let parent = boss.file_name().unwrap().to_str().unwrap();
    let cycles = |scrape: &Scrape| scrape.value("hostlens_agent_cycles_total", &[]);
    let before = agent.scrape();
    let mut storm = Start::new(boss, arguments).user(USER).spawn();
    let report = storm.reply();
    let whole = storm.wait().cpu_seconds;
    let walks = cycles(&agent.scrape())? - cycles(&before)? + 1.0;
    let children = report["children"].as_f64().unwrap();
    let truth = seconds(&report);
    let [leaf, other] =
        agent.settled(|scrape| [process, parent].map(|name| Counted::of(scrape, name)));
    let leaf = leaf.since(Counted::of(&before, process));
    let other = other.since(Counted::of(&before, parent));
    println!("{process}: {leaf:?}, {parent}: {other:?}, rusage {truth} s of {whole} s");

    let all = if process == parent {
        leaf
    } else {
        leaf.and(other)
    };
    within("CPU time", all.cpu, 0.99 * whole, 1.02 * whole)?;
    let processes = children + 1.0;
    within("started", all.started, 0.99 * processes, processes)?;
    within("exited", all.exited, 0.99 * processes, processes)?;
    if process == parent {
        return Ok(());
    }
    within("exited by name", leaf.exited, 0.99 * children, children)?;
    let early = (other.started - 1.0).max(0.0);
    within("met before they had their name", early, 0.0, walks)?;
    let least = 0.99 * truth - early * truth / children;
    within("CPU time by name", leaf.cpu, least, 1.02 * truth)
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
    let forking = format!("storm 100 500 --fork {rounds}");
    let idle = format!("storm 300 1500 -- {}", truly.display());
    for (boss, arguments, process) in [
        (&boss, burning, "stormleaf"),
        (&forks, forking, "stormfork"),
        (&boss, idle, "stormtrue"),
    ] {
        some_attempt(process, UNSEEN, || storm(&agent, boss, &arguments, process));
    }
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
