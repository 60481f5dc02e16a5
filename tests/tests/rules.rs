//! Grouping rules: what processes are called by them, and how they are exchanged.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use hostlens_tests::{
    agent::{self, Agent},
    deadline::{PATIENCE, some_attempt},
    host::{AGENT, Need, Turn, command, offers},
    http,
    scrape::Scrape,
    workload::{Names, Start, Workload, rounds},
};
use nix::sys::signal::Signal;

/// Has no name.
const USER: u32 = 54_021;

/// What a shell is told: to burn as often as the next line says, until there are no more.
const BURNER: &str =
    "while read n; do i=0; while [ $i -lt $n ]; do i=$((i+1)); done; echo $i; done";

fn rules_file(names: &Names, text: &str) -> PathBuf {
    let path = names.dir().join("rules.yaml");
    fs::write(&path, text).unwrap();
    path
}

fn start(rules: &Path, more: &str) -> Agent {
    Agent::start(&format!("--config {} {more}", rules.display()))
}

/// Members of a group now.
fn members(scrape: &Scrape, process: &str, user: u32) -> f64 {
    let labels = [("process", process), ("user", &*user.to_string())];
    scrape.sum("hostlens_process_processes", &labels)
}

fn await_members(agent: &Agent, process: &str, count: f64) {
    agent.await_scrape(process, PATIENCE, |scrape| {
        match members(scrape, process, USER) {
            found if found == count => Ok(()),
            found => {
                let all = scrape.series("hostlens_process_processes", &[("user", "54021")]);
                Err(format!("{found} members, not {count}; {all:?}"))
            }
        }
    });
}

/// `program` as `comm`, with a title in front of its arguments.
fn titled(names: &Names, comm: &str, title: &str) -> Workload {
    Start::new(&names.workload(comm), "idle")
        .titled(title)
        .user(USER)
        .spawn()
}

/// The rules that come with hostlens, over processes that look like what they are for.
#[test]
fn the_examples_group_living_processes() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/rules.yaml");
    let agent = start(&examples, "");
    let _processes = [
        ("postgres", "postgres: 16/main: walwriter "),
        ("postgres", "postgres: 16/main: alice shop [local] idle"),
        (
            "postgres",
            "postgres: 16/main: bob shop 10.0.0.5(40312) SELECT",
        ),
        (
            "postgres",
            "/usr/lib/postgresql/16/bin/postgres -D /var/lib/postgresql",
        ),
        ("java", "java -Xmx1g -jar /opt/shop/billing-2.4.1.jar"),
        ("java", "java -cp /opt/kafka/libs/* org.apache.kafka.Kafka"),
        ("python3", "python3 -m celery -A shop"),
        ("python3", "/srv/venv/bin/python3 /srv/reports/main.py"),
        ("nginx", "nginx: master process /usr/sbin/nginx"),
        ("nginx", "nginx: worker process"),
        ("nginx", "nginx: worker process"),
    ]
    .map(|(comm, title)| titled(&names, comm, title));
    for (process, count) in [
        ("postgres walwriter", 1.0),
        ("postgres clients of shop", 2.0),
        ("postgres main", 1.0),
        ("java billing", 1.0),
        ("java org.apache.kafka.Kafka", 1.0),
        ("python -m celery", 1.0),
        ("python reports/main.py", 1.0),
        ("nginx master", 1.0),
        ("nginx worker", 2.0),
    ] {
        await_members(&agent, process, count);
    }
    let rules = agent.scrape();
    let rules = rules.value("hostlens_agent_config_rules", &[]).unwrap();
    assert_eq!(agent.status()["config"]["rules"].as_f64(), Some(rules));
}

/// Those that end between two cycles are matched by what is known of them then.
#[test]
fn short_lived_processes_are_grouped_too() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let rules = rules_file(
        &names,
        "process_rules:\n- {name: 'quick of ${user}', comm: 'quick*', user: '54021'}\n",
    );
    let agent = start(&rules, "--interval 2s");
    for number in 0..7 {
        let program = names.workload(&format!("quick{}", number % 2));
        Start::new(&program, "burn 1").user(USER).spawn().wait();
        // Another user's are not meant.
        Start::new(&program, "burn 1").spawn().wait();
    }
    let group = [("process", "quick of 54021"), ("user", "54021")];
    let counts = agent.settled(|scrape| {
        (
            scrape.sum("hostlens_process_started_total", &group),
            scrape.sum("hostlens_process_exited_total", &group),
            scrape.sum("hostlens_process_started_total", &[("process", "quick0")]),
            scrape.sum("hostlens_process_started_total", &[("process", "quick1")]),
        )
    });
    assert_eq!(counts, (7.0, 7.0, 4.0, 3.0));
}

