//! Attempts to connect that come to nothing: each once, under its type, for who tried.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::fs;

use hostlens_tests::{
    agent::Agent,
    deadline::{PATIENCE, poll_until},
    handshake,
    host::{AGENT, Need, Turn, offers},
    netns::Netns,
    scrape::Scrape,
    workload::{Names, Start, Workload},
};

const USER: u32 = 54_003;

/// Attempts, what the one who tries must be told, and what the agent must call it.
struct Case {
    process: &'static str,
    remote: &'static str,
    port: &'static str,
    count: u32,
    more: &'static str,
    errno: i32,
    error_type: &'static str,
}

const fn case(
    process: &'static str,
    remote: (&'static str, &'static str),
    count: u32,
    more: &'static str,
    errno: i32,
    error_type: &'static str,
) -> Case {
    Case {
        process,
        remote: remote.0,
        port: remote.1,
        count,
        more,
        errno,
        error_type,
    }
}

const CASES: [Case; 9] = [
    case(
        "tryclosed",
        ("127.0.0.1", "9"),
        5,
        "",
        libc::ECONNREFUSED,
        "refused",
    ),
    case(
        "tryclosed6",
        ("::1", "9"),
        5,
        "",
        libc::ECONNREFUSED,
        "refused",
    ),
    case(
        "trydropped",
        ("10.9.0.2", "80"),
        2,
        "",
        libc::ETIMEDOUT,
        "timeout",
    ),
    case(
        "trynonet",
        ("192.168.77.1", "80"),
        7,
        "",
        libc::ENETUNREACH,
        "network_unreachable",
    ),
    case(
        "trynonet6",
        ("fd77::1", "80"),
        3,
        "",
        libc::ENETUNREACH,
        "network_unreachable",
    ),
    case(
        "trynohost",
        ("10.11.0.1", "80"),
        2,
        "",
        libc::EHOSTUNREACH,
        "host_unreachable",
    ),
    case(
        "tryforbidden",
        ("10.10.0.1", "80"),
        1,
        "",
        libc::EACCES,
        "permission_denied",
    ),
    case("tryhole", ("10.12.0.1", "80"), 2, "", libc::EINVAL, "other"),
    case(
        "tryabort",
        ("10.9.0.3", "80"),
        4,
        "--give-up 50",
        libc::EINPROGRESS,
        "aborted",
    ),
];

impl Case {
    fn start(&self, names: &Names, namespace: &Netns) -> Workload {
        let host = match self.remote.contains(':') {
            true => format!("[{}]", self.remote),
            false => self.remote.to_owned(),
        };
        let arguments = format!(
            "attempt {host}:{} {} --wait {}",
            self.port, self.count, self.more
        );
        Start::new(&names.workload(self.process), &arguments)
            .within(namespace)
            .user(USER)
            .spawn()
    }

    /// Counted as it must be, and not otherwise.
    fn check(&self, scrape: &Scrape) -> Result<(), String> {
        let name = "hostlens_tcp_connect_failures_total";
        let user = USER.to_string();
        let labels = [
            ("process", self.process),
            ("user", &user),
            ("remote_ip", self.remote),
            ("remote_port", self.port),
            ("error_type", self.error_type),
        ];
        let right = scrape.sum(name, &labels);
        // Others on the host may fail to reach other ports.
        let place = [("remote_ip", self.remote), ("remote_port", self.port)];
        let all = scrape.sum(name, &place);
        if right == f64::from(self.count) && all == right {
            return Ok(());
        }
        let seen = scrape.series(name, &place);
        Err(format!(
            "{}: {seen:?}, not {} {}",
            self.process, self.count, self.error_type
        ))
    }
}

