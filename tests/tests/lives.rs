//! Lives of connections: how they end, what is lost when they do, and none forgotten under load.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{fs, time::Duration};

use hostlens_tests::{
    agent::Agent,
    host::{AGENT, Need, Turn, offers},
    listen_truth::tcp_ext,
    netns::Netns,
    puppet::Puppet,
    scrape::Scrape,
    traffic::Totals,
    workload::{Names, Start},
};

/// Longest wait for the agent to come to see something.
const PATIENCE: Duration = Duration::from_secs(90);
const READER: u32 = 54_011;
const WRITER: u32 = 54_012;

/// A namespace whose sockets have room for a mebibyte from the start.
fn namespace() -> Netns {
    let namespace = Netns::new();
    namespace.run(|| {
        for name in ["tcp_rmem", "tcp_wmem"] {
            let path = format!("/proc/sys/net/ipv4/{name}");
            fs::write(path, "4096 1048576 4194304").expect("sizes of buffers");
        }
    });
    namespace
}

/// The connections of one process to or from one port.
#[derive(Clone, Copy)]
struct Lives<'a> {
    process: &'a str,
    user: u32,
    direction: &'a str,
    port: u16,
}

impl Lives<'_> {
    fn value(&self, scrape: &Scrape, family: &str, more: &[(&str, &str)]) -> f64 {
        let (user, port) = (self.user.to_string(), self.port.to_string());
        let port_label = match self.direction {
            "inbound" => "listen_port",
            _ => "remote_port",
        };
        let mut labels = vec![
            ("process", self.process),
            ("direction", self.direction),
            (port_label, &port),
        ];
        if self.user != 0 {
            labels.push(("user", &user));
        }
        labels.extend(more);
        scrape.sum(&format!("hostlens_tcp_{family}"), &labels)
    }

    /// What is known of these connections.
    fn ends(&self, scrape: &Scrape) -> Ends {
        let count = |family: &str, more: &[(&str, &str)]| self.value(scrape, family, more) as u64;
        Ends {
            closed: count("connections_closed_total", &[]),
            reset_received: count("connections_closed_total", &[("reason", "reset_received")]),
            timeout: count("connections_closed_total", &[("reason", "timeout")]),
            aborted_unread: count("connections_closed_total", &[("reason", "aborted_unread")]),
            cause_unread: count("aborted_connections_total", &[("cause", "unread")]),
            cause_timeout: count("aborted_connections_total", &[("cause", "timeout")]),
            causes: count("aborted_connections_total", &[]),
            unread: count("close_unread_bytes_total", &[]),
            unacked: count("close_unacked_bytes_total", &[]),
        }
    }

    /// Waits until all is as told, and looks once more when counting twice would show.
    fn await_ends(&self, agent: &Agent, expected: Ends) {
        let check = |scrape: &Scrape| {
            let seen = self.ends(scrape);
            (seen == expected)
                .then_some(())
                .ok_or_else(|| format!("{seen:?} instead of {expected:?}"))
        };
        agent.await_scrape(self.process, PATIENCE, check);
        agent.await_cycles(2);
        check(&agent.scrape()).unwrap();
        println!("{}: {expected:?}", self.process);
    }
}

/// How connections ended, and what they lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ends {
    /// All of them.
    closed: u64,
    reset_received: u64,
    timeout: u64,
    aborted_unread: u64,
    cause_unread: u64,
    cause_timeout: u64,
    /// All of them.
    causes: u64,
    unread: u64,
    unacked: u64,
}

