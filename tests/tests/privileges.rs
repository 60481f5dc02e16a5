//! What the service of `deploy/hostlens.service` may do is enough, and none of it too much.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{
    collections::BTreeMap,
    fs,
    process::{Child, Command},
};

use hostlens_tests::{
    agent::Agent,
    deadline::{PATIENCE, poll_until},
    host::{AGENT, Need, Turn, command, hostlens_path, offers},
    netns::Netns,
    workload::Names,
};
use serde_json::Value;

const UNIT: &str = include_str!("../../deploy/hostlens.service");
const NEEDS: &[Need] = &[Need::Tool("setpriv"), Need::Tool("ip")];
/// The service's user.
const USER: u32 = 61_240;
/// Everything that can be switched on.
const OPTIONS: [&str; 4] = ["--dns", "--process-disk-latency", "--response-time", "on"];

/// A list in the unit.
fn setting(name: &str) -> Vec<&'static str> {
    let line = UNIT.lines().find_map(|line| line.strip_prefix(name));
    let list = line.and_then(|rest| rest.strip_prefix('='));
    list.unwrap_or_else(|| panic!("no {name} in the unit"))
        .split(' ')
        .collect()
}

/// Runs what follows as the service's user, with these capabilities and none besides.
fn user_with(capabilities: &[&str]) -> Command {
    let mut set = "-all".to_owned();
    for capability in capabilities {
        let name = capability.strip_prefix("CAP_").unwrap().to_lowercase();
        set += &format!(",+{name}");
    }
    let mut setpriv = command("setpriv");
    setpriv.args(["--clear-groups", "--no-new-privs"]);
    for option in ["reuid", "regid"] {
        setpriv.arg(format!("--{option}={USER}"));
    }
    for option in ["inh-caps", "ambient-caps", "bounding-set"] {
        setpriv.arg(format!("--{option}={set}"));
    }
    setpriv
}

/// A network namespace in which a process lives: one that has to be entered.
struct Inhabited(Child);

impl Inhabited {
    fn new() -> Self {
        let mut sleep = command("sleep");
        Netns::new().enter(sleep.arg("600"));
        Self(sleep.spawn().unwrap())
    }
}

impl Drop for Inhabited {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Signal → its source, and why not a better one.
type Signals = BTreeMap<String, (String, Option<String>)>;

/// What the doctor says; through `program` if given.
fn doctor(names: &Names, program: Option<Command>) -> Signals {
    let hostlens = names.add("hostlens", &hostlens_path());
    let mut doctor = match program {
        Some(mut program) => {
            program.arg(hostlens);
            program
        }
        None => Command::new(hostlens),
    };
    let output = doctor.args(["doctor", "--json"]).args(OPTIONS).output();
    let output = output.unwrap();
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let signals = report["signals"].as_array().unwrap().iter();
    signals
        .map(|one| {
            let source = text(&one["source"]).unwrap();
            (
                text(&one["signal"]).unwrap(),
                (source, text(&one["degraded"])),
            )
        })
        .collect()
}

/// systemd's own judgement of the sandbox, in tenths; `docs/privileges.md` explains what remains.
#[test]
fn the_sandbox_is_tight() {
    if !offers(&[AGENT, &[Need::Tool("systemd-analyze")]]) {
        return;
    }
    let unit = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/hostlens.service");
    let mut analyze = command("systemd-analyze");
    analyze.args([
        "security",
        "--no-pager",
        "--offline=true",
        "--threshold=26",
        unit,
    ]);
    let output = analyze.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("Overall exposure level"), "{output:?}");
    assert!(output.status.success(), "{text}");
}

/// Each signal comes from where it comes from for root, and is as good.
#[test]
fn the_service_sees_what_root_sees() {
    if !offers(&[AGENT, NEEDS]) {
        return;
    }
    let _turn = Turn::take();
    let capabilities = setting("AmbientCapabilities");
    assert_eq!(capabilities, setting("CapabilityBoundingSet"));
    let _other = Inhabited::new();
    let names = Names::new();
    // Namespaces and processes of others come and go, for the one as for the other.
    poll_until("the same sources", PATIENCE, || {
        let root = doctor(&names, None);
        let service = doctor(&names, Some(user_with(&capabilities)));
        let worse: Vec<_> = service
            .iter()
            .filter(|(signal, (source, degraded))| {
                let best = root.get(*signal);
                best.is_none_or(|best| best.0 != *source) || degraded.is_some()
            })
            .collect();
        if worse.is_empty() && service.len() == root.len() {
            Ok(())
        } else {
            Err(format!("{worse:#?}; root: {root:#?}"))
        }
    });
}

