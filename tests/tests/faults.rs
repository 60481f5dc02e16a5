//! What the agent leaves behind, and what it does when the host changes under its feet.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{fs, net::TcpListener, os::unix::process::ExitStatusExt, thread, time::Duration};

use hostlens_tests::{
    agent::{Agent, run},
    bpf,
    deadline::{PATIENCE, UNSEEN, poll_until, some_attempt},
    host::{AGENT, LINK, Turn, offers},
    netns::Netns,
    scrape::Scrape,
    traffic::{Server, client},
    workload::{Names, Start, rounds},
};
use nix::sys::signal::Signal;

/// A user without privileges.
const NOBODY: u32 = 61_238;

/// Expects that nothing of `objects` is left in the kernel.
fn gone(objects: &bpf::Objects) {
    poll_until("programs and maps to go", PATIENCE, || {
        let left: Vec<_> = bpf::loaded().intersection(objects).copied().collect();
        left.is_empty()
            .then_some(())
            .ok_or_else(|| format!("left: {left:?}"))
    });
}

#[test]
fn nothing_stays_in_the_kernel() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    for number in 0..2 {
        let mut agent = Agent::start("--ebpf on");
        let held = bpf::held_by(agent.pid());
        println!("{} objects: {held:?}", held.len());
        for kind in [bpf::Kind::Program, bpf::Kind::Map] {
            assert!(
                held.iter().any(|object| object.0 == kind),
                "no {kind:?} held"
            );
        }
        if number == 0 {
            agent.kill();
        } else {
            agent.signal(Signal::SIGTERM);
            let status = agent.wait(PATIENCE);
            assert!(
                status.success(),
                "after SIGTERM: {status}, signal {:?}",
                status.signal()
            );
        }
        gone(&held);
    }
    let pinned = fs::read_dir("/sys/fs/bpf").map_or(0, |entries| {
        let names = entries.flatten().map(|entry| entry.file_name());
        names
            .filter(|name| name.to_string_lossy().contains("hostlens"))
            .count()
    });
    assert_eq!(pinned, 0, "objects pinned in /sys/fs/bpf");
}

#[test]
fn nonsense_is_refused_in_one_line() {
    let _turn = Turn::take();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (arguments, named) in [
        (vec!["agent", "--listen", "nowhere"], "nowhere"),
        (vec!["agent", "--listen", &taken], &taken),
        (
            vec!["agent", "--listen", "192.0.2.77:10477"],
            "192.0.2.77:10477",
        ),
        (vec!["agent", "--interval", "0s"], "0s"),
        (vec!["agent", "--interval", "often"], "often"),
        (vec!["agent", "--own-network", "10.0.0.0/99"], "10.0.0.0/99"),
        (vec!["agent", "--own-network", "office"], "office"),
        (vec!["agent", "--peer-budget", "many"], "many"),
        (vec!["agent", "--process-budget", "-5"], "-5"),
        (vec!["agent", "--series-limit", "x"], "x"),
        (vec!["agent", "--series-retention", "forever"], "forever"),
        (vec!["agent", "--ebpf", "perhaps"], "perhaps"),
        (vec!["agent", "--log-level", "loud"], "loud"),
        (vec!["agent", "--frobnicate"], "--frobnicate"),
        (
            vec!["top", "--sort", "beauty", "--batch", "-n", "1"],
            "beauty",
        ),
        (vec!["top", "--view", "weather"], "weather"),
        (vec!["top", "--interval", "0"], "0"),
        (vec!["nonsense"], "nonsense"),
    ] {
        let output = run(&arguments, None);
        let said = String::from_utf8_lossy(&output.stderr);
        println!("{arguments:?}: {}", said.trim_end());
        assert!(!output.status.success(), "{arguments:?} was accepted");
        assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
        let message = said
            .strip_prefix("error: ")
            .unwrap_or_else(|| panic!("{said}"));
        assert!(message.contains(named), "does not name {named}: {said}");
        // Naming the input alone is no help: the cure takes more words.
        let words = message.split_whitespace().count();
        assert!(words >= 6, "no cure: {said}");
    }
}

