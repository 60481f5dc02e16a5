//! Processes that were started together, as one line of `top`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{fs, path::PathBuf};

use hostlens_tests::{
    deadline::PATIENCE,
    host::{AGENT, Need, Turn, command, offers},
    top::{Top, row},
    workload::{Names, Start, Workload},
};
use serde_json::{Value, json};

/// Has no name.
const USER: u32 = 54_031;

/// A pipeline in a session of its own, until its standard input ends.
fn pipeline(names: &Names) -> Workload {
    let (dump, zip) = (names.workload("jobdump"), names.workload("jobzip"));
    let setsid = PathBuf::from(command("setsid").get_program());
    let script = format!("{} spin 0 | {} idle", dump.display(), zip.display());
    Start::new(&setsid, "sh -c").arg(script).user(USER).spawn()
}

/// Whether what is started here is kept in the root of every hierarchy: else the container or unit
/// holds it together, whatever its session.
fn in_no_cgroup() -> bool {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap();
    groups.lines().all(|line| line.ends_with(":/"))
}

fn cpu_seconds(pid: &Value) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap();
    let ns: u64 = text.split_whitespace().next().unwrap().parse().unwrap();
    ns as f64 / 1e9
}

fn reads_as_one_thing(source: &str) {
    if !offers(&[AGENT, &[Need::Tool("setsid")]]) {
        return;
    }
    if !in_no_cgroup() {
        println!("SKIP: sessions are told apart outside of containers and units only");
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let top = Top::start_with(&format!("--ebpf {source}"));
    // Another one like it is another job.
    let pipelines = [pipeline(&names), pipeline(&names)];
    for process in &pipelines {
        let session = [("session", json!(process.pid()))];
        let spinner = top.await_cycle("a spinning member", PATIENCE, |cycle| {
            let job = row(cycle, "jobs", &session)?;
            if job["job"] != "jobdump | jobzip" || job["processes"] != 3 {
                return Err(format!("{job}"));
            }
            // Of all that have its name, the one beneath this pipeline's shell.
            let fields = [
                ("process", json!("jobdump")),
                ("ppid", json!(process.pid())),
            ];
            Ok(row(cycle, "members", &fields)?["pid"].clone())
        });
        let before = cpu_seconds(&spinner);
        top.await_cycle("its CPU time", PATIENCE, |cycle| {
            let job = row(cycle, "jobs", &session)?;
            let seen = job["cpu_seconds"].as_f64().unwrap();
            // The rest of the pipeline takes some milliseconds at its start.
            let after = cpu_seconds(&spinner) + 0.2;
            assert!(seen <= after, "{seen} of {after}: {job}");
            let fits = seen >= before
                && job["cpu"].as_f64() > Some(0.0)
                && job["user"] == json!(USER.to_string())
                && job["service"].is_null()
                && job["threads"] == 3;
            fits.then_some(()).ok_or_else(|| format!("{before}: {job}"))
        });
    }
    let [first, second] = pipelines;
    let gone = json!(first.pid());
    first.finish();
    top.await_cycle("one job less", PATIENCE, |cycle| {
        let jobs = cycle["jobs"].as_array().unwrap();
        let left = jobs.iter().filter(|job| job["session"] == gone).count();
        row(cycle, "jobs", &[("session", json!(second.pid()))])?;
        (left == 0)
            .then_some(())
            .ok_or_else(|| format!("{left} left"))
    });
    second.finish();
}

#[test]
fn a_pipeline_reads_as_one_thing() {
    reads_as_one_thing("on");
}

/// The walk over `/proc` knows starts in ticks of 10 ms: those of one tick stand by their pids.
#[test]
fn a_pipeline_reads_as_one_thing_from_proc() {
    reads_as_one_thing("off");
}