/// A namespace with 10.9.0.0/24 on a device that swallows everything, and no default route.
fn namespace() -> Netns {
    let namespace = Netns::new();
    for setting in [
        "link add swallow type veth peer name gullet",
        "addr add 10.9.0.1/24 dev swallow",
        "link set gullet up",
        "link set swallow up",
        // Addresses of nobody: the other end takes none of it for itself.
        "neigh add 10.9.0.2 lladdr 02:00:00:00:09:02 dev swallow",
        "neigh add 10.9.0.3 lladdr 02:00:00:00:09:03 dev swallow",
        "route add prohibit 10.10.0.0/16",
        "route add unreachable 10.11.0.0/16",
        "route add blackhole 10.12.0.0/16",
    ] {
        namespace.ip(setting);
    }
    namespace
}

#[test]
fn each_failure_once_under_its_type_and_no_success() {
    if !offers(&[AGENT, &[Need::Tool("ip")]]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let namespace = namespace();
    namespace.run(|| {
        // The SYN again once, after a second, and given up two seconds later.
        fs::write("/proc/sys/net/ipv4/tcp_syn_retries", "1").expect("tcp_syn_retries");
    });
    let agent = Agent::start("");
    let mut server = Start::new(&names.workload("tryserver"), "sink 127.0.0.1")
        .within(&namespace)
        .spawn();
    let port = server.reply()["port"].as_u64().unwrap();
    let good = format!("attempt 127.0.0.1:{port} 5000");
    let mut good: Vec<Workload> = ["trygood", "trybetter"]
        .map(|name| {
            Start::new(&names.workload(name), &good)
                .within(&namespace)
                .user(USER)
                .spawn()
        })
        .into();
    let mut tries: Vec<Workload> = CASES
        .iter()
        .map(|case| case.start(&names, &namespace))
        .collect();
    // A process is known by the name and user it had when last walked over: let a walk come after
    // they have become who they are.
    tries.iter_mut().for_each(|workload| drop(workload.reply()));
    agent.await_cycles(1);
    tries.iter_mut().for_each(|workload| workload.say("go"));
    for (case, workload) in CASES.iter().zip(&mut tries) {
        let told = workload.reply();
        let expected = serde_json::json!({ case.errno.to_string(): case.count });
        assert_eq!(told, expected, "{}", case.process);
    }
    for workload in &mut good {
        assert_eq!(workload.reply(), serde_json::json!({ "0": 5_000 }));
    }
    let all = |scrape: &Scrape| CASES.iter().try_for_each(|case| case.check(scrape));
    agent.await_scrape("all failures", PATIENCE, all);
    // Counting anything twice, or a success as a failure, would show only now.
    agent.await_cycles(3);
    let scrape = agent.scrape();
    all(&scrape).unwrap();
    for process in ["trygood", "trybetter", "tryserver"] {
        let failures = scrape.series(
            "hostlens_tcp_connect_failures_total",
            &[("process", process)],
        );
        assert!(
            failures.iter().all(|series| series.value == 0.0),
            "{failures:?}"
        );
    }
    for workload in tries.into_iter().chain(good) {
        workload.finish();
    }
    server.finish();
}

/// A reset that comes when the handshake is half done is another thing than a refusal.
#[test]
fn a_reset_amid_the_handshake_is_told_from_a_refusal() {
    if !offers(&[AGENT, &[Need::Tool("ip")]]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let namespace = namespace();
    let agent = Agent::start("");
    namespace.run(|| {
        // What the peer says comes in by the loopback device.
        for device in ["all", "lo"] {
            let setting = format!("/proc/sys/net/ipv4/conf/{device}/rp_filter");
            fs::write(setting, "0").expect("rp_filter");
        }
    });
    let peer = namespace.run(|| handshake::Peer::on("swallow"));
    let case = case(
        "tryreset",
        ("10.9.0.2", "80"),
        1,
        "",
        libc::ECONNRESET,
        "reset",
    );
    let mut workload = case.start(&names, &namespace);
    workload.reply();
    agent.await_cycles(1);
    workload.say("go");
    poll_until("SYN", PATIENCE, || peer.cross_and_reset());
    assert_eq!(
        workload.reply(),
        serde_json::json!({ libc::ECONNRESET.to_string(): 1 })
    );
    agent.await_scrape("the reset", PATIENCE, |scrape| case.check(scrape));
    workload.finish();
}
