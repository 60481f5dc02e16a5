//! Limits against what the kernel itself says of them in the same moment.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use hostlens_tests::{
    agent::Agent,
    deadline::{PATIENCE, poll_until, some_attempt},
    host::{AGENT, Need, Turn, offers},
    scrape::Scrape,
    workload::{Names, Start, Workload},
};

const RATIO: &str = "hostlens_limit_utilization_ratio";

/// The one row of a resource with these labels.
fn ratio(scrape: &Scrape, resource: &str, labels: &[(&str, &str)]) -> Result<f64, String> {
    let labels: Vec<_> = [("resource", resource)]
        .into_iter()
        .chain(labels.iter().copied())
        .collect();
    scrape.value(RATIO, &labels)
}

fn number(path: impl AsRef<Path>) -> f64 {
    let text = fs::read_to_string(path).unwrap();
    text.split_whitespace().next().unwrap().parse().unwrap()
}

fn descriptors(pid: u32) -> f64 {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as f64
}

/// What the descriptors of a process stand for.
fn links(pid: u32) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let links = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links
        .map(|link| link.to_string_lossy().into_owned())
        .collect()
}

#[test]
fn a_leak_of_descriptors() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    some_attempt("a leak", 3, || {
        let names = Names::new();
        let program = names.workload("leakingfds");
        let (limit, socket_every) = (1_000.0, 50);
        let arguments = format!("leak {limit} 60 20 30 {socket_every} 100000");
        let mut leak = Start::new(&program, &arguments).spawn();
        leak.reply();
        // Begun after it holds files, pipes and eventfds: the first look at types sees them.
        let agent = Agent::start("");
        let labels = [("process", "leakingfds"), ("user", "root")];
        let (then, before) = (Instant::now(), descriptors(leak.pid()));
        let (seconds, truth, used) = agent.await_scrape("seconds to full", PATIENCE, |scrape| {
            let now = (Instant::now(), descriptors(leak.pid()));
            let all: Vec<_> = [("resource", "open_files")]
                .into_iter()
                .chain(labels)
                .collect();
            let seconds = scrape.value("hostlens_limit_time_to_full_seconds", &all)?;
            let pace = (now.1 - before) / (now.0 - then).as_secs_f64();
            Ok((seconds, (limit - now.1) / pace, now.1))
        });
        let scrape = agent.scrape();
        let shown = ratio(&scrape, "open_files", &labels)?;
        let worst = scrape.value("hostlens_process_fd_limit_ratio", &labels)?;
        println!("{used} of {limit}, ratio {shown}: full in {seconds:.1} s, true {truth:.1} s");
        // Two cycles of one second, 20 sockets each, lie between the two looks.
        if (shown * limit - used).abs() > 60.0 {
            return Err(format!("{shown} of {limit}, {used} open"));
        }
        if (shown - worst).abs() > f64::EPSILON {
            return Err(format!("{shown} here, {worst} in the family of processes"));
        }
        if !(0.8..1.25).contains(&(seconds / truth)) {
            return Err(format!("full in {seconds} s, {truth} s in truth"));
        }
        let of = |kind| scrape.value("hostlens_process_fds", &[labels[0], ("type", kind)]);
        // What it inherited is among them, whatever that is here.
        let links = links(leak.pid());
        let begins = |start: &str| links.iter().filter(|link| link.starts_with(start)).count();
        let (pipe, anon) = (begins("pipe:"), begins("anon_inode:"));
        assert!(pipe >= 40 && anon >= 30, "{links:?}");
        assert_eq!((of("pipe")?, of("anon")?), (pipe as f64, anon as f64));
        assert!(of("file")? >= 60.0);
        // As many as there were when they were counted, once a minute.
        let sockets = of("socket")?;
        assert!(sockets >= 1.0 && sockets <= used, "{sockets} sockets");
        Ok(())
    });
}

/// Directories of one service in all hierarchies that matter; removed at the end.
struct Service {
    folders: Vec<PathBuf>,
}

const HIERARCHIES: [&str; 3] = ["systemd", "memory", "pids"];

impl Service {
    fn new(name: &str) -> Self {
        let folders = HIERARCHIES.map(|hierarchy| {
            Path::new("/sys/fs/cgroup")
                .join(hierarchy)
                .join("system.slice")
                .join(name)
        });
        for folder in &folders {
            fs::create_dir_all(folder).expect("make a control group");
        }
        Self {
            folders: folders.into(),
        }
    }

    fn file(&self, hierarchy: &str, file: &str) -> PathBuf {
        let at = HIERARCHIES.iter().position(|name| *name == hierarchy);
        self.folders[at.unwrap()].join(file)
    }

