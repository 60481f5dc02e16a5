//! Time waited for a CPU and for storage, against what the kernel says of each thread.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::fs;

use hostlens_tests::{
    agent::Agent,
    deadline::{PATIENCE, UNSEEN, some_attempt},
    host::{AGENT, Need, Turn, offers, scratch_dir},
    scrape::Scrape,
    sysctl::Sysctl,
    workload::{Names, Start, Workload, rounds},
};

const RUN_DELAY: &str = "hostlens_process_run_delay_seconds_total";
const BLOCK_DELAY: &str = "hostlens_process_block_delay_seconds_total";
/// A process reads what it waited a little before it waits for the last time.
const SLACK: f64 = 0.03;

fn delay(scrape: &Scrape, family: &str, process: &str) -> Result<f64, String> {
    scrape.value(family, &[("process", process), ("user", "root")])
}

/// Waits until what was waited is counted, and holds that no more is.
fn agrees(agent: &Agent, process: &str, truth: f64) -> Result<(), String> {
    agent.await_scrape("run-queue delay", PATIENCE, |scrape| {
        let counted = delay(scrape, RUN_DELAY, process)?;
        (counted >= 0.99 * truth)
            .then_some(())
            .ok_or_else(|| format!("{process}: {counted} s of {truth} s"))
    });
    agent.await_cycles(2);
    let counted = delay(&agent.scrape(), RUN_DELAY, process)?;
    println!("{process}: {counted:.4} s, its threads {truth:.4} s");
    if counted <= 1.01 * truth + SLACK {
        return Ok(());
    }
    Err(format!("{process}: {counted} s of {truth} s"))
}

fn waited(queue: &mut Workload) -> f64 {
    let reply = queue.reply();
    let ns = |key: &str| reply[key].as_f64().expect("nanoseconds");
    (ns("ended_ns") + ns("own_ns")) / 1e9
}

#[test]
fn threads_that_end_leave_what_they_waited() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let (living, ended) = (names.workload("queueliving"), names.workload("queueended"));
    let agent = Agent::start("--ebpf on");
    let arguments = format!("queue 4 {}", rounds(300));
    let mut queue = Start::new(&living, &arguments).spawn();
    let truth = waited(&mut queue);
    assert!(truth > 0.5, "five threads on one CPU: {truth} s");
    agrees(&agent, "queueliving", truth).unwrap();
    queue.finish();
    agrees(&agent, "queueliving", truth).unwrap();

    // Never seen alive by a walk, as far as it lives less than a cycle: the final record alone.
    let number = std::cell::Cell::new(0);
    some_attempt("delay of what lived briefly", UNSEEN, || {
        number.set(number.get() + 1);
        let name = format!("queueended{}", number.get());
        let program = names.add(&name, &ended);
        let mut queue = Start::new(&program, &format!("queue 2 {}", rounds(40))).spawn();
        let truth = waited(&mut queue);
        queue.finish();
        agent.await_cycles(3);
        let counted = agent.settled(|scrape| delay(scrape, RUN_DELAY, &name).unwrap_or(-1.0));
        println!("{name}: {counted:.4} s, its threads {truth:.4} s");
        ((0.99 * truth..=1.01 * truth + SLACK).contains(&counted))
            .then_some(())
            .ok_or_else(|| format!("{name}: {counted} s of {truth} s"))
    });
}

/// Time waited for storage as `/proc/PID/stat` has it, in ticks of 10 ms.
fn blocked(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("read its stat");
    let (_, fields) = stat.rsplit_once(") ").expect("a name");
    let ticks: f64 = fields.split(' ').nth(39).unwrap().parse().unwrap();
    ticks / 100.0
}

#[test]
fn waiting_for_storage_is_counted_where_the_kernel_does() {
    const ACCOUNTING: &str = "kernel/task_delayacct";
    const NEEDS: &[Need] = &[Need::Path("/proc/sys/kernel/task_delayacct")];
    if !offers(&[AGENT, NEEDS]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let scratch = scratch_dir();
    let agent = Agent::start("--ebpf on");
    let start = |name: &str| {
        let program = names.workload(name);
        let mut disk = Start::new(&program, "disk")
            .arg(scratch.path().join(name))
            .arg("48")
            .spawn();
        disk.reply();
        disk
    };
    let uncounted = {
        let _off = Sysctl::set(ACCOUNTING, "0");
        start("uncounted")
    };
    let counted = {
        let _on = Sysctl::set(ACCOUNTING, "1");
        start("counted")
    };
    let truth = agent.await_scrape("time waited for storage", PATIENCE, |scrape| {
        let truth = blocked(counted.pid());
        let seen = delay(scrape, BLOCK_DELAY, "counted")?;
        println!("{seen} s, /proc/PID/stat {truth} s");
        // The file is cut to whole ticks.
        (seen >= truth && seen < truth + 0.010_001)
            .then_some(truth)
            .ok_or_else(|| format!("{seen} s of {truth} s"))
    });
    assert!(truth > 0.0, "it never waited");
    let scrape = agent.scrape();
    assert!(delay(&scrape, RUN_DELAY, "uncounted").is_ok());
    assert!(
        scrape
            .series(BLOCK_DELAY, &[("process", "uncounted")])
            .is_empty(),
        "not known is not 0"
    );
    uncounted.finish();
    counted.finish();
}
