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
    deadline::{PATIENCE, poll_until},
    delay_link::{Delay, DelayLink, FAR, NEAR, Way},
    host::{AGENT, LINK, Need, Turn, offers, scratch_dir},
    process_truth,
    prometheus::Prometheus,
    swap::Swap,
    tcp_truth,
    tmux::Terminal,
    traffic::{Server, Totals, client},
    workload::{Names, Start, rounds},
};

/// For how long packets of this port were held there and back: the quantile `q`, seconds.
fn held(link: &DelayLink, port: u16, q: f64) -> f64 {
    let ways = [Way::Out, Way::Back].map(|way| link.held(way, port));
    ways.iter().map(|held| tcp_truth::quantile(held, q)).sum()
}

/// 20 ms each way show as 40 ms in the kernel's own measurement, over IPv4 and IPv6: never less,
/// and not much more than the link says it took.
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
        let (rtts, lowest) = poll_until("settled round-trip times", PATIENCE, || {
            let connections = tcp_truth::established(&link.near, &filter);
            let rtts = tcp_truth::rtts(&connections);
            let lowest = connections.iter().filter_map(|one| one.min_rtt);
            let lowest = lowest.fold(f64::INFINITY, f64::min);
            let (least, usual) = (held(&link, server.port, 0.0), held(&link, server.port, 0.5));
            let words = format!("{rtts:?}, lowest {lowest}, held {least}, usually {usual}");
            // The kernel's clock for round trips has other ticks than ours.
            let possible = 0.99 * least;
            assert!(least >= 0.040 && lowest >= possible, "{words}");
            assert!(rtts.iter().all(|&rtt| rtt >= possible), "{words}");
            let settled = rtts.len() == 4
                && lowest <= 1.1 * usual
                && rtts.iter().all(|&rtt| rtt <= 1.5 * usual);
            settled.then_some((rtts, lowest)).ok_or(words)
        });
        println!("{near} to {far}: {rtts:?}, lowest {lowest}");
        println!(
            "held {:?}",
            [0.0, 0.5, 0.95, 1.0].map(|q| held(&link, server.port, q))
        );
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
    let rtts = poll_until("both delays", PATIENCE, || {
        let rtts = tcp_truth::rtts(&tcp_truth::established(&link.near, &filter));
        let [first, .., eighth, ninth, _] = rtts[..] else {
            return Err(format!("{rtts:?}"));
        };
        let right = rtts.len() == 10 && first >= 0.010 && ninth >= 0.080;
        (right && eighth < 0.040)
            .then_some(rtts.clone())
            .ok_or(format!("{rtts:?}"))
    });
    println!("{rtts:?}");
    for (port, least) in [(20_003, 0.010), (21_001, 0.080)] {
        let held = [0.0, 0.5].map(|q| held(&link, port, q));
        println!("port {port} held {held:?}");
        let range = least..least + 0.040;
        assert!(held.iter().all(|held| range.contains(held)), "{held:?}");
    }
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
    // Threads burn 1/4, 2/4, 3/4 and all of the rounds, the first thread 1/4. How long a round
    // takes depends on what else the cores do.
    for flag in ["", " --leader-first"] {
        let usage = Start::new(&program, &format!("threads 4 {rounds}{flag}"))
            .spawn()
            .wait();
        println!("threads{flag}: {usage:?}");
        assert_eq!(usage.status, 0);
        assert!(
            (0.1..1.1).contains(&usage.cpu_seconds),
            "{usage:?} for 0.275 s"
        );
    }
    let mut storm = Start::new(&program, &format!("storm 100 20 --fork {}", rounds / 5))
        .user(61_230)
        .spawn();
    let report = storm.reply();
    let cpu = report["cpu_seconds"].as_f64().unwrap();
    println!("storm: {report}");
    assert!((0.15..1.6).contains(&cpu), "{report} for 0.4 s");
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
    let first = poll_until("a scrape", PATIENCE, || outer.last_scrape());
    poll_until("another scrape", PATIENCE, || {
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
    terminal.type_text("tput cols; tput smcup; read go; tput rmcup; echo over");
    terminal.press(&["Enter"]);
    poll_until("the alternate screen", PATIENCE, || {
        terminal
            .in_alternate_screen()
            .then_some(())
            .ok_or(terminal.screen())
    });
    terminal.press(&["Enter"]);
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
