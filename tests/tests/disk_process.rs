//! Disks by process: how long the requests of each took that waited for them. The truth is what
//! the server behind each device measured itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::time::Duration;

use hostlens_tests::{
    deadline::{PATIENCE, some_attempt},
    fuse::{FUSE, Op, Pace, SlowFile},
    host::{AGENT, Need, Turn, offers},
    loop_device::{LOOP, LoopDevice},
    top::{self, Top},
    workload::{Names, Start, Workload},
};
use serde_json::{Value, json};

const BLOCK: u64 = 4096;
const SIZE: u64 = 64 << 20;
/// Requests of each process.
const COUNT: u64 = 60;
/// Tracepoint in the kernel's list; from 6.5.
const STARTS: &[Need] = &[Need::Path(
    "/sys/kernel/tracing/events/block/block_io_start",
)];

/// A process, the disk it alone uses, and what it asks for.
struct Asker {
    name: &'static str,
    op: Op,
    kind: &'static str,
    // Dropped in this order: whoever uses it goes first.
    workload: Workload,
    _device: LoopDevice,
    slow: SlowFile,
}

impl Asker {
    fn new(names: &Names, name: &'static str, op: Op, millis: u64) -> Self {
        let slow = SlowFile::new(SIZE);
        let device = LoopDevice::new(&slow.path(), true);
        slow.pace(Pace::of(Duration::from_millis(millis)));
        let kind = match op {
            Op::Read => "read",
            _ => "write",
        };
        let path = device.path().display().to_string();
        let what = format!("requests {path} {kind} {COUNT} {BLOCK} --over {SIZE}");
        Self {
            name,
            op,
            kind,
            workload: Start::new(&names.workload(name), &what).spawn(),
            _device: device,
            slow,
        }
    }

    /// Median and 95th percentile of what the server measured.
    fn truth(&self) -> [f64; 2] {
        let done = self.slow.take_done().into_iter();
        let mut took: Vec<f64> = done
            .filter(|done| done.op == self.op)
            .map(|done| done.took.as_secs_f64())
            .collect();
        assert!(took.len() as u64 >= COUNT, "{}: {}", self.name, took.len());
        took.sort_by(f64::total_cmp);
        [0.5, 0.95].map(|q| took[(took.len() as f64 * q) as usize])
    }
}

/// Index of the bucket of the native histogram (schema 3).
fn bucket(seconds: f64) -> i32 {
    (seconds.log2() * 8.0).ceil() as i32
}

fn near(what: &str, truth: [f64; 2], seen: &Value) -> Result<(), String> {
    for (truth, name) in truth.into_iter().zip(["p50", "p95"]) {
        let seen = seen[name]
            .as_f64()
            .ok_or_else(|| format!("{what}: {seen}"))?;
        if (bucket(seen) - bucket(truth)).abs() > 1 {
            return Err(format!("{what}: {name} {seen} for {truth}"));
        }
    }
    Ok(())
}

/// Two processes at two disks, one reads, the other writes: each is said to wait as long as its
/// own disk took, by exactly the requests it made.
#[test]
fn each_process_waits_for_its_own_disk() {
    if !offers(&[AGENT, FUSE, LOOP, STARTS]) {
        return;
    }
    let _turn = Turn::take();
    some_attempt("times of processes", 3, || {
        let names = Names::new();
        let top = Top::start_with("--process-disk-latency");
        let mut askers = [
            Asker::new(&names, "slowreader", Op::Read, 20),
            Asker::new(&names, "slowwriter", Op::Write, 8),
        ];
        for asker in &mut askers {
            asker.slow.take_done();
            asker.workload.say("go");
        }
        for asker in &mut askers {
            asker.workload.reply();
        }
        for asker in &askers {
            let truth = asker.truth();
            let what = format!("{} in full", asker.name);
            let seen = top.await_cycle(&what, PATIENCE, |cycle| {
                let process = [("process", json!(asker.name))];
                let row = top::row(cycle, "process_disks", &process)?;
                let ops = row["operations"].as_array().into_iter().flatten();
                let mut ops = ops.filter(|op| op["op"] == asker.kind);
                let op = ops.next().ok_or_else(|| row.to_string())?;
                let timed = op["timed_requests"].as_u64().unwrap_or(0);
                (timed >= COUNT)
                    .then(|| op.clone())
                    .ok_or_else(|| row.to_string())
            });
            println!("{}: {truth:?}, {seen}", asker.name);
            // Its own requests and no more, whoever else looks at a new disk.
            assert_eq!(seen["timed_requests"], COUNT, "{}", asker.name);
            near(asker.name, truth, &seen["io_seconds"])?;
        }
        Ok(())
    });
}

/// What is only written to memory goes to the disk later, in another's name: who wrote it did not
/// wait for the disk.
#[test]
fn written_later_is_not_waited_for() {
    if !offers(&[AGENT, FUSE, LOOP, STARTS]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let slow = SlowFile::new(SIZE);
    let device = LoopDevice::new(&slow.path(), true);
    let top = Top::start_with("--process-disk-latency");
    let (mebibytes, path) = (8, device.path().display());
    let what = format!("requests {path} buffered {mebibytes} {}", 1 << 20);
    let mut writer = Start::new(&names.workload("laterwriter"), &what).spawn();
    writer.say("go");
    writer.reply();
    // It stays: whoever closes a device last waits for what is left to write.
    nix::unistd::sync();
    let written = json!(device.name());
    top.await_cycle("what was written", PATIENCE, |cycle| {
        let row = top::row(cycle, "disks", &[("device", written.clone())])?;
        let ops = row["operations"].as_array().into_iter().flatten();
        let writes = ops.filter(|op| op["op"] == "write");
        let bytes: u64 = writes.filter_map(|op| op["bytes"].as_u64()).sum();
        (bytes >= mebibytes << 20)
            .then_some(())
            .ok_or_else(|| row.to_string())
    });
    // Processes are told of a cycle later at most.
    let others = top.await_cycle("the next cycle", PATIENCE, |cycle| {
        Ok(cycle["process_disks"].clone())
    });
    let rows = others.as_array().into_iter().flatten();
    let mine = rows.filter(|row| row["process"] == "laterwriter");
    let writes = |row: &Value| row["operations"].to_string().contains("\"write\"");
    assert!(!mine.into_iter().any(writes), "{others}");
    writer.finish();
}

/// Nobody asked: there is neither a source nor a row.
#[test]
fn nothing_is_told_unless_asked_for() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let top = Top::start();
    top.await_cycle("a cycle without processes at disks", PATIENCE, |cycle| {
        assert_eq!(cycle["process_disks"], json!([]));
        let sources = cycle["sources"].as_array().into_iter().flatten();
        let signals: Vec<_> = sources.map(|source| source["signal"].clone()).collect();
        assert!(signals.contains(&json!("disk")), "{signals:?}");
        assert!(!signals.contains(&json!("disk_process")), "{signals:?}");
        Ok(())
    });
}
