//! Swap I/O by owner, against what the kernel counts in all and what it holds of each process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{collections::BTreeMap, fs};

use hostlens_tests::{
    agent::Agent,
    deadline::{PATIENCE, some_attempt},
    host::{AGENT, Need, Turn, offers},
    memory_limit::MemoryLimit,
    process_truth,
    scrape::Scrape,
    swap::Swap,
    workload::{Names, Start, Workload},
};

/// Users that no host knows by name.
const VICTIM: u32 = 61_241;
const HOG: u32 = 61_242;
const SWAP: &[Need] = &[
    Need::Tool("mkswap"),
    Need::Tool("swapon"),
    Need::Path("/sys/class/zram-control"),
];
const FAMILY: &str = "hostlens_process_swap_io_bytes_total";
const MIB: f64 = 1024.0 * 1024.0;

/// Bytes read from swap and written to it since boot.
fn kernel() -> [f64; 2] {
    let text = fs::read_to_string("/proc/vmstat").unwrap();
    let counts: BTreeMap<_, _> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    ["pswpin", "pswpout"].map(|name| counts[name].parse::<f64>().unwrap() * 4096.0)
}

/// Bytes that went in and out, by the agent: of one process of one user, or of all.
fn charged(scrape: &Scrape, who: &[(&str, &str)]) -> [f64; 2] {
    ["in", "out"].map(|op| {
        let mut labels = who.to_vec();
        labels.push(("op", op));
        scrape.sum(FAMILY, &labels)
    })
}

fn swapped(pid: u32) -> f64 {
    process_truth::numbers(pid, "status")["VmSwap"] as f64
}

/// Within 2 %, or a fraction of a MiB.
fn near(what: &str, ours: f64, truth: f64) -> Result<(), String> {
    println!("{what}: {ours} for {truth}");
    let slack = f64::max(0.02 * truth, MIB / 2.0);
    if (ours - truth).abs() <= slack {
        Ok(())
    } else {
        Err(format!("{what}: {ours} bytes for {truth}"))
    }
}

/// What the kernel counted since, and the agent after all of it was collected.
fn counted(agent: &Agent, before: [f64; 2]) -> (Scrape, [f64; 2]) {
    agent.await_cycles(2);
    let now = kernel();
    (agent.scrape(), [now[0] - before[0], now[1] - before[1]])
}

fn sums_agree(scrape: &Scrape, kernel: [f64; 2]) -> Result<(), String> {
    let all = charged(scrape, &[]);
    near("in, all", all[0], kernel[0])?;
    near("out, all", all[1], kernel[1])?;
    for (op, kernel) in ["in", "out"].into_iter().zip(kernel) {
        let rest = scrape.value("hostlens_swap_unattributed_bytes_total", &[("op", op)])?;
        if rest > f64::max(0.02 * kernel, MIB / 2.0) {
            return Err(format!("{op}: {rest} of {kernel} bytes of nobody"));
        }
    }
    Ok(())
}

fn mapping(
    names: &Names,
    name: &str,
    uid: u32,
    limit: Option<&MemoryLimit>,
    text: &str,
) -> Workload {
    let start = Start::new(&names.workload(name), &format!("map {text}")).user(uid);
    let mut mapping = match limit {
        Some(limit) => start.within_memory(limit),
        None => start,
    }
    .spawn();
    mapping.reply();
    mapping
}

fn tell(mapping: &mut Workload, word: &str) {
    mapping.say(word);
    assert_eq!(mapping.reply()["done"], word);
}

