//! Name resolution: who asks whom, how long it takes, what comes of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::time::Duration;

use hostlens_tests::{
    agent::Agent,
    host::{AGENT, Need, Turn, offers},
    netns::Netns,
    scrape::Scrape,
    workload::{Names, Start, Workload},
};

/// Users that have no name.
const USERS: [u32; 2] = [54_001, 54_002];
/// Growth of the buckets.
const BUCKET: f64 = 1.090_508;
/// Answers to each asker.
const COUNT: u32 = 20;

/// What came of the lookups of one process and user at one resolver.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Outcomes {
    ok: f64,
    nxdomain: f64,
    servfail: f64,
    timeouts: f64,
    samples: f64,
}

impl Outcomes {
    fn of(scrape: &Scrape, labels: &[(&str, &str)]) -> Self {
        let answers = |rcode| {
            let labels = [labels, &[("rcode", rcode)]].concat();
            scrape.sum("hostlens_dns_responses_total", &labels)
        };
        Self {
            ok: answers("NOERROR"),
            nxdomain: answers("NXDOMAIN"),
            servfail: answers("SERVFAIL"),
            timeouts: scrape.sum("hostlens_dns_timeouts_total", labels),
            samples: scrape.sum("hostlens_dns_seconds_count", labels),
        }
    }
}

/// An asker and what it must be seen as.
struct Asker {
    process: &'static str,
    user: String,
    server: &'static str,
    workload: Workload,
    expected: Outcomes,
}

impl Asker {
    fn start(
        names: &Names,
        namespace: &Netns,
        process: &'static str,
        user: u32,
        server: &'static str,
        rest: &str,
        expected: Outcomes,
    ) -> Self {
        let program = names.workload(process);
        let workload = Start::new(&program, &format!("ask {server} {rest} --wait"))
            .within(namespace)
            .user(user)
            .spawn();
        Self {
            process,
            user: user.to_string(),
            server,
            workload,
            expected,
        }
    }

    fn labels(&self) -> [(&str, &str); 3] {
        [
            ("process", self.process),
            ("user", &self.user),
            ("resolver", self.server),
        ]
    }
}

/// A resolver on the loopback device of a namespace, where every packet passes twice.
#[test]
fn outcomes_are_counted_once_for_who_asked() {
    if !offers(&[AGENT, &[Need::Tool("ip")]]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let namespace = Netns::new();
    let agent = Agent::start("--dns");
    let mut resolver = Start::new(
        &names.workload("dnsserver"),
        "resolve 127.0.0.1 ::1 --delay 50",
    )
    .within(&namespace)
    .spawn();
    resolver.reply();

    let count = f64::from(COUNT);
    let none = Outcomes::default();
    let ok = Outcomes {
        ok: count,
        samples: count,
        ..none
    };
    let nx = Outcomes {
        nxdomain: count,
        samples: count,
        ..none
    };
    let servfail = Outcomes {
        servfail: count,
        samples: count,
        ..none
    };
    let never = Outcomes {
        timeouts: 3.0,
        ..none
    };
    let [first, second] = USERS;
    let start = |process, user, server, rest: &str, expected| {
        Asker::start(&names, &namespace, process, user, server, rest, expected)
    };
    let mut askers = [
        start("askok4", first, "127.0.0.1", "ok 20", ok),
        start("askok4", second, "127.0.0.1", "ok 20 --tcp", ok),
        start("askok6", first, "::1", "ok 20 --tcp", ok),
        start("askok6", second, "::1", "ok 20", ok),
        start("asktwice", first, "127.0.0.1", "ok 20 --twice", ok),
        start("asknx", first, "127.0.0.1", "nx 20", nx),
        start("askfail", second, "::1", "servfail 20", servfail),
        start("asknever", first, "127.0.0.1", "never 3", never),
        start("asknever", second, "::1", "never 3 --tcp", never),
    ];
    // A process is known by the name and user it had when last walked over: let a walk come after
    // they have become who they are.
    for asker in &mut askers {
        asker.workload.reply();
    }
    agent.await_cycles(1);
    for asker in &mut askers {
        asker.workload.say("go");
    }
    let means: Vec<f64> = askers
        .iter_mut()
        .map(|asker| asker.workload.reply()["mean"].as_f64().unwrap())
        .collect();
    let agrees = |scrape: &Scrape| {
        askers.iter().try_for_each(|asker| {
            let seen = Outcomes::of(scrape, &asker.labels());
            (seen == asker.expected)
                .then_some(())
                .ok_or_else(|| format!("{:?}: {seen:?} for {:?}", asker.labels(), asker.expected))
        })
    };
    agent.await_scrape("all outcomes", Duration::from_secs(30), agrees);
    // Counting anything twice, or the resolver's side of it, would show only now.
    agent.await_cycles(3);
    let scrape = agent.scrape();
    agrees(&scrape).unwrap();
    assert_eq!(
        scrape.sum("hostlens_dns_seconds_count", &[("process", "dnsserver")]),
        0.0
    );
    for (asker, mean) in askers.iter().zip(means) {
        if asker.expected.samples == 0.0 {
            continue;
        }
        let sum = scrape.sum("hostlens_dns_seconds_sum", &asker.labels());
        let ours = sum / asker.expected.samples;
        println!("{:?}: {ours:.5} s, asker {mean:.5} s", asker.labels());
        // The asker's own clock runs on until it is woken.
        assert!(ours <= mean && mean / ours < BUCKET, "{ours} for {mean}");
    }
    let source = agent.status();
    assert!(source.to_string().contains("bpf_cgroup_skb"), "{source}");
    for asker in askers {
        asker.workload.finish();
    }
    resolver.finish();
}

/// Without kernel programs a packet socket sees our own namespace, but not who asks.
#[test]
fn without_programs_nobody_is_named() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let agent = Agent::start("--ebpf off --dns");
    let quiet = Agent::start("");
    let address = "127.53.53.53";
    let mut resolver =
        Start::new(&names.workload("dnsserver"), &format!("resolve {address}")).spawn();
    resolver.reply();
    let mut asker = Start::new(&names.workload("asker"), &format!("ask {address} nx 10")).spawn();
    asker.reply();
    let labels = [
        ("process", "unknown"),
        ("user", "unknown"),
        ("resolver", address),
    ];
    let expected = Outcomes {
        nxdomain: 10.0,
        samples: 10.0,
        ..Outcomes::default()
    };
    agent.await_scrape("all answers", Duration::from_secs(20), |scrape| {
        let seen = Outcomes::of(scrape, &labels);
        (seen == expected)
            .then_some(())
            .ok_or_else(|| format!("{seen:?}"))
    });
    assert!(agent.status().to_string().contains("af_packet"));
    // Not asked for: not watched.
    assert!(
        quiet
            .scrape()
            .series("hostlens_dns_seconds_count", &[])
            .is_empty()
    );
    asker.finish();
    resolver.finish();
}