/// The agent serves as that user, with nothing but what it was given.
#[test]
fn the_agent_runs_as_the_service_does() {
    if !offers(&[AGENT, NEEDS]) {
        return;
    }
    let _turn = Turn::take();
    let capabilities = setting("AmbientCapabilities");
    let agent = Agent::start_through(user_with(&capabilities), "--ebpf on --dns");
    let status = fs::read_to_string(format!("/proc/{}/status", agent.pid())).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name}"))
            .trim()
            .to_owned()
    };
    assert_eq!(field("Uid:").split_whitespace().next(), Some("61240"));
    assert_eq!(field("NoNewPrivs:"), "1");
    for set in ["CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        let bits = u64::from_str_radix(&field(set), 16).unwrap();
        assert_eq!(bits.count_ones() as usize, capabilities.len(), "{set}");
    }
    let name = fs::read_to_string("/proc/self/comm").unwrap();
    agent.await_scrape("the host's connections and processes", PATIENCE, |scrape| {
        for signal in ["tcp_live", "process_live", "process_ended", "dns"] {
            let best = [("signal", signal), ("reason", "")];
            scrape.value("hostlens_agent_source_info", &best)?;
        }
        // A process of root's whose figures are root's alone.
        let own = [("process", name.trim_end()), ("user", "root")];
        scrape.value("hostlens_process_open_fds", &own).map(drop)
    });
}

/// A sandbox shows the root read-only, which it is not.
#[test]
fn filesystems_are_those_of_the_host() {
    if !offers(&[AGENT, &[Need::Tool("unshare"), Need::Tool("mount")]]) {
        return;
    }
    let _turn = Turn::take();
    // A first process that can be looked at, and beside it the agent, sandboxed.
    let first = r#"mount -t proc proc /proc && unshare --mount sh -c "$0" sh "$@" & wait"#;
    let beside = r#"mount -o remount,bind,ro / && grep -q " / / ro" /proc/self/mountinfo &&
        exec "$@""#;
    let mut sandbox = command("unshare");
    sandbox.args(["--mount", "--pid", "--fork", "--kill-child"]);
    sandbox.args(["sh", "-c", first, beside]);
    let sandboxed = Agent::start_through(sandbox, "");
    let read_only = |agent: &Agent| {
        agent.await_scrape("the root's state", PATIENCE, |scrape| {
            scrape.value("hostlens_filesystem_read_only", &[("mountpoint", "/")])
        })
    };
    let host = Agent::start("");
    assert_eq!(read_only(&sandboxed), read_only(&host));
    assert_eq!(read_only(&host), 0.0);
}

/// Taking one away costs the signals that `docs/privileges.md` says, and the reason names it.
#[test]
fn each_capability_is_needed() {
    if !offers(&[AGENT, NEEDS]) {
        return;
    }
    let _turn = Turn::take();
    let _other = Inhabited::new();
    let names = Names::new();
    let all = setting("AmbientCapabilities");
    // CAP_SYS_ADMIN stands in for those of kernel programs, so it goes with each of them.
    let cases: [(&[&str], &str, &str); 6] = [
        (&["CAP_SYS_ADMIN"], "tcp_live", "CAP_SYS_ADMIN"),
        (&["CAP_SYS_PTRACE"], "tcp_live", "CAP_SYS_PTRACE"),
        (&["CAP_DAC_READ_SEARCH"], "service", "CAP_DAC_READ_SEARCH"),
        (&["CAP_BPF", "CAP_SYS_ADMIN"], "process_ended", "CAP_BPF"),
        (
            &["CAP_PERFMON", "CAP_SYS_ADMIN"],
            "process_ended",
            "not permitted",
        ),
        (&["CAP_NET_ADMIN", "CAP_SYS_ADMIN"], "dns", "not permitted"),
    ];
    for (without, signal, named) in cases {
        let rest: Vec<&str> = all
            .iter()
            .copied()
            .filter(|one| !without.contains(one))
            .collect();
        assert_eq!(rest.len() + without.len(), all.len(), "{without:?}");
        let signals = doctor(&names, Some(user_with(&rest)));
        let (source, degraded) = &signals[signal];
        println!("without {without:?}: {signal} from {source}, {degraded:?}");
        assert!(
            degraded.as_deref().is_some_and(|why| why.contains(named)),
            "without {without:?}: {signal} {degraded:?}"
        );
    }
}
