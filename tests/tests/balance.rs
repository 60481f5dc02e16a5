//! The books balance: sums over all processes against what the kernel counts for the host.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{collections::BTreeMap, fs};

use hostlens_tests::{
    agent::{Agent, run},
    deadline::{PATIENCE, some_attempt},
    host::{AGENT, Turn, offers},
    process_truth,
    scrape::Scrape,
    workload::{Names, Start, rounds},
};
use serde_json::Value;

/// Attempts: other work may start and end just as one stretch is read.
const ATTEMPTS: usize = 4;
/// CPU seconds in a stretch: the kernel's total is in ticks.
const STRETCH: f64 = 12.0;

fn cpu(scrape: &Scrape) -> f64 {
    scrape.sum("hostlens_process_cpu_seconds_total", &[])
}

/// User, nice and system time of the host as the agent shows it.
fn host_cpu(scrape: &Scrape) -> f64 {
    let modes = ["user", "nice", "system"];
    modes
        .iter()
        .map(|mode| scrape.sum("hostlens_host_cpu_seconds_total", &[("mode", mode)]))
        .sum()
}

/// The same from the file.
fn kernel_cpu() -> f64 {
    let stat = fs::read_to_string("/proc/stat").expect("read /proc/stat");
    let fields = stat.lines().next().unwrap().split_whitespace().skip(1);
    let ticks: f64 = fields
        .take(3)
        .map(|ticks| ticks.parse::<f64>().unwrap())
        .sum();
    ticks / 100.0
}

#[test]
fn cpu_of_all_groups_is_that_of_the_host() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let agent = Agent::start("--ebpf on");
    let (burn, threads) = (names.workload("burning"), names.workload("threading"));
    let brief = names.workload("brief");
    some_attempt("CPU time", ATTEMPTS, || {
        agent.await_cycles(2);
        let before = agent.scrape();
        let mut rest = 4;
        // Steady, by threads that end, by short-lived children, until enough was used.
        let used = loop {
            let mut one = Start::new(&burn, &format!("burn {}", rounds(1_000))).spawn();
            let mut many = Start::new(&threads, &format!("threads 3 {}", rounds(400))).spawn();
            let mut bomb = Start::new(&brief, &format!("bomb 50 {}", rounds(4))).spawn();
            for work in [&mut one, &mut many, &mut bomb] {
                work.wait();
            }
            agent.await_cycles(1);
            let used = host_cpu(&agent.scrape()) - host_cpu(&before);
            rest -= 1;
            if used >= STRETCH || rest == 0 {
                break used;
            }
        };
        agent.await_cycles(2);
        let after = agent.scrape();
        let (ours, kernel) = (
            cpu(&after) - cpu(&before),
            host_cpu(&after) - host_cpu(&before),
        );
        let error = ours / kernel - 1.0;
        println!(
            "{ours:.2} s of {kernel:.2} s, at first {used:.2} s: {:+.2} %",
            error * 100.0
        );
        (error.abs() < 0.01)
            .then_some(())
            .ok_or_else(|| format!("{ours} s of {kernel} s"))
    });
    agent.await_scrape("the host's CPU time", PATIENCE, |scrape| {
        let low = host_cpu(scrape);
        let high = kernel_cpu();
        // The agent read it at most a few cycles before.
        (low <= high && high - low < 60.0)
            .then_some(())
            .ok_or_else(|| format!("{low} s, then {high} s"))
    });
}

#[test]
fn totals_of_the_host_are_those_of_its_files() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let agent = Agent::start("--ebpf on");
    agent.await_scrape("the host's memory and swap", PATIENCE, |scrape| {
        let meminfo = meminfo();
        for (family, kind, key) in [
            ("hostlens_host_memory_bytes", "total", "MemTotal"),
            ("hostlens_host_swap_bytes", "total", "SwapTotal"),
        ] {
            let seen = scrape.value(family, &[("type", kind)])?;
            let truth = meminfo[key] as f64;
            if seen != truth {
                return Err(format!("{family} {kind}: {seen} of {truth}"));
            }
        }
        let anon = scrape.value("hostlens_host_memory_bytes", &[("type", "anon")])?;
        let truth = meminfo["AnonPages"] as f64;
        ((anon / truth - 1.0).abs() < 0.1)
            .then_some(())
            .ok_or_else(|| format!("anon: {anon} of {truth}"))
    });
    for resource in ["cpu", "memory", "io"] {
        let there = fs::read_to_string(format!("/proc/pressure/{resource}")).is_ok();
        let labels = [("resource", resource), ("type", "some")];
        let shown = agent
            .scrape()
            .series("hostlens_host_pressure_waiting_seconds_total", &labels)
            .len();
        assert_eq!(shown, usize::from(there), "{resource}");
    }
    let without = Agent::start("--ebpf on --no-host");
    let scrape = without.scrape();
    let named = |sample: &&hostlens_tests::scrape::Sample| {
        sample.name.starts_with("hostlens_host_")
            || sample.name.starts_with("hostlens_service_pressure")
    };
    assert_eq!(scrape.samples.iter().find(named), None);
}

fn meminfo() -> BTreeMap<String, u64> {
    // The same `key: number kB` lines as those of a process.
    process_truth::host_numbers("meminfo")
}

#[test]
fn the_doctor_explains_memory() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let mut large = Start::new(&names.workload("balanced"), "map 512").spawn();
    large.reply();
    some_attempt("anonymous memory", ATTEMPTS, || {
        let output = run(&["doctor", "--json"], None);
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let balance = report["balance"].as_array().expect("a balance");
        println!("{balance:#?}");
        let find = |what: &str| balance.iter().find(|one| one["what"] == what);
        let bytes = |one: &Value, key: &str| one[key].as_f64().expect("bytes");
        let anon = find("anonymous memory").ok_or("no anonymous memory")?;
        let (ours, kernel) = (bytes(anon, "processes_bytes"), bytes(anon, "kernel_bytes"));
        assert!(kernel >= f64::from(512 << 20), "{kernel}");
        let swap = find("swap").ok_or("no swap")?;
        assert!(bytes(swap, "kernel_bytes") >= 0.0);
        // What is shared after a fork counts once for each process, so there may be more; what
        // a process of a moment ago held may lack.
        (ours >= 0.95 * kernel && ours <= 1.5 * kernel)
            .then_some(())
            .ok_or_else(|| format!("{ours} of {kernel}"))
    });
}
