//! Disks: how long requests take, for whom, and what is said where the kernel does not tell. The
//! truth is what the server behind each device measured itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{
    cell::RefCell,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use hostlens_tests::{
    agent::Agent,
    deadline::{PATIENCE, some_attempt},
    fuse::{FUSE, Op, Pace, SlowFile},
    host::{AGENT, Turn, offers},
    loop_device::{LOOP, LoopDevice, Mounted},
    scrape::Scrape,
    top::{self, Top},
    workload::{Names, Start, Workload},
};
use serde_json::{Value, json};

const BLOCK: u64 = 4096;
const SIZE: u64 = 64 << 20;
/// Requests of each kind.
const COUNT: u64 = 60;

/// A disk that knows what its requests really took.
struct Disk {
    // Dropped in this order: whoever uses it goes first.
    device: LoopDevice,
    slow: SlowFile,
}

impl Disk {
    fn new() -> Self {
        let slow = SlowFile::new(SIZE);
        Self {
            device: LoopDevice::new(&slow.path(), true),
            slow,
        }
    }

    fn asker(&self, names: &Names, process: &str, what: &str) -> Workload {
        let path = self.device.path().display();
        Start::new(
            &names.workload(process),
            &format!("requests {path} {what} --over {SIZE}"),
        )
        .spawn()
    }
}

/// Has a workload ask once.
fn ask(workload: &mut Workload) {
    workload.say("go");
    workload.reply();
}

/// A cgroup of the io controller with one process in it; the process goes first.
struct Unit {
    workload: Option<Workload>,
    path: PathBuf,
}

impl Unit {
    fn new(name: &str, workload: Workload) -> Self {
        let v1 = Path::new("/sys/fs/cgroup/blkio");
        let root = if v1.is_dir() {
            v1
        } else {
            Path::new("/sys/fs/cgroup")
        };
        let path = root.join("system.slice").join(name);
        fs::create_dir_all(&path).expect("make a cgroup");
        fs::write(path.join("cgroup.procs"), workload.pid().to_string()).expect("move a process");
        Self {
            workload: Some(workload),
            path,
        }
    }

    fn workload(&mut self) -> &mut Workload {
        self.workload.as_mut().expect("a workload")
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        self.workload = None;
        for path in [Some(self.path.as_path()), self.path.parent()] {
            // The slice may be in use by others.
            let _ = path.map(fs::remove_dir);
        }
    }
}

/// Index of the bucket of the native histogram (schema 3).
fn bucket(seconds: f64) -> i32 {
    (seconds.log2() * 8.0).ceil() as i32
}

/// Median and 95th percentile of what the server measured for one kind.
fn truth(slow: &SlowFile, op: Op) -> [f64; 2] {
    let done = slow.take_done().into_iter();
    let mut took: Vec<f64> = done
        .filter(|done| done.op == op)
        .map(|done| done.took.as_secs_f64())
        .collect();
    assert!(took.len() as u64 >= COUNT, "{op:?}: {}", took.len());
    took.sort_by(f64::total_cmp);
    [0.5, 0.95].map(|q| took[(took.len() as f64 * q) as usize])
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

/// What one operation of a row says.
fn operation<'a>(row: &'a Value, op: &str) -> Result<&'a Value, String> {
    let ops = row["operations"].as_array().into_iter().flatten();
    let found = ops.into_iter().find(|row| row["op"] == *op);
    found.ok_or_else(|| format!("no {op} in {row}"))
}

