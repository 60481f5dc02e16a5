//! CPU time, disk bytes, descriptors and memory of processes against rusage and procfs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{collections::BTreeMap, path::Path, time::Duration};

use hostlens_tests::{
    agent::Agent,
    deadline::PATIENCE,
    host::{AGENT, Need, Turn, offers, scratch_dir, tool},
    process_truth,
    scrape::Scrape,
    swap::Swap,
    workload::{Names, Start, Workload, rounds},
};

/// Users that no host knows by name.
const USERS: [u32; 2] = [61_235, 61_236];

fn cpu(scrape: &Scrape, process: &str, user: &str) -> f64 {
    let labels = [("process", process), ("user", user)];
    scrape.sum("hostlens_process_cpu_seconds_total", &labels)
}

/// Waits until all of `truth` seconds are counted, and holds that no more are, within 2 %.
fn cpu_agrees(agent: &Agent, process: &str, user: &str, truth: f64) {
    agent.await_scrape("CPU time", PATIENCE, |scrape| {
        let counted = cpu(scrape, process, user);
        (counted >= 0.98 * truth)
            .then_some(())
            .ok_or_else(|| format!("{process} of {user}: {counted} s of {truth} s"))
    });
    agent.await_cycles(2);
    let counted = cpu(&agent.scrape(), process, user);
    println!("{process} of {user}: {counted:.4} s, rusage {truth:.4} s");
    assert!(
        counted <= 1.02 * truth,
        "{process} of {user}: {counted} s of {truth} s"
    );
}

#[test]
fn threads_that_die_are_counted() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let program = names.workload("manythreads");
    let leaderless = names.workload("leaderless");
    let agent = Agent::start("--ebpf on");
    let rounds = rounds(700);
    let usage = Start::new(&leaderless, &format!("threads 5 {rounds} --leader-first"))
        .spawn()
        .wait();
    assert_eq!(usage.status, 0);
    cpu_agrees(&agent, "leaderless", "root", usage.cpu_seconds);

    // All threads beside the first have ended, the process lives: the truth is its own clock.
    let mut living = Start::new(&program, &format!("threads 5 {rounds} --hold")).spawn();
    living.reply();
    cpu_agrees(&agent, "manythreads", "root", cpu_clock(&living));
    let usage = living.finish();
    cpu_agrees(&agent, "manythreads", "root", usage.cpu_seconds);
}

/// CPU time of a living process, seconds.
fn cpu_clock(workload: &Workload) -> f64 {
    let clock =
        nix::time::ClockId::pid_cpu_clock_id(nix::unistd::Pid::from_raw(workload.pid() as i32))
            .expect("clock of the process");
    Duration::from(clock.now().expect("read the clock")).as_secs_f64()
}

#[test]
fn users_are_told_apart() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let program = names.workload("severalusers");
    let agent = Agent::start("--ebpf on");
    let burns: Vec<_> = USERS
        .into_iter()
        .zip([400, 900])
        .map(|(user, millis)| {
            let burn = Start::new(&program, &format!("burn {}", rounds(millis)));
            (user, burn.user(user).spawn())
        })
        .collect();
    for (user, mut burn) in burns {
        let truth = burn.wait().cpu_seconds;
        cpu_agrees(&agent, "severalusers", &user.to_string(), truth);
    }
}

/// What it burnt before is the old name's, what it burns after is the new one's, but for what lies
/// in the cycle across the change.
#[test]
fn exec_changes_the_name() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let before = names.workload("namedbefore");
    let after = names.workload("namedafter");
    let agent = Agent::start("--ebpf on");
    let arguments = format!("exec {} {}", rounds(2_500), after.display());
    let truth = Start::new(&before, &arguments).spawn().wait().cpu_seconds;
    let both =
        |scrape: &Scrape| ["namedbefore", "namedafter"].map(|name| cpu(scrape, name, "root"));
    agent.await_scrape("CPU time under both names", PATIENCE, |scrape| {
        let sum: f64 = both(scrape).iter().sum();
        (sum >= 0.98 * truth)
            .then_some(())
            .ok_or_else(|| format!("{sum} s of {truth} s"))
    });
    agent.await_cycles(2);
    let [old, new] = both(&agent.scrape());
    println!("before {old:.3} s, after {new:.3} s, rusage {truth:.3} s");
    assert!(old + new <= 1.02 * truth, "{old} + {new} of {truth}");
    // A cycle takes a second, more where it comes late; here each name has burnt for longer.
    assert!(
        (old - new).abs() <= 0.6 * truth,
        "equal halves, up to a cycle: {old} and {new}"
    );
}