/// A victim is pushed out by another user's process, which needs the memory they may use
/// together, and reads back what is its own once that has gone.
fn pushed_out_and_read_back(swap: impl Fn() -> Swap) {
    let _turn = Turn::take();
    some_attempt("swap I/O by owner", 3, || {
        let names = Names::new();
        let agent = Agent::start("--ebpf on");
        let swap = swap();
        let limit = MemoryLimit::new(400).expect("a memory cgroup");
        let before = kernel();
        let mut victim = mapping(&names, "swapvictim", VICTIM, Some(&limit), "300");
        let hog = mapping(&names, "swaphog", HOG, Some(&limit), "360");
        let (scrape, truth) = counted(&agent, before);
        let out = [
            ("swapvictim", VICTIM, swapped(victim.pid())),
            ("swaphog", HOG, swapped(hog.pid())),
        ];
        if out[0].2 < 100.0 * MIB {
            return Err(format!("the victim was left alone: {out:?}"));
        }
        sums_agree(&scrape, truth)?;
        for (name, user, truth) in out {
            let user = user.to_string();
            let bytes = charged(&scrape, &[("process", name), ("user", &user)]);
            near(&format!("out of {name}"), bytes[1], truth)?;
        }

        hog.kill();
        let gone = swapped(victim.pid());
        let read_bytes = |victim: &Workload| {
            // The kernel counts what comes from swap as read from storage as well.
            process_truth::numbers(victim.pid(), "io")["read_bytes"] as f64
        };
        let read_before = read_bytes(&victim);
        tell(&mut victim, "read");
        let (scrape, truth) = counted(&agent, before);
        sums_agree(&scrape, truth)?;
        let user = VICTIM.to_string();
        let labels = [("process", "swapvictim"), ("user", user.as_str())];
        let back = charged(&scrape, &labels)[0];
        near("read back", back, read_bytes(&victim) - read_before)?;
        // Of some pages the memory they were written from was still there.
        if back > 1.02 * gone || back < 0.9 * gone {
            return Err(format!("read back: {back} of {gone} bytes"));
        }
        let read = [labels[0], labels[1], ("op", "read")];
        let disk = scrape.value("hostlens_process_disk_bytes_total", &read)?;
        near("from elsewhere", disk, read_before)?;
        drop(victim);
        drop(swap);
        // What nobody can swap to is not watched.
        agent.await_scrape("programs detached", PATIENCE, |_| {
            let state = program_state(&agent);
            (state == "loaded").then_some(()).ok_or(state)
        });
        Ok(())
    });
}

fn program_state(agent: &Agent) -> String {
    let status = agent.status();
    let programs = status["programs"].as_array().expect("programs");
    let program = programs
        .iter()
        .find(|program| program["name"] == "swap_queued")
        .unwrap_or_else(|| panic!("no swap_queued: {status}"));
    program["state"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn compressed_memory() {
    if offers(&[AGENT, SWAP]) {
        pushed_out_and_read_back(|| Swap::new(1024));
    }
}

#[test]
fn a_file_on_a_disk_that_others_use() {
    if offers(&[AGENT, SWAP]) {
        pushed_out_and_read_back(|| Swap::file(768));
    }
}

/// Shared memory leads to no process when it is written, and is read by whom it faults.
#[test]
fn shared_memory_and_swapoff() {
    if !offers(&[AGENT, SWAP]) {
        return;
    }
    let _turn = Turn::take();
    some_attempt("shared memory", 3, || {
        let names = Names::new();
        let agent = Agent::start("--ebpf on");
        let swap = Swap::new(512);
        let before = kernel();
        let mut shared = mapping(&names, "swapshared", VICTIM, None, "128 --shared");
        let private = mapping(&names, "swapprivate", HOG, None, "96 --page-out");
        tell(&mut shared, "out");
        let (scrape, truth) = counted(&agent, before);
        sums_agree(&scrape, truth)?;
        let out = charged(&scrape, &[("process", "[shmem]")])[1];
        near("out of nobody's", out, truth[1] - swapped(private.pid()))?;
        tell(&mut shared, "read");
        let left = swapped(private.pid());
        drop(swap);
        let (scrape, truth) = counted(&agent, before);
        sums_agree(&scrape, truth)?;
        let user = VICTIM.to_string();
        let read = charged(&scrape, &[("process", "swapshared"), ("user", &user)])[0];
        near("read by whom it faults", read, out)?;
        let taken = charged(&scrape, &[("process", "swapoff"), ("user", "root")])[0];
        near("taken in by swapoff", taken, left)
    });
}

/// Without kernel programs the growth of VmSwap is told, under a name of its own.
#[test]
fn without_kernel_programs_net_changes_are_told() {
    if !offers(&[AGENT, SWAP]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let agent = Agent::start("--ebpf off");
    let _swap = Swap::new(512);
    let mut victim = mapping(&names, "swapnet", VICTIM, None, "128");
    // Its size is known from before.
    agent.await_cycles(2);
    tell(&mut victim, "out");
    let user = VICTIM.to_string();
    let labels = [("process", "swapnet"), ("user", user.as_str())];
    agent.await_scrape("growth of VmSwap", PATIENCE, |scrape| {
        let mut out = labels.to_vec();
        out.push(("op", "out"));
        let ours = scrape.value("hostlens_process_swap_net_bytes_total", &out)?;
        near("growth", ours, swapped(victim.pid()))
    });
    let scrape = agent.scrape();
    assert!(scrape.series(FAMILY, &[]).is_empty());
    assert!(
        scrape
            .series("hostlens_swap_unattributed_bytes_total", &[])
            .is_empty()
    );
}
