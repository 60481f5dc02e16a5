//! The ground truths that the other tests lean on, shown to hold without the agent.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::time::Duration;

use hostlens_tests::{
    bpf,
    deadline::poll_until,
    delay_link::{Delay, DelayLink, FAR, NEAR},
    host::{AGENT, LINK, Need, Turn, offers, scratch_dir},
    process_truth,
    prometheus::Prometheus,
    swap::Swap,
    tcp_truth,
    tmux::Terminal,
    traffic::{Server, Totals, client},
    workload::{Names, Start, rounds},
};

/// 20 ms each way show as 40 ms in the kernel's own measurement, over IPv4 and IPv6.
#[test]
fn delay_link_delays() {
    if !offers(&[LINK]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let program = names.workload("delayping");
    let link = DelayLink::new(&Delay::of(Duration::from_millis(20)));
    for (near, far) in NEAR.into_iter().zip(FAR) {
        let server = Server::start(&program, far, Some(&link.far));
        let target = std::net::SocketAddr::new(far.parse().unwrap(), server.port);
        let mut pings = client(
            &program,
            &format!("ping {target} 4 --source {near}"),
            Some(&link.near),
        );
        pings.reply();
        let filter = format!("dport = {}", server.port);
        let rtts = poll_until("settled round-trip times", Duration::from_secs(15), || {
            let rtts = tcp_truth::rtts(&tcp_truth::established(&link.near, &filter));
            let settled = rtts.len() == 4 && rtts.iter().all(|rtt| (rtt - 0.040).abs() < 0.002);
            settled.then_some(rtts.clone()).ok_or(format!("{rtts:?}"))
        });
        println!("{near} to {far}: {rtts:?}");
        pings.finish();
    }
}

/// Two delays on one link, by port.
#[test]
fn delay_link_tells_ports_apart() {
    if !offers(&[LINK]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let program = names.workload("delayping");
    let link = DelayLink::new(&Delay {
        usual: Duration::from_millis(5),
        special: Some((21_000..=21_999, Duration::from_millis(40))),
    });
    let server = Server::start(&program, FAR[0], Some(&link.far));
    let target = format!("{}:{}", FAR[0], server.port);
    let fast = client(
        &program,
        &format!("ping {target} 8 --first-port 20000"),
        Some(&link.near),
    );
    let slow = client(
        &program,
        &format!("ping {target} 2 --first-port 21000"),
        Some(&link.near),
    );
    let filter = format!("dport = {}", server.port);
    let (low, high) = poll_until("both delays", Duration::from_secs(15), || {
        let rtts = tcp_truth::rtts(&tcp_truth::established(&link.near, &filter));
        if rtts.len() < 10 {
            return Err(format!("{rtts:?}"));
        }
        let (low, high) = (
            tcp_truth::quantile(&rtts, 0.5),
            tcp_truth::quantile(&rtts, 0.95),
        );
        let right = (low - 0.010).abs() < 0.001 && (high - 0.080).abs() < 0.004;
        right.then_some((low, high)).ok_or(format!("{rtts:?}"))
    });
    println!("p50 {low} p95 {high}");
    fast.finish();
    slow.finish();
}

/// The workloads do what they say, by the kernel's own books.
#[test]
fn workloads_do_what_they_say() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let program = names.workload("anyworkload");
    let rounds = rounds(100);
    // Threads burn 1/4, 2/4, 3/4 and all of the rounds, the first thread 1/4.
    for flag in ["", " --leader-first"] {
        let usage = Start::new(&program, &format!("threads 4 {rounds}{flag}"))
            .spawn()
            .wait();
        println!("threads{flag}: {usage:?}");
        assert_eq!(usage.status, 0);
        assert!(
            (0.2..0.6).contains(&usage.cpu_seconds),
            "{usage:?} for 0.275 s"
        );
    }
    let mut storm = Start::new(&program, &format!("storm 100 20 --fork {}", rounds / 5))
        .user(61_230)
        .spawn();
    let report = storm.reply();
    let cpu = report["cpu_seconds"].as_f64().unwrap();
    println!("storm: {report}");
    assert!((0.3..0.8).contains(&cpu), "{report} for 0.4 s");
    assert!(storm.wait().cpu_seconds >= cpu);

    let server = Server::start(&program, "0.0.0.0", None);
    let mut fan = client(&program, &format!("fan {} 300", server.port), None);
    fan.reply();
    fan.say("round");
    let totals = Totals::of(&fan.reply());
    assert_eq!(
        totals.sent,
        (0..300).map(|number| 2_000 + number).sum::<u64>()
    );
    assert_eq!(
        totals.received,
        (0..300).map(|number| 4_000 + 2 * number).sum::<u64>()
    );
    fan.finish();
    let mut short = client(
        &program,
        &format!("short 127.0.0.1:{} 60", server.port),
        None,
    );
    let totals = Totals::of(&short.reply());
    assert_eq!(totals.connections, 60);
    short.finish();
}

/// Disk, descriptors and swap as procfs shows them.
#[test]
fn held_things_are_in_procfs() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let program = names.workload("holdsthings");
    let scratch = scratch_dir();
    let mut disk = Start::new(&program, "disk")
        .arg(scratch.path().join("file"))
        .arg("8")
        .spawn();
    disk.reply();
    let numbers = process_truth::numbers(disk.pid(), "io");
    println!("{numbers:?}");
    assert!(numbers["read_bytes"] >= 16 << 20 && numbers["write_bytes"] >= 16 << 20);
    disk.finish();

    let _swap = Swap::new(64);
    let mut mapping = Start::new(&program, "map 32 --page-out").spawn();
    mapping.reply();
    let numbers = process_truth::numbers(mapping.pid(), "status");
    println!(
        "VmSwap {} RssAnon {}",
        numbers["VmSwap"], numbers["RssAnon"]
    );
    assert!(numbers["VmSwap"] >= 24 << 20);
    mapping.finish();
}