/// A title that is written some time after the process was first seen.
#[test]
fn titles_written_after_the_start_are_found() {
    if !offers(&[AGENT, &[Need::Tool("perl")]]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let rules = rules_file(
        &names,
        "process_rules:\n- {name: 'role ${1}', cmdline: '^titled: (\\w+)'}\n",
    );
    let agent = start(&rules, "--interval 200ms");
    let perl = PathBuf::from(command("perl").get_program());
    some_attempt("a title", 5, || {
        let mut process = Start::new(&perl, "-e")
            .arg("$| = 1; <STDIN>; $0 = 'titled: worker'; print qq(1\\n); <STDIN>;")
            .user(USER)
            .spawn();
        await_members(&agent, "perl", 1.0);
        process.say("now");
        process.reply();
        let age = fs::metadata(format!("/proc/{}", process.pid())).map_err(|e| e.to_string())?;
        let age = age.modified().unwrap().elapsed().unwrap_or_default();
        if age.as_secs() >= 2 {
            return Err(format!("it had its title only after {age:?}"));
        }
        await_members(&agent, "role worker", 1.0);
        Ok(())
    });
}

/// CPU time of a process so far, seconds, exact.
fn cpu_seconds(process: &Workload) -> f64 {
    let path = format!("/proc/{}/schedstat", process.pid());
    let text = fs::read_to_string(path).unwrap();
    let ns: u64 = text.split_whitespace().next().unwrap().parse().unwrap();
    ns as f64 / 1e9
}

fn cpu_of(scrape: &Scrape, process: &str) -> f64 {
    scrape.sum(
        "hostlens_process_cpu_seconds_total",
        &[("process", process)],
    )
}

fn reload(agent: &Agent, method: &str) -> http::Response {
    let request = format!(
        "{method} /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    http::exchange(agent.address, request.as_bytes()).unwrap()
}

/// Living processes move to their new group with what they do from then on; what was counted stays
/// where it is, and a mistake changes nothing.
#[test]
fn a_reload_moves_the_living_and_no_counter() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let rule = |name: &str| format!("process_rules:\n- name: {name}\n  cmdline: '^tool: (\\w+)'\n");
    let rules = rules_file(&names, &rule("first ${1}"));
    let agent = start(&rules, "");
    let sh = names.add("burner", &PathBuf::from(command("sh").get_program()));
    let mut process = Start::new(&sh, "-c")
        .titled("tool: red")
        .arg(BURNER)
        .user(USER)
        .spawn();
    // Some hundred milliseconds of a shell.
    let work = (rounds(1) * 2).clamp(100_000, 1_000_000).to_string();
    let mut burn = || {
        process.say(&work);
        process.reply();
        cpu_seconds(&process)
    };
    let before = burn();
    await_members(&agent, "first red", 1.0);
    let counted = agent.settled(|scrape| cpu_of(scrape, "first red"));
    assert!(
        (counted - before).abs() <= 0.01 * before,
        "{counted} of {before}"
    );

    // Refused: everything stays.
    fs::write(
        &rules,
        "process_rules:\n- name: second ${2}\n  cmdline: '^tool: (\\w+)'\n",
    )
    .unwrap();
    let refused = reload(&agent, "POST");
    assert_eq!(refused.status, 400);
    let expected = format!(
        "{}:2: nothing fills ${{2}}; there is ${{1}}\n",
        rules.display()
    );
    assert_eq!(refused.text(), expected);
    let status = |scrape: &Scrape| {
        let value = |name: &str, labels: &[(&str, &str)]| {
            let name = format!("hostlens_agent_config_{name}");
            scrape.value(&name, labels).unwrap()
        };
        (
            value("last_reload_successful", &[]),
            value("last_reload_success_timestamp_seconds", &[]),
            value("reloads_total", &[("result", "success")]),
            value("reloads_total", &[("result", "failure")]),
        )
    };
    agent.await_cycles(2);
    let first = status(&agent.scrape());
    assert_eq!((first.0, first.2, first.3), (0.0, 0.0, 1.0));
    assert_eq!(agent.status()["config"]["error"], expected.trim_end());
    await_members(&agent, "first red", 1.0);

    // Taken, by signal.
    fs::write(&rules, rule("second ${1}")).unwrap();
    agent.signal(Signal::SIGHUP);
    await_members(&agent, "second red", 1.0);
    await_members(&agent, "first red", 0.0);
    let after = burn();
    let (old, new) =
        agent.settled(|scrape| (cpu_of(scrape, "first red"), cpu_of(scrape, "second red")));
    assert_eq!(old, counted, "a counter of the old group moved");
    let delta = after - before;
    assert!(
        (new - delta).abs() <= 0.01 * delta + 0.001,
        "{new} of {delta}"
    );
    let started = |process| {
        let labels = [("process", process)];
        agent
            .scrape()
            .sum("hostlens_process_started_total", &labels)
    };
    assert_eq!((started("first red"), started("second red")), (1.0, 0.0));
    let second = status(&agent.scrape());
    assert_eq!((second.0, second.2, second.3), (1.0, 1.0, 1.0));
    assert!(second.1 > first.1, "{second:?} after {first:?}");

    // And by request; asking is not enough.
    assert_eq!(reload(&agent, "GET").status, 405);
    fs::write(&rules, "").unwrap();
    assert_eq!(reload(&agent, "POST").status, 200);
    await_members(&agent, "burner", 1.0);
    process.finish();
}

/// Without anything to fall back to, a mistake ends every command before it begins.
#[test]
fn a_mistake_at_the_start_is_one_line() {
    let names = Names::new();
    let rules = rules_file(&names, "process_rules:\n- name: a\n  com: b\n");
    let path = rules.to_str().unwrap();
    let missing = names.dir().join("missing.yaml");
    let missing = missing.to_str().unwrap();
    let place = format!("error: {path}:3: com is not known in a rule; there is name, ");
    let gone = format!("error: {missing}: cannot be read: No such file");
    for (arguments, expected) in [
        (
            &["agent", "--listen", "127.0.0.1:0", "--config", path][..],
            &place,
        ),
        (
            &["top", "--json", "--iterations", "1", "--config", path],
            &place,
        ),
        (&["doctor", "--config", path], &place),
        (&["doctor", "--config", missing], &gone),
    ] {
        let finished = agent::run(arguments, None);
        let said = String::from_utf8_lossy(&finished.stderr).into_owned();
        assert_eq!(finished.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.starts_with(expected), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