    fn take(&self, workload: &Workload) {
        for folder in &self.folders {
            fs::write(folder.join("cgroup.procs"), workload.pid().to_string()).expect("move");
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        for folder in &self.folders {
            // Those in it were killed and leave in a moment.
            for _ in 0..100 {
                match fs::remove_dir(folder) {
                    Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => {
                        std::thread::sleep(std::time::Duration::from_millis(20));
                    }
                    _ => break,
                }
            }
            // Only if nobody else uses it.
            let _ = fs::remove_dir(folder.parent().unwrap());
        }
    }
}

#[test]
fn limits_of_a_service() {
    const V1: &[Need] = &[
        Need::Path("/sys/fs/cgroup/systemd/cgroup.procs"),
        Need::Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Need::Path("/sys/fs/cgroup/pids/cgroup.procs"),
    ];
    if !offers(&[AGENT, V1]) {
        return;
    }
    let _turn = Turn::take();
    let name = "hostlens-limits.service";
    let service = Service::new(name);
    let (memory, pids) = (f64::from(64 << 20), 8.0);
    let set = |hierarchy, file, limit: f64| {
        fs::write(service.file(hierarchy, file), limit.to_string()).expect("set a limit");
    };
    set("memory", "memory.limit_in_bytes", memory);
    set("pids", "pids.max", pids);
    let names = Names::new();
    let program = names.workload("limitedsvc");
    let mut idle: Vec<Workload> = Vec::new();
    for _ in 0..6 {
        let member = Start::new(&program, "idle").spawn();
        service.take(&member);
        idle.push(member);
    }
    // Moved while it has nothing: pages are charged where they are first touched.
    let hog = names.script(
        "hog.sh",
        &format!("#!/bin/sh\nread go\nexec {} map 40\n", program.display()),
    );
    let mut hog = Start::new(&hog, "").spawn();
    service.take(&hog);
    hog.say("go");
    hog.reply();
    let agent = Agent::start("");
    let label = [("service", name)];
    poll_until("limits of a service", PATIENCE, || {
        let scrape = agent.scrape();
        let (bytes, threads) = (
            ratio(&scrape, "service_memory", &label)?,
            ratio(&scrape, "service_pids", &label)?,
        );
        let stat = fs::read_to_string(service.file("memory", "memory.stat")).unwrap();
        let cache = stat
            .lines()
            .find_map(|line| line.strip_prefix("total_inactive_file "));
        let cache: f64 = cache.unwrap().parse().unwrap();
        let used = number(service.file("memory", "memory.usage_in_bytes")) - cache;
        let current = number(service.file("pids", "pids.current"));
        println!("memory {bytes}, {used} bytes of {memory}; pids {threads}, {current} of {pids}");
        assert!(current >= 7.0 && used >= f64::from(40 << 20));
        let near = (bytes * memory - used).abs() < 0.02 * memory;
        (near && (threads * pids - current).abs() < 0.01)
            .then_some(())
            .ok_or_else(|| format!("memory {bytes}, pids {threads}"))
    });
    // The label of processes may be left out, that of a limit is all it has.
    drop(agent);
    let agent = Agent::start("--service-label off");
    agent.await_scrape("limits of a service", PATIENCE, |scrape| {
        ratio(scrape, "service_pids", &label)
    });
}

#[test]
fn limits_of_the_host_and_of_users() {
    const USER: u32 = 61_247;
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let program = names.workload("oneuser");
    let mut members: Vec<Workload> = Vec::new();
    for _ in 0..3 {
        members.push(Start::new(&program, "descriptors 5").user(USER).spawn());
    }
    members.iter_mut().for_each(|member| drop(member.reply()));
    let limits = fs::read_to_string(format!("/proc/{}/limits", members[0].pid())).unwrap();
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max processes"));
    let allowed: Option<f64> = line
        .and_then(|line| line.split_whitespace().next())
        .and_then(|limit| limit.parse().ok());
    let agent = Agent::start("");
    let port = agent.address.port().to_string();
    let user = USER.to_string();
    poll_until("limits of the host", PATIENCE, || {
        let scrape = agent.scrape();
        // Others come and go between the two looks.
        let near = |resource: &str, used: f64, limit: f64, slack: f64| {
            let shown = ratio(&scrape, resource, &[])? * limit;
            ((shown - used).abs() <= slack)
                .then_some(())
                .ok_or_else(|| format!("{resource}: {shown}, {used} in truth"))
        };
        let file_nr = fs::read_to_string("/proc/sys/fs/file-nr").unwrap();
        let file_nr: Vec<f64> = file_nr
            .split_whitespace()
            .map(|field| field.parse().unwrap())
            .collect();
        near("host_open_files", file_nr[0], file_nr[2], 0.2 * file_nr[0])?;
        let load = fs::read_to_string("/proc/loadavg").unwrap();
        let threads = load.split(['/', ' ']).nth(4).unwrap();
        let threads: f64 = threads.parse().unwrap();
        let pid_max = number("/proc/sys/kernel/pid_max");
        near("host_pids", threads, pid_max, 0.2 * threads)?;
        let most = number("/proc/sys/kernel/threads-max");
        near("host_threads", threads, most, 0.2 * threads)?;
        let tracked = Path::new("/proc/sys/net/netfilter/nf_conntrack_count");
        if tracked.exists() {
            let most = number("/proc/sys/net/netfilter/nf_conntrack_max");
            near("conntrack", number(tracked), most, 200.0)?;
        }
        let labels = [("process", "hostlens"), ("listen_port", port.as_str())];
        ratio(&scrape, "listen_backlog", &labels)?;
        if let Some(allowed) = allowed {
            let threads = ratio(&scrape, "user_threads", &[("user", &user)])? * allowed;
            assert!(
                (threads - 3.0).abs() < 0.01,
                "{threads} threads of the user"
            );
        }
        Ok(())
    });
    let status = agent.status();
    assert!(status.to_string().contains("fd_types"), "{status}");
}
