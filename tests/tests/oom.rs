//! Every end is named once, by what ended it: out of memory, a signal, a status.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{fs, path::Path};

use hostlens_tests::{
    agent::Agent,
    deadline::{UNSEEN, some_attempt},
    host::{AGENT, Turn, offers, workload_path},
    memory_cgroup::{self, MemoryCgroup},
    scrape::Scrape,
    workload::{Names, Start, Usage},
};

const LIMIT: u64 = 32 << 20;

/// Runs `program map` with more memory than its cgroup may hold; it is killed.
fn exceed(script: &Path) -> Usage {
    let cgroup = MemoryCgroup::new(LIMIT);
    let mut victim = Start::new(script, "").spawn();
    cgroup.take(victim.pid());
    victim.say("go");
    victim.wait()
}

/// Ends by reason.
fn exits(scrape: &Scrape, process: &str) -> Vec<(String, f64)> {
    let series = scrape.series("hostlens_process_exited_total", &[("process", process)]);
    let mut exits: Vec<_> = series
        .iter()
        .filter(|sample| sample.value > 0.0)
        .map(|sample| (sample.label("reason").to_owned(), sample.value))
        .collect();
    exits.sort_by(|a, b| a.0.cmp(&b.0));
    exits
}

fn kernel_kills() -> f64 {
    let text = fs::read_to_string("/proc/vmstat").expect("read /proc/vmstat");
    let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
    line.expect("oom_kill").parse().expect("a number")
}

#[test]
fn a_kill_for_want_of_memory_is_told_from_others() {
    if !offers(&[AGENT]) {
        return;
    }
    if !memory_cgroup::available() {
        println!("SKIP: no hierarchy has the memory controller");
        return;
    }
    let _turn = Turn::take();
    let workload = workload_path();
    let round = std::cell::Cell::new(0);
    let agent = Agent::start("--ebpf on");
    some_attempt("ends by reason", UNSEEN, || {
        // Names of its own: what an attempt before missed is not counted here.
        round.set(round.get() + 1);
        let names = Names::new();
        let named = |name: &str| format!("{name}{}", round.get());
        let (greedy, crashing) = (named("greedy"), named("crashing"));
        let link = names.workload(&greedy);
        let script = names.script(
            "wait",
            &format!("#!/bin/sh\nread line\nexec {} map 256\n", link.display()),
        );
        let killed = kernel_kills();
        let usage = exceed(&script);
        assert_eq!(usage.status & 0x7f, libc::SIGKILL, "it was killed");
        let kernel = kernel_kills();
        assert!(kernel > killed, "as memory ran out");
        // The same signal from somebody else is not that, and a crash is its own.
        let shell = names.add(&crashing, Path::new("/bin/sh"));
        for (command, status) in [
            ("kill -KILL $$", libc::SIGKILL),
            ("kill -SEGV $$", libc::SIGSEGV),
            ("exit 3", 3 << 8),
            ("exit 0", 0),
        ] {
            let usage = Start::new(&shell, "-c").arg(command).spawn().wait();
            // 0x80: a core was dumped.
            assert_eq!(usage.status & !0x80, status, "{command}");
        }
        let seen = agent.settled(|scrape| {
            let kills = scrape.sum("hostlens_oom_kills_total", &[("process", &greedy)]);
            let host = scrape.sum("hostlens_host_oom_kills_total", &[]);
            let others = scrape.sum("hostlens_oom_kills_total", &[("process", &crashing)]);
            (
                exits(scrape, &greedy),
                exits(scrape, &crashing),
                [kills, host, others],
            )
        });
        println!("{seen:?}");
        let (greedy, crashing, [kills, host, others]) = seen;
        assert!(host >= kernel, "{host} of {kernel}");
        assert_eq!(others, 0.0, "{crashing:?}");
        let one = |reason: &str| (reason.to_owned(), 1.0);
        let wanted = ["SIGKILL", "SIGSEGV", "exit_0", "exit_nonzero"].map(one);
        if greedy == [one("oom")] && kills == 1.0 && crashing == wanted {
            return Ok(());
        }
        Err(format!(
            "{greedy:?}, {crashing:?}, {kills} kills; {workload:?}"
        ))
    });
}