/// Prometheus scrapes (here itself) and answers; the terminal shows what is typed.
#[test]
fn tools_answer() {
    if !offers(&[&[Need::Tool("prometheus"), Need::Tool("tmux")]]) {
        return;
    }
    let _turn = Turn::take();
    let inner = Prometheus::start(([127, 0, 0, 1], 1).into(), 1);
    let outer = Prometheus::start(inner.address(), 1);
    let first = poll_until("a scrape", Duration::from_secs(20), || outer.last_scrape());
    poll_until("another scrape", Duration::from_secs(20), || {
        let now = outer.last_scrape()?;
        (now > first).then_some(()).ok_or(format!("{now}"))
    });
    assert!(inner.last_scrape().is_err(), "nobody listens there");
    let points = outer.query("up{job=\"hostlens\"}[1m]", None).unwrap();
    assert!(points[0].points.len() >= 2, "{points:?}");

    let terminal = Terminal::new(100, 30);
    terminal.type_text("echo $((40 + 2)) $(tput cols)x$(tput lines)");
    terminal.press(&["Enter"]);
    terminal.await_screen("an answer", |screen| screen.contains("42 100x30"));
    assert!(!terminal.in_alternate_screen());
    terminal.resize(80, 24);
    terminal.type_text("tput cols; tput smcup; sleep 1; tput rmcup; echo over");
    terminal.press(&["Enter"]);
    poll_until("the alternate screen", Duration::from_secs(5), || {
        terminal
            .in_alternate_screen()
            .then_some(())
            .ok_or(terminal.screen())
    });
    terminal.await_screen("the end", |screen| {
        screen.lines().any(|line| line == "over")
    });
    assert!(!terminal.in_alternate_screen());
}

/// Kernel objects are listed.
#[test]
fn kernel_objects_are_listed() {
    if !offers(&[AGENT]) {
        return;
    }
    let objects = bpf::loaded();
    println!("{} objects", objects.len());
    assert!(bpf::held_by(std::process::id()).is_subset(&objects));
}