/// Random reads at three speeds at once, sequential writes at a fourth, one process and unit each:
/// what each disk, and each service, is said to take is what it took.
#[test]
fn times_are_those_of_the_disk() {
    if !offers(&[AGENT, FUSE, LOOP]) {
        return;
    }
    let _turn = Turn::take();
    some_attempt("times of requests", 3, || {
        let names = Names::new();
        let top = Top::start();
        let kinds = [(5, "read"), (10, "read"), (20, "read"), (10, "write")];
        let disks: Vec<_> = kinds
            .iter()
            .map(|(millis, kind)| {
                let disk = Disk::new();
                disk.slow.pace(Pace::of(Duration::from_millis(*millis)));
                let asker = disk.asker(&names, "slowdb", &format!("{kind} {COUNT} {BLOCK}"));
                let unit = format!("{kind}-{millis}.service");
                (disk, Unit::new(&unit, asker), unit)
            })
            .collect();
        let mut disks = disks;
        for (disk, unit, _) in &mut disks {
            disk.slow.take_done();
            ask(unit.workload());
        }
        for ((disk, _, unit), (_, kind)) in disks.iter().zip(kinds) {
            let op = if kind == "read" { Op::Read } else { Op::Write };
            let truth = truth(&disk.slow, op);
            let device = json!(disk.device.name());
            let (of_disk, of_unit) =
                top.await_cycle(&format!("{unit} in full"), PATIENCE, |cycle| {
                    let row = top::row(cycle, "disks", &[("device", device.clone())])?;
                    let unit = top::row(cycle, "service_disks", &[("service", json!(unit))])?;
                    let (row, unit) = (operation(row, kind)?, operation(unit, kind)?);
                    let timed = unit["timed_requests"].as_u64().unwrap_or(0);
                    if timed < COUNT * 9 / 10 {
                        return Err(format!("{timed} requests timed: {unit}"));
                    }
                    Ok((row.clone(), unit.clone()))
                });
            // Whoever else looks at a new disk (udev) reads it too, as slowly.
            near("disk", truth, &of_disk["io_seconds"])?;
            near("at the device", truth, &of_disk["service_seconds"])?;
            near("service", truth, &of_unit["io_seconds"])?;
            let bytes = of_unit["bytes"].as_u64().unwrap_or(0);
            if !(COUNT * BLOCK * 9 / 10..=COUNT * BLOCK).contains(&bytes) {
                return Err(format!("{bytes} bytes"));
            }
            println!("{unit}: {truth:?}, {}", of_unit["io_seconds"]);
        }
        Ok(())
    });
}

/// A filesystem: each `fsync` ends in a flush of the disk, which takes its own time; what is only
/// written goes later, for nobody the kernel remembers (v1) or for whom it was (v2).
#[test]
fn flushes_and_what_is_written_later() {
    if !offers(&[AGENT, FUSE, LOOP]) {
        return;
    }
    let _turn = Turn::take();
    some_attempt("flushes", 3, || {
        let names = Names::new();
        let disk = Disk::new();
        let mounted = Mounted::ext4(disk.device.path());
        let top = Top::start();
        disk.slow.pace(Pace {
            fsync: Duration::from_millis(20),
            write: Duration::from_millis(2),
            ..Pace::default()
        });
        disk.slow.take_done();
        let file = mounted.path().join("journal");
        let mut syncer = Start::new(
            &names.workload("syncer"),
            &format!("requests {} fsync {COUNT} {BLOCK}", file.display()),
        )
        .spawn();
        ask(&mut syncer);
        let truth = truth(&disk.slow, Op::Fsync);
        let device = json!(disk.device.name());
        let flush = top.await_cycle("all flushes", PATIENCE, |cycle| {
            let row = top::row(cycle, "disks", &[("device", device.clone())])?;
            let flush = operation(row, "flush")?;
            let timed = flush["timed_requests"].as_u64().unwrap_or(0);
            let enough = timed >= COUNT * 9 / 10;
            enough.then(|| flush.clone()).ok_or_else(|| row.to_string())
        });
        near("flush", truth, &flush["io_seconds"])?;
        syncer.finish();

        disk.slow.pace(Pace::default());
        let mebibytes = 8;
        let written = |cycle: &Value, user: Value| -> u64 {
            let rows = top::rows(cycle, "service_disks", &[("service", user)]);
            let ops = rows.iter().filter_map(|row| operation(row, "write").ok());
            ops.filter_map(|write| write["bytes"].as_u64()).sum()
        };
        let before = top.await_cycle("a cycle", PATIENCE, |cycle| {
            Ok(written(cycle, json!("writeback")) + written(cycle, json!("later.service")))
        });
        let file = mounted.path().join("later");
        let writer = Start::new(
            &names.workload("writer"),
            &format!(
                "requests {} buffered {mebibytes} {}",
                file.display(),
                1 << 20
            ),
        )
        .spawn();
        let mut unit = Unit::new("later.service", writer);
        ask(unit.workload());
        nix::unistd::sync();
        top.await_cycle("what was written later", PATIENCE, |cycle| {
            let now = written(cycle, json!("writeback")) + written(cycle, json!("later.service"));
            let more = now.saturating_sub(before);
            (more >= (mebibytes << 20) / 2)
                .then_some(())
                .ok_or_else(|| format!("{more} bytes: {}", cycle["service_disks"]))
        });
        Ok(())
    });
}

/// The statistics of a disk, on again when dropped.
struct Statistics(PathBuf);

impl Statistics {
    fn off(device: &str) -> Self {
        let path = PathBuf::from(format!("/sys/block/{device}/queue/iostats"));
        fs::write(&path, "0").expect("switch the statistics off");
        Self(path)
    }
}

impl Drop for Statistics {
    fn drop(&mut self) {
        if let Err(error) = fs::write(&self.0, "1") {
            eprintln!("{}: {error}", self.0.display());
        }
    }
}

