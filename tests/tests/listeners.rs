//! Servers that do not come to accept, and those that are gone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{
    io::ErrorKind,
    net::{TcpListener, TcpStream},
    time::Duration,
};

use hostlens_tests::{
    agent::Agent,
    deadline::poll_until,
    host::{AGENT, Need, Turn, offers},
    listen_truth::{SsListener, listen_drops, listener},
    netns::Netns,
    scrape::Scrape,
    workload::{Names, Start, Workload, rounds},
};
use serde_json::Value;

/// What every test here needs.
const NEEDS: &[Need] = &[Need::Root, Need::Tool("ip"), Need::Tool("ss")];
/// Longest wait for the agent to come to see something.
const PATIENCE: Duration = Duration::from_secs(90);

/// A server in a network namespace of its own, so that nobody else's connections count there.
struct Server {
    name: &'static str,
    namespace: Netns,
    port: u16,
    process: Workload,
}

impl Server {
    fn start(names: &Names, name: &'static str, arguments: &str) -> Self {
        Self::within(Netns::new(), names, name, arguments)
    }

    fn within(namespace: Netns, names: &Names, name: &'static str, arguments: &str) -> Self {
        let arguments = format!("door 127.0.0.1 {arguments}");
        let start = Start::new(&names.workload(name), &arguments);
        let mut process = start.within(&namespace).spawn();
        let port = process.reply()["port"].as_u64().expect("port") as u16;
        Self {
            name,
            namespace,
            port,
            process,
        }
    }

    /// A client workload (`crowd`, `bursts`, `push`) against it.
    fn clients(&self, names: &Names, work: &str, arguments: &str) -> Workload {
        let arguments = format!("{work} 127.0.0.1:{} {arguments}", self.port);
        let start = Start::new(&names.workload("doorclient"), &arguments);
        let mut clients = start.within(&self.namespace).spawn();
        if work != "push" {
            clients.reply();
        }
        clients
    }

    /// One value of its row.
    fn value(&self, scrape: &Scrape, family: &str) -> Result<f64, String> {
        let port = self.port.to_string();
        let labels = [
            ("listen_ip", "127.0.0.1"),
            ("listen_port", port.as_str()),
            ("process", self.name),
            ("user", "root"),
        ];
        scrape.value(&format!("hostlens_tcp_{family}"), &labels)
    }

    /// The reason it is saturated for; empty if it is not.
    fn verdict(&self, scrape: &Scrape) -> Result<String, String> {
        let port = self.port.to_string();
        let labels = [("listen_port", port.as_str()), ("process", self.name)];
        let series = scrape.series("hostlens_tcp_listener_saturated", &labels);
        if series.len() != 3 {
            return Err(format!("not judged: {series:?}"));
        }
        let reasons = series.iter().filter(|sample| sample.value == 1.0);
        let reasons: Vec<&str> = reasons.map(|sample| sample.label("reason")).collect();
        match reasons[..] {
            [] => Ok(String::new()),
            [one] => Ok(one.to_owned()),
            _ => Err(format!("several reasons: {reasons:?}")),
        }
    }

    fn await_verdict(&self, agent: &Agent, reason: &str) {
        agent.await_scrape(self.name, PATIENCE, |scrape| {
            let verdict = self.verdict(scrape)?;
            (verdict == reason).then_some(()).ok_or_else(|| {
                let ss = listener(&self.namespace, self.port);
                format!("verdict {verdict:?} instead of {reason:?}; {ss:?}")
            })
        });
    }

    /// Queue, limit and drops as the agent has them.
    fn seen(&self, scrape: &Scrape) -> Result<SsListener, String> {
        Ok(SsListener {
            queue: self.value(scrape, "listen_queue_length")? as u64,
            limit: self.value(scrape, "listen_queue_limit")? as u64,
            drops: self.value(scrape, "listen_drops_total")? as u64,
        })
    }

    /// Waits until agent and `ss` say the same.
    fn await_agreement(&self, agent: &Agent) -> SsListener {
        poll_until(self.name, PATIENCE, || {
            let seen = self.seen(&agent.scrape())?;
            let truth = listener(&self.namespace, self.port);
            (seen == truth)
                .then_some(truth)
                .ok_or_else(|| format!("{seen:?}, ss: {truth:?}"))
        })
    }
}

/// What a crowd saw: answers, and the typical time of the last ones from handshake to answer.
fn ask(crowd: &mut Workload) -> (u64, Option<f64>) {
    crowd.say("");
    let reply = crowd.reply();
    let last = reply["last"].as_array().expect("times");
    let mut last: Vec<f64> = last.iter().filter_map(Value::as_f64).collect();
    last.sort_by(f64::total_cmp);
    let count = reply["count"].as_u64().expect("answers");
    (count, last.get(last.len() / 2).copied())
}

