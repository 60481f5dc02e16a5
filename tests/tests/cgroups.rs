//! Processes in cgroups as container runtimes and systemd shape them, in v1 hierarchies and in v2.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::process::{Command, Stdio};

use hostlens_tests::{
    agent::Agent,
    cgroup::{Cgroup, mount},
    holder::PATIENCE,
    host::{AGENT, Need, Turn, offers},
    scrape::Scrape,
    top,
    workload::{Names, Start, Workload},
};
use serde_json::json;

const NEEDS: &[Need] = &[Need::Root];
const ID: &str = "4f1c9e0b7a6d52830c4be19f7d3a86521e0f9c7b4d8a63520fb1e9d7c3a86540";
const SHORT: &str = "4f1c9e0b7a6d";
const POD: &str = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";

const V2: &[&str] = &[""];
const V1: &[&str] = &["name=systemd", "memory", "pids"];
/// That of systemd alone, as for a unit without accounting.
const NAMED: &[&str] = &["name=systemd"];

/// Where a process is put, and the service it then belongs to.
struct Shape {
    hierarchies: &'static [&'static str],
    path: &'static str,
    service: &'static str,
}

const fn shape(
    hierarchies: &'static [&'static str],
    path: &'static str,
    service: &'static str,
) -> Shape {
    Shape {
        hierarchies,
        path,
        service,
    }
}

/// `ID` is a container's, `UID_` a pod's with underscores.
const SHAPES: &[Shape] = &[
    shape(V1, "/docker/ID", SHORT),
    shape(V2, "/system.slice/docker-ID.scope", SHORT),
    shape(V2, "/machine.slice/libpod-ID.scope/container", SHORT),
    shape(V1, "/kubepods/besteffort/podUID/ID", "pod"),
    shape(
        V2,
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podU_ID.slice/cri-containerd-ID.scope",
        "pod",
    ),
    shape(V1, "/lxc.payload.hlweb/system.slice/cron.service", "hlweb"),
    shape(
        V2,
        "/machine.slice/systemd-nspawn@hlbox.service/payload",
        "hlbox",
    ),
    shape(
        V2,
        "/system.slice/hostlens-a.service/sub",
        "hostlens-a.service",
    ),
    shape(
        NAMED,
        "/system.slice/hostlens-b.service",
        "hostlens-b.service",
    ),
    shape(
        NAMED,
        "/user.slice/user-1000.slice/session-3.scope",
        "session",
    ),
    shape(
        V2,
        "/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.scope",
        "user@1000",
    ),
    shape(V2, "/hostlens-test-plain", ""),
];

impl Shape {
    fn path(&self) -> String {
        self.path
            .replace("podUID", &format!("pod{POD}"))
            .replace("U_ID", &POD.replace('-', "_"))
            .replace("ID", ID)
    }

    fn service(&self) -> String {
        match self.service {
            "pod" => format!("pod-{POD}/{SHORT}"),
            other => other.to_owned(),
        }
    }
}

/// Processes in cgroups, which are removed in reverse order once all are dead.
struct Scene {
    workloads: Vec<Workload>,
    cgroups: Vec<Cgroup>,
    names: Names,
}

impl Scene {
    fn new() -> Self {
        Self {
            workloads: Vec::new(),
            cgroups: Vec::new(),
            names: Names::new(),
        }
    }

    /// A workload that moves into the cgroup before it executes, as runtimes have it.
    fn add(&mut self, name: &str, arguments: &str, cgroup: Cgroup) -> &mut Workload {
        let program = self.names.workload(name);
        let script = format!(
            "{} exec '{}' {arguments}",
            cgroup.enter(),
            program.display()
        );
        let workload = Start::new("/bin/sh".as_ref(), "-c").arg(script).spawn();
        self.cgroups.push(cgroup);
        self.workloads.push(workload);
        self.workloads.last_mut().unwrap()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.workloads.clear();
        while self.cgroups.pop().is_some() {}
    }
}

/// The services of the rows in which a process of this name lives.
fn services(scrape: &Scrape, name: &str) -> Vec<String> {
    let rows = scrape.series("hostlens_process_processes", &[("process", name)]);
    rows.iter()
        .map(|row| row.label("service").to_owned())
        .collect()
}

fn await_services(agent: &Agent, wanted: &[(String, String)]) {
    agent.await_scrape("services", PATIENCE, |scrape| {
        wanted.iter().try_for_each(|(name, service)| {
            let seen = services(scrape, name);
            (seen == [service.as_str()])
                .then_some(())
                .ok_or_else(|| format!("{name}: {seen:?}, not {service:?}"))
        })
    });
}

/// Whether all these hierarchies are mounted here.
fn mounted(hierarchies: &[&str]) -> bool {
    let missing = hierarchies.iter().find(|name| mount(name).is_none());
    if let Some(name) = missing {
        println!("SKIP: no hierarchy {name:?} here");
    }
    missing.is_none()
}

fn labels_are_right(arguments: &str) {
    let mut scene = Scene::new();
    let mut wanted = Vec::new();
    let agent = Agent::start(arguments);
    for (number, shape) in SHAPES.iter().enumerate() {
        if mounted(shape.hierarchies) {
            let name = format!("hlshape{number}");
            let cgroup = Cgroup::new(shape.hierarchies, &shape.path());
            scene.add(&name, "idle", cgroup);
            wanted.push((name, shape.service()));
        }
    }
    await_services(&agent, &wanted);
    // The same for those who were there before.
    let later = Agent::start(arguments);
    await_services(&later, &wanted);
}

