//! Upstreams used unevenly, local ports used up, and clients that reconnect in a storm.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{
    fmt::Write,
    fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hostlens_tests::{
    agent::Agent,
    deadline::poll_until,
    host::{AGENT, Need, Turn, command, offers},
    netns::Netns,
    prometheus::Prometheus,
    puppet::Puppet,
    scrape::Scrape,
    top::{self, Top},
    traffic::{Server, client},
    workload::Names,
};
use serde_json::{Value, json};

/// What every test here needs.
const NEEDS: &[Need] = &[Need::Root, Need::Tool("ip"), Need::Tool("ss")];
/// Longest wait for the agent to come to see something.
const PATIENCE: Duration = Duration::from_secs(90);
const USER: u32 = 54_021;

fn near(what: &str, value: f64, truth: f64) -> Result<(), String> {
    ((value / truth - 1.0).abs() <= 0.02)
        .then_some(())
        .ok_or_else(|| format!("{what}: {value} for {truth}"))
}

/// Four peers on one port, loaded 4:1:1:1; most connections go to another one than most bytes.
#[test]
fn a_pool_used_unevenly() {
    const RATIO: f64 = 4.0 / (7.0 / 4.0);
    // Address, connections, bytes of each.
    const PEERS: [(&str, u64, u64); 4] = [
        ("127.0.0.2", 40, 25_000),
        ("127.0.0.3", 10, 100_000),
        ("127.0.0.4", 10, 100_000),
        ("127.0.0.5", 10, 400_000),
    ];
    if !offers(&[AGENT, NEEDS]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let namespace = Netns::new();
    let agent = Agent::start("--ebpf on");
    let top = Top::start();
    let mut server = Puppet::start(&names, "poolserver", &namespace, 0);
    let mut client = Puppet::start(&names, "poolclient", &namespace, USER);
    let port = server.listen("0.0.0.0:0");
    let mut loads = [(0, 0); PEERS.len()];
    for (load, (peer, connections, bytes)) in loads.iter_mut().zip(PEERS) {
        for _ in 0..connections {
            client.connect(peer, port, 1);
            server.tell("accept");
            client.tell(&format!("write {bytes}"));
            *load = (
                load.0 + 1,
                load.1 + server.ask(&format!("read {bytes}"), "read"),
            );
            // Some live on, some have ended.
            if load.0 % 2 == 0 {
                client.tell("close 1");
            }
        }
    }
    // 40 : 10 : 10 : 10 connections, 1 : 1 : 1 : 4 bytes.
    let heaviest = |of: fn(&(u64, u64)) -> u64| {
        let total: u64 = loads.iter().map(of).sum();
        let most = loads.iter().map(of).max().unwrap();
        most as f64 * PEERS.len() as f64 / total as f64
    };
    near("the load itself", heaviest(|load| load.0), RATIO).unwrap();
    near("the load itself", heaviest(|load| load.1), RATIO).unwrap();

    let (user, port_label) = (USER.to_string(), port.to_string());
    let check = |scrape: &Scrape| {
        let labels = [
            ("process", "poolclient"),
            ("user", &user),
            ("remote_port", &port_label),
        ];
        if scrape.value("hostlens_tcp_upstream_peers", &labels)? != 4.0 {
            return Err("not four peers".to_owned());
        }
        ["connections", "bytes"].into_iter().try_for_each(|by| {
            let labels = [&labels[..], &[("by", by)]].concat();
            let ratio = scrape.value("hostlens_tcp_upstream_imbalance_ratio", &labels)?;
            println!("by {by}: {ratio}");
            near(by, ratio, RATIO)
        })
    };
    agent.await_scrape("the ratios", PATIENCE, check);
    top.await_cycle("the outliers", PATIENCE, |cycle| {
        let fields = [
            ("process", json!("poolclient")),
            ("user", json!(user)),
            ("remote_port", json!(port)),
        ];
        let row = top::row(cycle, "upstreams", &fields)?;
        for (by, peer) in [("by_connections", PEERS[0].0), ("by_bytes", PEERS[3].0)] {
            let ratio = row[by]["ratio"].as_f64().ok_or("no ratio")?;
            near(by, ratio, RATIO)?;
            if row[by]["peer"] != json!(peer) {
                return Err(format!("not {peer}: {row}"));
            }
        }
        println!("{row}");
        Ok(())
    });
}

/// Local ports that connections to one address and port take, by `ss`.
fn ports_taken(namespace: &Netns, port: u16) -> u64 {
    let mut ss = command("ss");
    ss.args(["-tanOH", &format!("dport = :{port}")]);
    namespace.enter(&mut ss);
    let output = ss.output().expect("run ss");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let local = text.lines().map(|line| line.split_whitespace().nth(3));
    local.collect::<std::collections::BTreeSet<_>>().len() as u64
}

/// Sixty-four local ports, taken one by one, by connections and by those in TIME_WAIT.
#[test]
fn local_ports_used_up() {
    const PORTS: u64 = 64;
    if !offers(&[AGENT, NEEDS]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let namespace = Netns::new();
    namespace.run(|| {
        for (name, value) in [
            ("tcp_tw_reuse", "0"),
            ("ip_local_port_range", "40000 40063"),
        ] {
            fs::write(format!("/proc/sys/net/ipv4/{name}"), value).expect(name);
        }
    });
    let agent = Agent::start("--ebpf on");
    let top = Top::start();
    let mut server = Puppet::start(&names, "portserver", &namespace, 0);
    let mut client = Puppet::start(&names, "portclient", &namespace, USER);
    // None of those ports.
    let port = server.listen("127.0.0.1:5000");
    let port_label = port.to_string();
    let labels = [
        ("local_ip", "127.0.0.1"),
        ("remote_ip", "127.0.0.1"),
        ("remote_port", port_label.as_str()),
    ];
    let agree = |what: &str| {
        let (used, truth) = agent.await_scrape(what, PATIENCE, |scrape| {
            let used = scrape.value("hostlens_tcp_ephemeral_ports_used", &labels)?;
            let ratio = scrape.value("hostlens_tcp_ephemeral_ports_used_ratio", &labels)?;
            let truth = ports_taken(&namespace, port);
            (used == truth as f64 && (ratio * PORTS as f64 - used).abs() < 1e-6)
                .then_some((used, truth))
                .ok_or_else(|| format!("{used} ports, ratio {ratio}; ss: {truth}"))
        });
        println!("{what}: {used} of {PORTS} ports, ss {truth}");
        truth
    };
    client.connect("127.0.0.1", port, 20);
    assert_eq!(agree("connections alone"), 20);
    for _ in 0..20 {
        server.tell("accept");
    }
    // The client first: TIME_WAIT is here. The other eight stay, closed by the peer.
    client.tell("close 12");
    server.tell("close 20");
    let taken = agree("twelve of them in TIME_WAIT");
    assert!(taken > 8, "TIME_WAIT went by");
    // How many find room depends on how many have left TIME_WAIT.
    let mut opened = 0;
    let answer = poll_until("the last port", PATIENCE, || {
        let answer = client.tell(&format!("connect 127.0.0.1:{port} 1"));
        opened += answer["opened"].as_u64().unwrap_or(0);
        match answer["errno"] == json!(0) {
            true => Err(format!("{opened} more")),
            false => Ok(answer),
        }
    });
    assert_eq!(answer["errno"], json!(libc::EADDRNOTAVAIL));
    agree("none left");
    agent.await_scrape("the failure", PATIENCE, |scrape| {
        let user = USER.to_string();
        let name = "hostlens_tcp_connect_failures_total";
        let all = scrape.sum(name, &[("process", "portclient")]);
        let labels = [
            ("process", "portclient"),
            ("user", &user),
            ("remote_ip", "127.0.0.1"),
            ("remote_port", &port_label),
            ("error_type", "address_not_available"),
        ];
        let right = scrape.value(name, &labels)?;
        (right == 1.0 && all == 1.0)
            .then_some(())
            .ok_or_else(|| format!("{right} of {all}"))
    });
    top.await_cycle("the row of ports", PATIENCE, |cycle| {
        let fields = [
            ("remote_port", json!(port)),
            ("network_namespace", json!(namespace.inode())),
        ];
        let row = top::row(cycle, "ports", &fields)?;
        (row["available"] == json!(PORTS))
            .then_some(())
            .ok_or_else(|| format!("{row}"))
    });
}

/// A client that reconnects forty times a second.
const STORM: &str = "--live 10 --parallel 4 --rate 40";

#[test]
fn a_reconnect_storm_is_marked() {
    if !offers(&[AGENT, NEEDS]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let namespace = Netns::new();
    let top = Top::start();
    let server = Server::start(
        &names.workload("stormserver"),
        "127.0.0.1",
        Some(&namespace),
    );
    let start =
        |name: &str, arguments: String| client(&names.workload(name), &arguments, Some(&namespace));
    let target = format!("127.0.0.1:{}", server.port);
    let calm = start("stormcalm", format!("ping {target} 30"));
    let storm = start("stormclient", format!("short {target} 100000 {STORM}"));
    let marked = |cycle: &Value, process: &str| {
        let fields = [("process", json!(process)), ("port", json!(server.port))];
        let row = top::row(cycle, "services", &fields)?;
        row["storm"].as_bool().ok_or_else(|| format!("{row}"))
    };
    let expect = |what: &str, storm: bool| {
        top.await_cycle(what, PATIENCE, |cycle| {
            let marks = [
                marked(cycle, "stormclient")?,
                marked(cycle, "stormserver")?,
                marked(cycle, "stormcalm")?,
            ];
            (marks == [storm, storm, false])
                .then_some(())
                .ok_or_else(|| format!("{marks:?}"))
        });
    };
    expect("a storm", true);
    storm.kill();
    expect("calm again", false);
    calm.finish();
}

/// The expression of the documentation finds the client that was calm the hour before, and
/// neither one that always does so nor one that keeps its connections.
#[test]
fn a_reconnect_storm_in_promql() {
    const CONNECTIONS: u32 = 600;
    const TOOLS: &[Need] = &[Need::Tool("prometheus"), Need::Tool("promtool")];
    if !offers(&[AGENT, NEEDS, TOOLS]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let namespace = Netns::new();
    let agent = Agent::start("--ebpf on");
    let server = Server::start(
        &names.workload("stormserver"),
        "127.0.0.1",
        Some(&namespace),
    );
    let clients = ["stormfresh", "stormalways", "stormcalm"];
    let mut past = "# TYPE hostlens_tcp_connections_opened counter\n".to_owned();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    for (process, per_minute) in clients.into_iter().zip([6, 2_400, 0]) {
        // The last minutes are left to the server that scrapes.
        for minute in 0..62 {
            let (value, at) = (minute * per_minute, now - 60 * (66 - minute));
            writeln!(
                past,
                "hostlens_tcp_connections_opened_total{{instance=\"{}\",job=\"hostlens\",\
                 direction=\"outbound\",process=\"{process}\",user=\"root\",\
                 remote_port=\"{}\"}} {value} {at}",
                agent.address, server.port
            )
            .unwrap();
        }
    }
    let prometheus = Prometheus::start_with_past(agent.address, 1, &past);
    let target = format!("127.0.0.1:{}", server.port);
    let _running: Vec<_> = clients
        .into_iter()
        .map(|name| {
            let arguments = match name {
                "stormcalm" => format!("ping {target} 30"),
                _ => format!("short {target} {CONNECTIONS} {STORM}"),
            };
            client(&names.workload(name), &arguments, Some(&namespace))
        })
        .collect();
    let found = |expression: &str| -> Result<Vec<String>, String> {
        let series = prometheus.query(expression, None)?.into_iter();
        let ours = series.filter(|one| one.labels["remote_port"] == json!(server.port.to_string()));
        let mut names: Vec<String> = ours
            .filter_map(|one| Some(one.labels["process"].as_str()?.to_owned()))
            .collect();
        names.sort();
        Ok(names)
    };
    let storm = documented("## A reconnect storm");
    // Its first line alone: who opens many.
    let many = storm.lines().next().unwrap();
    poll_until("all opens", PATIENCE, || {
        let names = found(many)?;
        (names == ["stormalways", "stormfresh"])
            .then_some(())
            .ok_or_else(|| format!("{names:?}"))
    });
    poll_until("the storm", PATIENCE, || {
        let names = found(&storm)?;
        println!("{names:?}");
        (names == ["stormfresh"])
            .then_some(())
            .ok_or_else(|| format!("{names:?}"))
    });
}

/// The first PromQL expression below a heading of the documentation.
fn documented(heading: &str) -> String {
    let text = include_str!("../../docs/queries.md");
    let (_, rest) = text.split_once(heading).expect("the heading");
    let (_, rest) = rest.split_once("```promql\n").expect("an expression");
    rest.split_once("```").expect("its end").0.trim().to_owned()
}