/// Workers that hold each request for 200 ms: too few for the crowd but for one server.
#[test]
fn too_few_workers() {
    if !offers(&[AGENT, NEEDS]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let agent = Agent::start("--ebpf on");
    let mut servers: Vec<(Server, Workload, usize)> = [("door1", 1), ("door2", 2), ("door4", 4)]
        .into_iter()
        .map(|(name, workers)| {
            let arguments = format!("128 --workers {workers} --hold 200");
            let server = Server::start(&names, name, &arguments);
            let crowd = server.clients(&names, "crowd", "190");
            (server, crowd, workers)
        })
        .collect();
    let enough = Server::start(&names, "doorenough", "128 --workers 8 --hold 200");
    let few = enough.clients(&names, "crowd", "6");

    for (server, crowd, workers) in &mut servers {
        server.await_verdict(&agent, "workers_busy");
        let scrape = agent.scrape();
        assert!(server.value(&scrape, "listen_queue_high_water") >= Ok(128.0));
        assert_eq!(server.value(&scrape, "listener_sockets"), Ok(1.0));
        // The parent holds the socket as well.
        let holders = *workers as f64 + 1.0;
        assert_eq!(server.value(&scrape, "listener_processes"), Ok(holders));
        oldest_wait_is_the_clients(server, crowd, &agent);
        accepted_is_what_clients_were_answered(server, crowd, *workers, &agent);
    }
    enough.await_verdict(&agent, "");
    assert_eq!(listen_drops(&enough.namespace), 0);
    few.finish();

    // Without clients nothing is dropped any more: the counters can be compared exactly.
    for (server, crowd, _) in servers {
        crowd.kill();
        let ss = poll_until(server.name, PATIENCE, || {
            let seen = server.seen(&agent.scrape())?;
            let truth = listener(&server.namespace, server.port);
            (seen.drops == truth.drops && seen.limit == truth.limit)
                .then_some(truth)
                .ok_or_else(|| format!("{seen:?}, ss: {truth:?}"))
        });
        let counted = listen_drops(&server.namespace);
        println!("{}: {ss:?}, ListenDrops {counted}", server.name);
        assert_eq!(ss.limit, 128);
        assert!(counted > 0, "the crowd did not overrun the queue");
        // Begun while there was room and completed when there was none, a connection counts once
        // in ListenDrops and twice in the socket.
        let expected = counted..=2 * counted;
        assert!(
            expected.contains(&ss.drops),
            "{ss:?}, ListenDrops {counted}"
        );
        server.await_agreement(&agent);
        server.await_verdict(&agent, "");
    }
}

/// Whoever is answered now stood at the head of the queue a moment ago, for as long as it waited
/// less the 200 ms it was held.
fn oldest_wait_is_the_clients(server: &Server, crowd: &mut Workload, agent: &Agent) {
    let (wait, truth) = poll_until("oldest wait", PATIENCE, || {
        let nobody = || "nobody was answered".to_owned();
        let before = ask(crowd).1.ok_or_else(nobody)? - 0.2;
        let wait = server.value(&agent.scrape(), "accept_oldest_wait_seconds")?;
        let after = ask(crowd).1.ok_or_else(nobody)? - 0.2;
        let (least, most) = (before.min(after), before.max(after));
        // What the agent shows is up to a cycle old, what clients tell some answers.
        let near = (least - 1.0..=most + 1.0).contains(&wait);
        (near && wait > 3.0)
            .then_some((wait, after))
            .ok_or_else(|| format!("{wait} s, clients: {least} to {most} s"))
    });
    println!("{}: oldest wait {wait} s, clients {truth} s", server.name);
}

fn accepted_is_what_clients_were_answered(
    server: &Server,
    crowd: &mut Workload,
    workers: usize,
    agent: &Agent,
) {
    poll_until("accepted", PATIENCE, || {
        let (least, _) = ask(crowd);
        agent.await_cycles(1);
        let accepted = server.value(&agent.scrape(), "accepted_total")? as u64;
        let most = ask(crowd).0 + workers as u64;
        (least..=most)
            .contains(&accepted)
            .then_some(())
            .ok_or_else(|| format!("{accepted}: {least} to {most}"))
    });
}

/// Workers that compute, on a CPU that others want as well.
#[test]
fn workers_without_a_cpu() {
    if !offers(&[AGENT, NEEDS]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let agent = Agent::start("--ebpf on");
    let hogs: Vec<Workload> = (0..4)
        .map(|_| Start::new(&names.workload("doorhog"), "spin 0").spawn())
        .collect();
    let burn = rounds(20);
    let arguments = format!("128 --workers 2 --burn {burn} --cpu 0");
    let server = Server::start(&names, "doorstarved", &arguments);
    let crowd = server.clients(&names, "crowd", "190");
    server.await_verdict(&agent, "cpu_starved");
    crowd.kill();
    for hog in hogs {
        hog.kill();
    }
    server.await_verdict(&agent, "");
}

/// A queue of four that is emptied every 20 ms, and forty clients at once.
#[test]
fn a_backlog_too_small() {
    if !offers(&[AGENT, NEEDS]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let agent = Agent::start("--ebpf on");
    let server = Server::start(&names, "doorshort", "4 --pause 20");
    let bursts = server.clients(&names, "bursts", "40");
    server.await_verdict(&agent, "backlog_too_small");
    let high_water = server.value(&agent.scrape(), "listen_queue_high_water");
    assert!(high_water >= Ok(4.0), "{high_water:?}");
    bursts.kill();
    let truth = server.await_agreement(&agent);
    let counted = listen_drops(&server.namespace);
    println!("{truth:?}, ListenDrops {counted}");
    assert_eq!(truth.limit, 4);
    assert!(counted > 0);
    assert_eq!(truth.drops, counted);
}

/// With `tcp_abort_on_overflow` clients that come too late are reset.
#[test]
fn resets_in_place_of_a_place() {
    if !offers(&[AGENT, NEEDS]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let agent = Agent::start("--ebpf on");
    let namespace = Netns::new();
    namespace.run(|| {
        std::fs::write("/proc/sys/net/ipv4/tcp_abort_on_overflow", "1").expect("set the sysctl");
    });
    // Connections ask for a place only with their first byte, when none is left.
    let server = Server::within(namespace, &names, "doorabort", "16 --workers 0 --defer");
    let mut push = server.clients(&names, "push", "10 17");
    let resets = push.reply()["resets"].as_u64().expect("resets");
    assert_eq!(resets, 10, "the queue holds 17");
    agent.await_scrape("resets", PATIENCE, |scrape| {
        let seen = server.value(scrape, "listen_resets_total")?;
        (seen == resets as f64)
            .then_some(())
            .ok_or_else(|| format!("{seen} of {resets}"))
    });
    let truth = server.await_agreement(&agent);
    assert_eq!((truth.queue, truth.limit), (17, 16));
    push.finish();
}

/// Refusals bear the name of the server that is gone, for a minute and more.
#[test]
fn refusals_name_who_listened() {
    if !offers(&[AGENT, NEEDS]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let agent = Agent::start("--ebpf on");
    let server = Server::start(&names, "doorgone", "128 --workers 1");
    agent.await_scrape("the listener", PATIENCE, |scrape| {
        server.value(scrape, "listen_queue_limit")
    });
    let Server {
        namespace,
        port,
        process,
        ..
    } = server;
    process.kill();
    // Its worker dies a moment later.
    let mut refused = poll_until("a refusal", PATIENCE, || match knock(&namespace, port) {
        true => Ok(1),
        false => Err("somebody still listens".to_owned()),
    });
    refused += (0..9).filter(|_| knock(&namespace, port)).count() as u64;
    let port_label = port.to_string();
    let labels = [
        ("listen_ip", "127.0.0.1"),
        ("listen_port", port_label.as_str()),
        ("last_process", "doorgone"),
        ("last_user", "root"),
    ];
    let count = |scrape: &Scrape, refused: u64| {
        let seen = scrape.value("hostlens_tcp_refused_total", &labels)?;
        (seen == refused as f64)
            .then_some(())
            .ok_or_else(|| format!("{seen} of {refused}"))
    };
    let gone = "hostlens_tcp_refused_listener_gone_seconds";
    agent.await_scrape("refusals", PATIENCE, |scrape| count(scrape, refused));
    agent.await_scrape("a minute", PATIENCE, |scrape| {
        let seconds = scrape.value(gone, &labels)?;
        (seconds >= 60.0)
            .then_some(())
            .ok_or_else(|| format!("{seconds} s"))
    });
    refused += (0..10).filter(|_| knock(&namespace, port)).count() as u64;
    assert_eq!(refused, 20);
    agent.await_scrape("later refusals", PATIENCE, |scrape| count(scrape, refused));

    let back = namespace.run(|| TcpListener::bind(("127.0.0.1", port)).expect("listen again"));
    agent.await_scrape("the way back", PATIENCE, |scrape| {
        count(scrape, refused)?;
        match scrape.value(gone, &labels) {
            Ok(seconds) => Err(format!("gone for {seconds} s")),
            Err(_) => Ok(()),
        }
    });
    drop(back);
}

/// Whether a connection request is refused.
fn knock(namespace: &Netns, port: u16) -> bool {
    namespace.run(|| match TcpStream::connect(("127.0.0.1", port)) {
        Ok(_) => false,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
            true
        }
    })
}