/// Cycles that failed and lines that complain: none of it may come from a host that changes.
fn unimpressed(agent: &Agent) {
    agent.await_cycles(2);
    let failed = agent
        .scrape()
        .value("hostlens_agent_failed_cycles_total", &[]);
    assert_eq!(failed, Ok(0.0), "failed cycles");
    let complaints: Vec<String> = agent
        .output
        .lines()
        .into_iter()
        .filter(|line| line.contains("ERROR") || line.contains("WARN") || line.contains("panic"))
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn namespaces_may_vanish_at_any_time() {
    if !offers(&[AGENT, LINK]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let program = names.workload("vanishing");
    for mode in ["on", "off"] {
        let agent = Agent::start(&format!("--ebpf {mode} --interval 200ms"));
        let seen = |scrape: &Scrape| {
            scrape.value("hostlens_agent_network_namespaces", &[("state", "seen")])
        };
        let before = seen(&agent.scrape()).unwrap();
        for number in 0..12 {
            let namespace = Netns::new();
            let server = Server::start(&program, "127.0.0.1", Some(&namespace));
            let target = format!("127.0.0.1:{} 5 --pause 1", server.port);
            let pings = client(&program, &format!("ping {target}"), Some(&namespace));
            // Each time at another place in the cycle.
            thread::sleep(Duration::from_millis(300 + 37 * number));
            pings.kill();
        }
        agent.await_scrape("namespaces to be forgotten", PATIENCE, |scrape| {
            let now = seen(scrape)?;
            println!("{mode}: {now} namespaces, {before} before");
            (now <= before)
                .then_some(())
                .ok_or_else(|| format!("{now} namespaces"))
        });
        unimpressed(&agent);
    }
}

/// Scripts that end at once: their names are asked for when they are already gone.
#[test]
fn processes_may_die_before_they_are_named() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let boss = names.workload("namelessboss");
    let script = names.dir().join("nameless.sh");
    fs::write(&script, "#!/bin/sh\nexit 0\n").unwrap();
    let agent = Agent::start("--ebpf on --interval 200ms");
    let arguments = format!("storm 250 1000 -- /bin/sh {}", script.display());
    let user = NOBODY.to_string();
    let labels = [("process", "nameless.sh"), ("user", user.as_str())];
    let ended = |scrape: &Scrape| scrape.sum("hostlens_process_exited_total", &labels);
    some_attempt("scripts by their names", UNSEEN, || {
        let before = ended(&agent.scrape());
        let mut storm = Start::new(&boss, &arguments).user(NOBODY).spawn();
        let children = storm.reply()["children"].as_f64().unwrap();
        storm.wait();
        let ended = agent.settled(|scrape| ended(scrape)) - before;
        println!("{ended} of {children} under the script's name");
        (0.99 * children..=children)
            .contains(&ended)
            .then_some(())
            .ok_or_else(|| format!("{ended} of {children}"))
    });
    unimpressed(&agent);
}

/// CPU seconds of all processes of the host, from `/proc/stat`.
fn host_cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap();
    let line = text.lines().next().unwrap();
    let ticks: Vec<f64> = line
        .split_whitespace()
        .skip(1)
        .map(|number| number.parse().unwrap())
        .collect();
    // user, nice, system; idle, iowait and interrupts are nobody's.
    (ticks[0] + ticks[1] + ticks[2]) / 100.0
}

/// CPU seconds of the bombs: under their own name, and under `other`, which others share.
fn bombs(scrape: &Scrape) -> [f64; 2] {
    ["ringbomb", "other"].map(|process| {
        let labels = [("process", process)];
        scrape.sum("hostlens_process_cpu_seconds_total", &labels)
    })
}

/// More ends than the ring buffer holds: what is lost is counted, and the totals still balance.
#[test]
fn overflow_loses_detail_but_no_time() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let bomb = names.workload("ringbomb");
    let agent = Agent::start("--ebpf on --ring-bytes 4096");
    let arguments = format!("bomb 12000 {}", rounds(1) / 5);
    some_attempt("a bomb", UNSEEN, || {
        let before = agent.scrape();
        let host_before = host_cpu_seconds();
        let truth = Start::new(&bomb, &arguments).spawn().wait().cpu_seconds;
        let [named, other] = bombs(&before);
        let since = |scrape: &Scrape| [bombs(scrape)[0] - named, bombs(scrape)[1] - other];
        let sum = |scrape: &Scrape| since(scrape).iter().sum::<f64>();
        // The counters of others may never rest.
        for _ in 0..10 {
            agent.await_cycles(3);
            if sum(&agent.scrape()) >= 0.99 * truth {
                break;
            }
        }
        agent.await_cycles(3);
        let scrape = agent.scrape();
        let others = (host_cpu_seconds() - host_before - truth).max(0.0);
        let event = [("event", "process_final")];
        let lost = |scrape: &Scrape| scrape.sum("hostlens_agent_events_lost_total", &event);
        let lost = lost(&scrape) - lost(&before);
        let ([named, _], sum) = (since(&scrape), sum(&scrape));
        let words = format!(
            "{lost} lost; {named:.3} s under its name, sum {sum:.3} s, rusage {truth:.3} s, rest \
             of the host {others:.3} s"
        );
        println!("{words}");
        assert!(lost > 100.0, "the ring was large enough to prove nothing");
        let right = (0.99 * truth..=1.02 * truth + others).contains(&sum) && named <= 1.02 * truth;
        right.then_some(()).ok_or(words)
    });
}

#[test]
fn without_privileges() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let output = run(
        &["agent", "--listen", "127.0.0.1:0", "--ebpf", "on"],
        Some(NOBODY),
    );
    let said = String::from_utf8_lossy(&output.stderr);
    println!("{said}");
    assert!(!output.status.success(), "ran without privileges");
    let error = said.lines().last().unwrap_or_default();
    assert!(error.starts_with("error: "), "{said}");
    assert!(
        error.contains("root") || error.contains("CAP_BPF"),
        "no cure: {error}"
    );

    let agent = Agent::start_as(NOBODY, "--ebpf auto");
    let scrape = agent.scrape();
    for signal in ["tcp_live", "tcp_ended", "process_live", "process_ended"] {
        let labels = [("signal", signal)];
        let sources = scrape.series("hostlens_agent_source_info", &labels);
        assert_eq!(sources.len(), 1, "{signal}: {sources:?}");
        println!("{:?}", sources[0].labels);
        assert!(
            !sources[0].label("reason").is_empty(),
            "{signal} without reason"
        );
    }
    let status = agent.status().to_string();
    assert!(
        status.contains("sock_diag") && status.contains("procfs"),
        "{status}"
    );
    assert!(
        scrape.sum("hostlens_process_processes", &[]) > 1.0,
        "no processes"
    );
}