/// Without statistics requests carry the times of their last use: nothing is said of them then,
/// and what comes after is right again.
#[test]
fn statistics_switched_off_are_absent_not_stale() {
    if !offers(&[AGENT, FUSE, LOOP]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let disk = Disk::new();
    disk.slow.pace(Pace::of(Duration::from_millis(2)));
    let mut asker = disk.asker(&names, "reader", &format!("read {COUNT} {BLOCK}"));
    let agent = Agent::start("--interval 500ms");
    let device = disk.device.name();
    let count = |scrape: &Scrape| {
        let labels = [("device", device), ("op", "read")];
        let series = scrape.series("hostlens_disk_io_seconds_count", &labels);
        series.first().map(|sample| sample.value)
    };
    let bytes = |scrape: &Scrape| {
        let labels = [("device", device), ("op", "read")];
        scrape.sum("hostlens_disk_io_bytes_total", &labels)
    };
    let slowest = |scrape: &Scrape| {
        let all = scrape.sum("hostlens_disk_io_seconds_count", &[("device", device)]);
        let short = [("device", device), ("le", "1.0")];
        all - scrape.sum("hostlens_disk_io_seconds_bucket", &short)
    };
    ask(&mut asker);
    let first = agent.await_scrape("the first reads", PATIENCE, |scrape| {
        let count = count(scrape).ok_or("no histogram")?;
        (count >= COUNT as f64 * 0.9)
            .then(|| (count, bytes(scrape)))
            .ok_or_else(|| count.to_string())
    });
    let off = Statistics::off(device);
    agent.await_scrape("absence", PATIENCE, |scrape| {
        let families = [
            "hostlens_disk_io_seconds_count",
            "hostlens_disk_busy_ratio",
            "hostlens_disk_busy_seconds_total",
            "hostlens_disk_queue_length",
        ];
        let there = families.map(|name| scrape.series(name, &[("device", device)]).len());
        (there == [0; 4]).then_some(()).ok_or(format!("{there:?}"))
    });
    ask(&mut asker);
    agent.await_scrape("bytes as programs see them", PATIENCE, |scrape| {
        assert_eq!(count(scrape), None);
        let more = bytes(scrape) - first.1;
        (more >= (COUNT * BLOCK) as f64 * 0.9)
            .then_some(())
            .ok_or_else(|| more.to_string())
    });
    drop(off);
    let back = agent.await_scrape("histograms again", PATIENCE, |scrape| {
        count(scrape).ok_or_else(|| "no histogram".to_owned())
    });
    assert!(
        back < first.0 + COUNT as f64 / 2.0,
        "{back} after {first:?}"
    );
    ask(&mut asker);
    agent.await_scrape("more reads", PATIENCE, |scrape| {
        let count = count(scrape).ok_or("no histogram")?;
        (count >= back + COUNT as f64 * 0.9)
            .then_some(())
            .ok_or_else(|| count.to_string())
    });
    assert_eq!(slowest(&agent.scrape()), 0.0, "nothing took a second here");
    asker.finish();
}

/// A disk that moves a fraction of what it moved before, busy all the time, is named.
#[test]
fn a_disk_far_below_its_best_is_slow() {
    if !offers(&[AGENT, FUSE, LOOP]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let disk = Disk::new();
    let top = Top::start();
    let rate: u64 = 5_000_000;
    let device = json!(disk.device.name());
    let row = |cycle: &Value| {
        let row = top::row(cycle, "disks", &[("device", device.clone())]);
        row.cloned()
    };
    let mebibyte = 1 << 20;
    let reader = disk.asker(&names, "reader", &format!("read 40 {mebibyte}"));
    let reader = RefCell::new(reader);
    // As fast as it can, until that has made its mark.
    let best = top.await_cycle("its best", PATIENCE, |cycle| {
        ask(&mut reader.borrow_mut());
        let best = row(cycle)?["best_bytes_per_second"].as_f64().unwrap_or(0.0);
        (best > rate as f64 * 10.0)
            .then_some(best)
            .ok_or_else(|| best.to_string())
    });
    disk.slow.pace(Pace {
        bytes_per_second: Some(rate),
        ..Pace::default()
    });
    reader.into_inner().finish();
    let mut reader = disk.asker(&names, "reader", &format!("read 400 {mebibyte}"));
    reader.say("go");
    let row = top.await_cycle("its verdict", 2 * PATIENCE, |cycle| {
        let row = row(cycle)?;
        (row["verdict"] == "slow")
            .then(|| row.clone())
            .ok_or_else(|| row.to_string())
    });
    reader.kill();
    println!("best {best}: {row}");
    let figure = |name: &str| row[name].as_f64().unwrap();
    assert!(figure("busy_ratio") >= 0.95);
    assert!(figure("throughput_of_best_ratio") <= 0.2);
}