#[test]
fn containers_and_units_are_told_apart() {
    if !offers(&[AGENT, NEEDS]) {
        return;
    }
    let _turn = Turn::take();
    labels_are_right("--process-budget 2000");
}

#[test]
fn they_are_without_kernel_programs() {
    if !offers(&[NEEDS]) {
        return;
    }
    let _turn = Turn::take();
    labels_are_right("--process-budget 2000 --ebpf off");
}

#[test]
fn the_label_can_be_switched_off() {
    if !offers(&[NEEDS]) || !mounted(V2) {
        return;
    }
    let _turn = Turn::take();
    let mut scene = Scene::new();
    let cgroup = Cgroup::new(V2, "/system.slice/hostlens-a.service");
    scene.add("hlnolabel", "idle", cgroup);
    let agent = Agent::start("--service-label off --process-budget 2000");
    await_services(&agent, &[("hlnolabel".to_owned(), String::new())]);
    let scrape = agent.scrape();
    let owned = scrape
        .samples
        .iter()
        .filter(|sample| sample.name.starts_with("hostlens_process_"));
    assert!(owned.clone().count() > 0);
    for sample in owned {
        assert_eq!(sample.label("service"), "", "{sample:?}");
    }
}

/// What moves from one cgroup to another counts there from then on; who listens is known by the
/// service too.
#[test]
fn a_listener_has_the_service_of_its_process_also_once_it_moves() {
    if !offers(&[AGENT, NEEDS]) || !mounted(V2) {
        return;
    }
    let _turn = Turn::take();
    let mut scene = Scene::new();
    let first = Cgroup::new(V2, "/system.slice/hostlens-first.service");
    let server = scene.add("hlserver", "serve 127.0.0.1", first);
    let pid = server.pid();
    let port = server.reply()["port"].to_string();
    let agent = Agent::start("--process-budget 2000");
    let await_owner = |service: &str| {
        let labels = [
            ("listen_port", port.as_str()),
            ("process", "hlserver"),
            ("service", service),
        ];
        agent.await_scrape("the listener", PATIENCE, |scrape| {
            scrape.value("hostlens_tcp_listen_queue_limit", &labels)
        });
        await_services(&agent, &[("hlserver".to_owned(), service.to_owned())]);
    };
    await_owner("hostlens-first.service");
    let second = Cgroup::new(V2, &format!("/system.slice/docker-{ID}.scope"));
    second.take(pid);
    scene.cgroups.push(second);
    agent.await_scrape("the new service", PATIENCE, |scrape| {
        let seen = services(scrape, "hlserver");
        (seen == [SHORT])
            .then_some(())
            .ok_or_else(|| format!("{seen:?}"))
    });
    let status = agent.status();
    let source = top::row(&status, "sources", &[("signal", json!("service"))]).unwrap();
    assert_eq!(source["degraded"], json!(null), "{source}");
}

/// Five hundred cgroups that live for a moment each: every process is counted, and nothing of them
/// stays.
#[test]
fn cgroups_that_live_shortly_leave_no_residue() {
    const COUNT: u32 = 500;
    if !offers(&[AGENT, NEEDS]) || !mounted(V2) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let program = names.add("hlbrief", "/bin/true".as_ref());
    let agent = Agent::start("--interval 500ms --process-budget 5000");
    let used = |scrape: &Scrape| {
        ["cgroups", "services"].map(|map| scrape.value("hostlens_agent_map_used", &[("map", map)]))
    };
    agent.await_cycles(3);
    let before = used(&agent.scrape()).map(Result::unwrap);
    let parent = Cgroup::new(V2, "/system.slice");
    for number in 0..COUNT {
        let cgroup = Cgroup::new(V2, &format!("/system.slice/hlbrief-{number}.service"));
        let script = format!("{} exec '{}'", cgroup.enter(), program.display());
        let status = Command::new("/bin/sh")
            .args(["-c", &script])
            .stdin(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
    }
    drop(parent);
    let ended = agent.settled(|scrape| {
        scrape.sum("hostlens_process_exited_total", &[("process", "hlbrief")]) as u32
    });
    let scrape = agent.scrape();
    let unknown = scrape.sum(
        "hostlens_process_exited_total",
        &[("process", "hlbrief"), ("service", "unknown")],
    );
    let none = scrape.sum(
        "hostlens_process_exited_total",
        &[("process", "hlbrief"), ("service", "")],
    );
    println!("{ended} of {COUNT} ended, {unknown} of a cgroup that had gone, {none} of none");
    assert!(ended.abs_diff(COUNT) <= COUNT / 50, "{ended} of {COUNT}");
    let after = agent.await_scrape("no residue", PATIENCE, |scrape| {
        let [cgroups, services] = used(scrape);
        let now = [cgroups?, services?];
        // Others come and go on this host.
        let few = |index: usize| now[index] <= before[index] + 25.0;
        (few(0) && few(1))
            .then_some(now)
            .ok_or_else(|| format!("{now:?} after {before:?}"))
    });
    println!("cgroups and services: {before:?} before, {after:?} after");
}