/// Closing with bytes unread: the reader's loss, and a reset for the peer.
#[test]
fn bytes_left_unread_at_a_close() {
    const LEFT: u64 = 65_536;
    if !offers(&[AGENT, &[Need::Tool("ip")]]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let namespace = namespace();
    let agent = Agent::start("--ebpf on");
    let mut reader = Puppet::start(&names, "lossreader", &namespace, READER);
    let mut writer = Puppet::start(&names, "losswriter", &namespace, WRITER);
    let port = reader.listen("127.0.0.1:0");
    // The first reads nothing, the second all but so much, the third all.
    for read in [0, 1_000, LEFT + 1] {
        writer.connect("127.0.0.1", port, 1);
        reader.tell("accept");
        let left = LEFT * u64::from(read <= LEFT);
        writer.tell(&format!("write {}", read + left));
        reader.tell(&format!("read {read}"));
        reader.tell("close 1");
        writer.tell("close 1");
    }
    // One more is killed.
    writer.connect("127.0.0.1", port, 1);
    reader.tell("accept");
    writer.tell(&format!("write {LEFT}"));
    reader.process.kill();
    writer.tell("close 1");
    let truth = tcp_ext(&namespace, "TCPAbortOnClose");
    assert_eq!(truth, 3, "the kernel's own count");
    let reader = Lives {
        process: "lossreader",
        user: READER,
        direction: "inbound",
        port,
    };
    let lost = Ends {
        closed: 4,
        aborted_unread: truth,
        cause_unread: truth,
        causes: truth,
        unread: truth * LEFT,
        ..Ends::default()
    };
    reader.await_ends(&agent, lost);
    let writer = Lives {
        process: "losswriter",
        user: WRITER,
        direction: "outbound",
        port,
    };
    let reset = Ends {
        closed: 4,
        reset_received: truth,
        ..Ends::default()
    };
    writer.await_ends(&agent, reset);
}

/// A reader that stops, a writer that fills all buffers, a close: what was written is what was
/// read, thrown away unread by the one, or never taken from the other.
#[test]
fn nothing_of_a_stream_cut_off_is_unaccounted_for() {
    if !offers(&[AGENT, &[Need::Tool("ip")]]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let namespace = namespace();
    let agent = Agent::start("--ebpf on");
    let mut reader = Puppet::start(&names, "cutreader", &namespace, READER);
    let mut writer = Puppet::start(&names, "cutwriter", &namespace, WRITER);
    let port = reader.listen("127.0.0.1:0");
    writer.connect("127.0.0.1", port, 1);
    reader.tell("accept");
    // Returns when nothing has moved for a second.
    let written = writer.ask("fill", "written");
    reader.tell("read 1000");
    reader.tell("close 1");
    let of = |process, user, direction| Lives {
        process,
        user,
        direction,
        port,
    };
    let (reader, writer) = (
        of("cutreader", READER, "inbound"),
        of("cutwriter", WRITER, "outbound"),
    );
    let parts = |scrape: &Scrape| {
        let (reader, writer) = (reader.ends(scrape), writer.ends(scrape));
        let both = (reader.aborted_unread, writer.reset_received) == (1, 1);
        both.then_some((reader.unread, writer.unacked))
            .ok_or_else(|| format!("{reader:?}, {writer:?}"))
    };
    let (unread, unacked) = agent.await_scrape("both ends", PATIENCE, parts);
    println!("{written} written = 1000 read + {unread} unread + {unacked} not acknowledged");
    assert!(unread > 0 && unacked > 0);
    assert_eq!(written, 1_000 + unread + unacked);
}

/// A writer is killed with bytes on their way to a peer that cannot be reached any more.
#[test]
fn bytes_of_a_killed_writer() {
    const ARRIVED: u64 = 50_000;
    const LOST: u64 = 100 << 10;
    if !offers(&[AGENT, &[Need::Tool("ip")]]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let (near, far) = (namespace(), namespace());
    let agent = Agent::start("--ebpf on");
    let mut peer = Puppet::start(&names, "killpeer", &far, READER);
    near.ip(&format!(
        "link add kill0 type veth peer name kill1 netns {}",
        peer.pid
    ));
    far.ip("addr add 10.8.0.2/24 dev kill1");
    far.ip("link set kill1 address 02:00:00:00:08:02 up");
    near.ip("addr add 10.8.0.1/24 dev kill0");
    near.ip("link set kill0 up");
    near.ip("neigh replace 10.8.0.2 lladdr 02:00:00:00:08:02 nud permanent dev kill0");
    near.run(|| {
        fs::write("/proc/sys/net/ipv4/tcp_orphan_retries", "2").expect("tcp_orphan_retries");
    });
    let mut writer = Puppet::start(&names, "killwriter", &near, WRITER);
    let port = peer.listen("10.8.0.2:0");
    writer.connect("10.8.0.2", port, 1);
    peer.tell("accept");
    writer.tell(&format!("write {ARRIVED}"));
    let mut received = peer.ask(&format!("read {ARRIVED}"), "read");
    // The answer carries the acknowledgement of all before.
    peer.tell("write 1");
    writer.tell("read 1");
    // The peer's host drops without a word what is for an address it does not have.
    far.ip("addr del 10.8.0.2/24 dev kill1");
    let written = ARRIVED + writer.ask(&format!("write {LOST}"), "written");
    writer.process.kill();
    received += peer.ask("drain", "read");
    assert_eq!(written - received, LOST, "the peer's own count");
    let writer = Lives {
        process: "killwriter",
        user: WRITER,
        direction: "outbound",
        port,
    };
    let lost = Ends {
        closed: 1,
        timeout: 1,
        cause_timeout: 1,
        causes: 1,
        unacked: written - received,
        ..Ends::default()
    };
    writer.await_ends(&agent, lost);
    // The peer has not been told.
    let peer = Lives {
        process: "killpeer",
        user: READER,
        direction: "inbound",
        port,
    };
    peer.await_ends(&agent, Ends::default());
}

/// A reset does not take away what has arrived: it is lost only if nobody reads it.
#[test]
fn bytes_that_a_reset_leaves() {
    if !offers(&[AGENT, &[Need::Tool("ip")]]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let namespace = namespace();
    let agent = Agent::start("--ebpf on");
    let mut writer = Puppet::start(&names, "resetwriter", &namespace, WRITER);
    for (name, reads, unread) in [
        ("resetreads", true, 0),
        ("resetleaves", false, 100),
        ("resethalf", true, 40),
    ] {
        let mut reader = Puppet::start(&names, name, &namespace, READER);
        let port = reader.listen("127.0.0.1:0");
        writer.connect("127.0.0.1", port, 1);
        reader.tell("accept");
        writer.tell("write 100");
        writer.tell("linger");
        writer.tell("close 1");
        if reads {
            reader.tell(&format!("read {}", 100 - unread));
        }
        let lives = Lives {
            process: name,
            user: READER,
            direction: "inbound",
            port,
        };
        // What an application still may read is not lost.
        let mut ends = Ends {
            closed: 1,
            reset_received: 1,
            ..Ends::default()
        };
        lives.await_ends(&agent, ends);
        reader.tell("close 1");
        ends.unread = unread;
        lives.await_ends(&agent, ends);
    }
    assert_eq!(tcp_ext(&namespace, "TCPAbortOnClose"), 0);
}

/// Two thousand connections a second for half a minute, or as near as the machine comes.
#[test]
fn sixty_thousand_connections() {
    const CONNECTIONS: u64 = 60_000;
    if !offers(&[AGENT, &[Need::Tool("ip")]]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let namespace = Netns::new();
    namespace.run(|| {
        for (name, value) in [("tcp_tw_reuse", "1"), ("ip_local_port_range", "1024 65535")] {
            fs::write(format!("/proc/sys/net/ipv4/{name}"), value).expect(name);
        }
    });
    // Whatever else the host talks to, there is a place for these peers.
    let agent = Agent::start("--ebpf on --peer-budget 10000");
    let mut server = Start::new(&names.workload("loadserver"), "serve 127.0.0.1")
        .within(&namespace)
        .spawn();
    let port = server.reply()["port"].as_u64().unwrap() as u16;
    let arguments = format!("short 127.0.0.1:{port} {CONNECTIONS} --live 0 --rate 2000");
    let mut client = Start::new(&names.workload("loadclient"), &arguments)
        .within(&namespace)
        .spawn();
    let report = client.reply();
    let truth = Totals::of(&report);
    let seconds = report["seconds"].as_f64().unwrap();
    println!("{:.0} connections per second", CONNECTIONS as f64 / seconds);
    assert_eq!(truth.connections, CONNECTIONS);

    let of = |process, direction| Lives {
        process,
        user: 0,
        direction,
        port,
    };
    let sides = [of("loadclient", "outbound"), of("loadserver", "inbound")];
    let port = port.to_string();
    let bytes = |scrape: &Scrape, family: &str| {
        let ports = [("remote_port", port.as_str()), ("listen_port", &port)];
        ports
            .map(|label| scrape.sum(&format!("hostlens_tcp_{family}_bytes_total"), &[label]) as u64)
    };
    let check = |scrape: &Scrape| {
        let counts = sides.map(|side| {
            [
                side.value(scrape, "connections_opened_total", &[]),
                side.value(scrape, "connections_closed_total", &[]),
                side.value(scrape, "connections_closed_total", &[("reason", "closed")]),
                side.value(scrape, "connection_lifetime_seconds_count", &[]),
            ]
            .map(|value| value as u64)
        });
        let connects = sides[0].value(scrape, "connect_seconds_count", &[]) as u64;
        let (sent, received) = (bytes(scrape, "sent"), bytes(scrape, "received"));
        let right = counts == [[CONNECTIONS; 4]; 2]
            && connects == CONNECTIONS
            && sent == [truth.sent, truth.received]
            && received == [truth.received, truth.sent];
        right.then_some(()).ok_or_else(|| {
            format!("{counts:?}, {connects} connects, {sent:?} {received:?} for {truth:?}")
        })
    };
    agent.await_scrape("all connections", PATIENCE, check);
    // Counting anything twice would show only now.
    agent.await_cycles(3);
    let scrape = agent.scrape();
    check(&scrape).unwrap();
    let mut lost = scrape.series("hostlens_agent_events_lost_total", &[]);
    // Somebody else on the host may have an owner that cannot be seen from here; none of ours has.
    lost.retain(|series| series.label("event") != "tcp_owner");
    assert!(!lost.is_empty());
    assert!(lost.iter().all(|series| series.value == 0.0), "{lost:?}");
}