#[test]
fn disk_bytes_are_those_of_the_kernel() {
    if !offers(&[AGENT]) {
        return;
    }
    const MEBIBYTES: u64 = 32;
    let _turn = Turn::take();
    let names = Names::new();
    let program = names.workload("diskuser");
    let scratch = scratch_dir();
    let agent = Agent::start("--ebpf on");
    let mut disk = Start::new(&program, "disk")
        .arg(scratch.path().join("file"))
        .arg(MEBIBYTES.to_string())
        .spawn();
    disk.reply();
    for (op, key) in [("read", "read_bytes"), ("write", "write_bytes")] {
        let labels = [("process", "diskuser"), ("user", "root"), ("op", op)];
        agent.await_scrape("disk bytes", PATIENCE, |scrape| {
            // Read each time: code of its own that was evicted is fetched again.
            let truth = process_truth::numbers(disk.pid(), "io")[key] as f64;
            assert!(
                truth >= ((2 * MEBIBYTES) << 20) as f64,
                "{key}: {truth}, not on a disk?"
            );
            let counted = scrape.sum("hostlens_process_disk_bytes_total", &labels);
            println!("{op}: {counted}, /proc/PID/io {truth}");
            (counted == truth)
                .then_some(())
                .ok_or(format!("{op} {counted} of {truth}"))
        });
    }
    let truth = process_truth::numbers(disk.pid(), "io");
    disk.finish();
    agent.await_cycles(2);
    let all = [("process", "diskuser"), ("user", "root")];
    let counted = agent
        .scrape()
        .sum("hostlens_process_disk_bytes_total", &all);
    assert_eq!(
        counted,
        (truth["read_bytes"] + truth["write_bytes"]) as f64,
        "after its end"
    );
}

#[test]
fn descriptors_are_exact() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let agent = Agent::start("--ebpf on");
    let mut holder = Start::new(&names.workload("descriptors"), "descriptors 5000").spawn();
    holder.reply();
    let truth = process_truth::descriptors(holder.pid());
    let limit = process_truth::descriptor_limit(holder.pid());
    assert!(truth >= 5_000, "{truth} descriptors");
    let labels = [("process", "descriptors"), ("user", "root")];
    agent.await_scrape("descriptors", PATIENCE, |scrape| {
        let open = scrape.value("hostlens_process_open_fds", &labels)?;
        let ratio = scrape.value("hostlens_process_fd_limit_ratio", &labels)?;
        println!("{open} open, ratio {ratio}; truth {truth} of {limit}");
        let same = (ratio - truth as f64 / limit as f64).abs() < 1e-9;
        (open == truth as f64 && same)
            .then_some(())
            .ok_or(format!("{open} open, ratio {ratio}"))
    });
}

/// Compares every kind of memory of a process with its status, within 1 % or 4 pages.
fn memory_agrees(agent: &Agent, process: &str, pid: u32) -> BTreeMap<String, u64> {
    agent.await_scrape("memory", PATIENCE, |scrape| {
        // Read each time: the kernel takes pages away from whom does not use them.
        let truths = process_truth::numbers(pid, "status");
        for (kind, key) in [
            ("anon", "RssAnon"),
            ("file", "RssFile"),
            ("shmem", "RssShmem"),
            ("swap", "VmSwap"),
        ] {
            let truth = truths[key] as f64;
            let labels = [("process", process), ("user", "root"), ("type", kind)];
            let read = scrape.value("hostlens_process_memory_bytes", &labels)?;
            println!("{process} {kind}: {read}, {key} {truth}");
            if (read - truth).abs() > f64::max(0.01 * truth, 4.0 * 4096.0) {
                return Err(format!("{process} {kind}: {read} for {truth}"));
            }
        }
        Ok(truths)
    })
}

fn mapping(program: &Path, arguments: &str) -> Workload {
    let mut mapping = Start::new(program, &format!("map {arguments}")).spawn();
    mapping.reply();
    mapping
}

#[test]
fn memory_of_the_tiny_and_the_large() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let sleep = names.add("tinysleep", &tool("sleep").expect("sleep(1)"));
    let agent = Agent::start("--ebpf on");
    let tiny = Start::new(&sleep, "300").spawn();
    let large = mapping(&names.workload("largemap"), "1024");
    memory_agrees(&agent, "tinysleep", tiny.pid());
    let truth = memory_agrees(&agent, "largemap", large.pid());
    assert!(truth["RssAnon"] >= 1 << 30, "{truth:?}");
}

#[test]
fn swapped_memory() {
    const SWAP: &[Need] = &[
        Need::Tool("mkswap"),
        Need::Tool("swapon"),
        Need::Path("/sys/class/zram-control"),
    ];
    if !offers(&[AGENT, SWAP]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let agent = Agent::start("--ebpf on");
    let _swap = Swap::new(512);
    let swapped = mapping(&names.workload("swappedmap"), "256 --page-out");
    let truth = memory_agrees(&agent, "swappedmap", swapped.pid());
    assert!(
        truth["VmSwap"] >= 200 << 20,
        "little was swapped: {truth:?}"
    );
}
