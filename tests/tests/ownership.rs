//! Whose a connection is: the process that has it now, whoever listened, accepted, or was there
//! before it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use hostlens_tests::{
    agent::Agent,
    deadline::poll_until,
    holder::{Holder, PATIENCE, await_listener},
    host::{AGENT, Need, Turn, offers, tool},
    netns::Netns,
    prefork::PreFork,
    puppet::Puppet,
    top::Top,
    traffic::Totals,
    workload::{Names, Start, Workload},
};

/// What every test here needs.
const NEEDS: &[Need] = &[Need::Root, Need::Tool("ip"), Need::Tool("ss")];
const USER: u32 = 54_031;
const OTHER_USER: u32 = 54_032;

#[test]
fn a_worker_that_accepts_what_its_parent_listens_for() {
    if !offers(&[AGENT, NEEDS]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let agent = Agent::start("--ebpf on");
    let top = Top::start();
    let mut scene = PreFork::start(&names);
    scene.check(&agent, &top);
    scene.client.tell("write 50");
    scene.server.tell("close 1");
    let (worker, opener) = (scene.worker(), scene.opener());
    worker.await_alone(&agent, "connections_opened_total", 1.0);
    worker.await_alone(&agent, "connections_closed_total", 1.0);
    worker.await_alone(&agent, "close_unread_bytes_total", 50.0);
    worker.await_alone(&agent, "connection_lifetime_seconds_count", 1.0);
    opener.await_alone(&agent, "connections_opened_total", 1.0);
    opener.await_alone(&agent, "connections_closed_total", 1.0);

    // A worker that reads nothing is known by its close.
    scene.client.connect("127.0.0.1", scene.port, 1);
    scene.server.tell("accept");
    scene.server.tell("write 10");
    scene.server.tell("close 1");
    worker.await_alone(&agent, "connections_closed_total", 2.0);
    worker.await_alone(&agent, "connection_lifetime_seconds_count", 2.0);
}

/// Agents that start when everything is there already.
#[test]
fn sockets_older_than_the_agent() {
    if !offers(&[AGENT, NEEDS]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let mut scene = PreFork::start(&names);
    let agent = Agent::start("--ebpf on");
    scene.check(&agent, &Top::start());
    scene.client.tell("write 50");
    scene.server.tell("close 1");
    let worker = scene.worker();
    worker.await_alone(&agent, "connections_closed_total", 1.0);
    worker.await_alone(&agent, "close_unread_bytes_total", 50.0);
}

/// A directory in which any user may make sockets.
fn meeting_place(names: &Names) -> PathBuf {
    let dir = names.dir().join("meet");
    fs::create_dir(&dir).expect("mkdir");
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).expect("chmod");
    dir
}

/// Hands the last connection of one to another.
fn hand(from: &mut Puppet, to: &mut Puppet, place: &Path) {
    to.say(&format!("receive {}", place.display()));
    from.tell(&format!("send {}", place.display()));
    to.process.reply();
}

/// Both ends of a connection are handed to other processes of other users, and read there.
#[test]
fn connections_handed_over() {
    if !offers(&[AGENT, NEEDS]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let place = meeting_place(&names);
    let agent = Agent::start("--ebpf on");
    let top = Top::start();
    let namespace = Netns::new();
    // Another namespace: a socket stays in its own.
    let elsewhere = Netns::new();
    let mut acceptor = Puppet::start(&names, "handacceptor", &namespace, 0);
    let mut server = Puppet::start(&names, "handserver", &elsewhere, USER);
    let mut opener = Puppet::start(&names, "handopener", &namespace, USER);
    let mut client = Puppet::start(&names, "handclient", &namespace, OTHER_USER);
    let port = acceptor.listen("127.0.0.1:0");
    opener.connect("127.0.0.1", port, 1);
    acceptor.tell("accept");
    let holder = |direction, process, user, pid| Holder {
        direction,
        port,
        process,
        user,
        pid,
    };
    let before = [
        holder("inbound", "handacceptor", "root", acceptor.pid),
        holder("outbound", "handopener", "54031", opener.pid),
    ];
    for one in before {
        one.await_seen(&agent, &top, &namespace);
    }
    hand(&mut acceptor, &mut server, &place.join("server"));
    hand(&mut opener, &mut client, &place.join("client"));
    server.tell("write 70");
    client.tell("read 70");
    client.tell("write 100");
    server.tell("read 100");
    let after = [
        holder("inbound", "handserver", "54031", server.pid),
        holder("outbound", "handclient", "54032", client.pid),
    ];
    for one in after {
        one.await_seen(&agent, &top, &namespace);
    }
    // Those who are no party to it any more leave without a trace.
    acceptor.process.finish();
    opener.process.finish();
    client.tell("write 30");
    server.tell("close 1");
    client.tell("close 1");
    for one in after {
        one.await_alone(&agent, "connections_closed_total", 1.0);
    }
    after[0].await_alone(&agent, "close_unread_bytes_total", 30.0);
}

/// Pids of the children of a process.
fn children(pid: u64) -> Vec<u64> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace()
        .map(|pid| pid.parse().expect("a process id"))
        .collect()
}

/// The only child of a process, as the host numbers it.
fn only_child(pid: u64) -> u64 {
    poll_until("a child", PATIENCE, || match children(pid)[..] {
        [one] => Ok(one),
        ref many => Err(format!("{many:?}")),
    })
}

/// Process ids inside a container are others than the host's.
#[test]
fn a_container() {
    if !offers(&[AGENT, NEEDS, &[Need::Tool("unshare")]]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let agent = Agent::start("--ebpf on");
    let top = Top::start();
    let namespace = Netns::new();
    let unshare = Start::new(
        &tool("unshare").unwrap(),
        "--pid --fork --kill-child --mount-proc",
    );
    let mut process = unshare
        .arg(names.workload("boxinit"))
        .arg("puppet")
        .within(&namespace)
        .spawn();
    let pid = process.reply()["pid"].as_u64().unwrap();
    assert_eq!(pid, 1, "the first in its own namespace");
    let mut server = Puppet { process, pid };
    let mut client = Puppet::start(&names, "boxclient", &namespace, OTHER_USER);
    let port = server.listen("127.0.0.1:0");
    server.fork("boxworker", USER);
    let init = only_child(server.process.pid().into());
    let worker = only_child(init);
    assert_ne!(worker, server.pid);
    client.connect("127.0.0.1", port, 1);
    server.tell("accept");
    client.tell("write 100");
    server.tell("read 100");
    let holder = Holder {
        direction: "inbound",
        port,
        process: "boxworker",
        user: "54031",
        pid: worker,
    };
    holder.await_seen(&agent, &top, &namespace);
    await_listener(&agent, port, ("boxinit", "root"), 2.0);
    server.tell("close 1");
    holder.await_alone(&agent, "connections_closed_total", 1.0);
}

/// A process leaves bytes behind that its peer takes only later: until then they are its own.
#[test]
fn a_connection_that_outlives_its_process() {
    if !offers(&[AGENT, NEEDS]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let namespace = Netns::new();
    let agent = Agent::start("--ebpf on");
    let top = Top::start();
    let mut server = Puppet::start(&names, "orphanserver", &namespace, 0);
    let mut client = Puppet::start(&names, "orphanclient", &namespace, USER);
    let port = server.listen("127.0.0.1:0");
    client.connect("127.0.0.1", port, 1);
    server.tell("accept");
    let written = client.ask("fill", "written");
    let holder = Holder {
        direction: "outbound",
        port,
        process: "orphanclient",
        user: "54031",
        pid: client.pid,
    };
    client.process.finish();
    let row = holder.await_row(&top, "FIN-WAIT-1", &namespace);
    let unacked = row["unacked_bytes"].as_u64().unwrap();
    assert!((1..written).contains(&unacked), "{unacked} of {written}");
    holder.await_alone(&agent, "connections_closed_total", 0.0);
    let read = server.ask("drain", "read");
    assert_eq!(read, written);
    server.tell("close 1");
    holder.await_alone(&agent, "connections_closed_total", 1.0);
    holder.await_alone(&agent, "close_unacked_bytes_total", 0.0);
    println!("{holder:?}: {unacked} of {written} bytes after its end");
}

/// A shell script that runs for a while and then becomes the client, which ends at once.
#[test]
fn a_script_that_becomes_another_program() {
    const CONNECTIONS: u64 = 50;
    if !offers(&[AGENT, NEEDS, &[Need::Tool("sh")]]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let namespace = Netns::new();
    let agent = Agent::start("--ebpf on --interval 2s");
    let mut server = Start::new(&names.workload("wrapserver"), "serve 127.0.0.1")
        .within(&namespace)
        .spawn();
    let port = server.reply()["port"].as_u64().unwrap() as u16;
    let client = names.workload("wrapclient");
    let script = format!(
        "#!/bin/sh\necho '{{}}'\nread word\nexec {} short 127.0.0.1:{port} {CONNECTIONS} --live 0\n",
        client.display()
    );
    let script = names.script("wrapscript", &script);
    let start = Start::new(&script, "").within(&namespace).user(USER);
    let mut wrapped: Workload = start.spawn();
    wrapped.reply();
    // It is known by its first name.
    agent.await_scrape("the script", PATIENCE, |scrape| {
        let labels = [("process", "wrapscript"), ("user", "54031")];
        match scrape.value("hostlens_process_processes", &labels)? {
            1.0 => Ok(()),
            other => Err(format!("{other} processes")),
        }
    });
    let pid = wrapped.pid().into();
    wrapped.say("go");
    let truth = Totals::of(&wrapped.reply());
    assert_eq!(truth.connections, CONNECTIONS);
    wrapped.finish();
    let holder = Holder {
        direction: "outbound",
        port,
        process: "wrapclient",
        user: "54031",
        pid,
    };
    holder.await_alone(&agent, "connections_opened_total", CONNECTIONS as f64);
    holder.await_alone(&agent, "connections_closed_total", CONNECTIONS as f64);
    println!("{holder:?}: {CONNECTIONS} connections");
}

/// A process that is known already, with a connection of its own, becomes another: all it does
/// from then on is the other's, however soon.
#[test]
fn a_client_that_becomes_another_program() {
    const CONNECTIONS: u64 = 50;
    if !offers(&[AGENT, NEEDS]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let namespace = Netns::new();
    let agent = Agent::start("--ebpf on --interval 2s");
    let mut server = Puppet::start(&names, "turnserver", &namespace, 0);
    let mut client = Puppet::start(&names, "turnbefore", &namespace, USER);
    let after = names.workload("turnafter");
    let first = server.listen("127.0.0.1:0");
    client.connect("127.0.0.1", first, 1);
    server.tell("accept");
    let second = server.listen("127.0.0.1:0");
    let holder = |port, process| Holder {
        direction: "outbound",
        port,
        process,
        user: "54031",
        pid: client.pid,
    };
    let (before, then) = (holder(first, "turnbefore"), holder(second, "turnafter"));
    before.await_alone(&agent, "established_connections", 1.0);
    client.tell(&format!("become {}", after.display()));
    client.connect("127.0.0.1", second, CONNECTIONS);
    client.tell(&format!("close {CONNECTIONS}"));
    then.await_alone(&agent, "connections_opened_total", CONNECTIONS as f64);
    for _ in 0..CONNECTIONS {
        server.tell("accept");
    }
    server.tell(&format!("close {CONNECTIONS}"));
    then.await_alone(&agent, "connections_closed_total", CONNECTIONS as f64);
    println!("{then:?}: {CONNECTIONS} connections");
}
