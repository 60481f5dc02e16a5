//! Room on filesystems: how full, how soon full, and what hangs without holding anything up.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use hostlens_tests::{
    agent::Agent,
    deadline::{PATIENCE, poll_until, some_attempt},
    fuse::{FSTYPE, FUSE, Op, Room, SOURCE, SlowFile},
    host::{AGENT, Turn, offers, scratch_dir},
    loop_device::{LOOP, LoopDevice, Mounted},
    scrape::Scrape,
    top::Top,
};
use nix::sys::{
    signal::Signal,
    statvfs::{Statvfs, statvfs},
};

/// Size of the filesystem that is filled.
const SIZE: u64 = 512 << 20;
/// What the writer adds at a time.
const CHUNK: usize = 512 << 10;
/// Between two chunks.
const PAUSE: Duration = Duration::from_millis(250);

const RATIO: &str = "hostlens_limit_utilization_ratio";
const TO_FULL: &str = "hostlens_limit_time_to_full_seconds";

/// Appends to a file at a steady pace until stopped.
struct Writer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    fn start(path: PathBuf) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                let mut file = File::create(path).unwrap();
                let chunk = vec![1; CHUNK];
                let began = Instant::now();
                for number in 1_u32.. {
                    file.write_all(&chunk).unwrap();
                    file.sync_data().unwrap();
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    // What was lost by waiting for others is caught up.
                    thread::sleep((PAUSE * number).saturating_sub(began.elapsed()));
                }
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Used bytes and those that everyone may still use.
fn bytes(figures: &Statvfs) -> (f64, f64) {
    let bytes = |blocks: u64| (blocks * figures.fragment_size()) as f64;
    let used = bytes(figures.blocks() - figures.blocks_free());
    (used, bytes(figures.blocks_available()))
}

fn labels<'a>(resource: &'a str, mountpoint: &'a Path) -> [(&'a str, &'a str); 2] {
    [
        ("resource", resource),
        ("mountpoint", mountpoint.to_str().unwrap()),
    ]
}

/// While a writer fills a filesystem, the time left is what its pace makes it; once it rests,
/// every figure is that of `statfs`; full is full.
#[test]
fn a_filesystem_fills() {
    if !offers(&[AGENT, LOOP]) {
        return;
    }
    let _turn = Turn::take();
    some_attempt("a filesystem that fills", 3, || {
        let scratch = scratch_dir();
        let image = scratch.path().join("image");
        File::create(&image).unwrap().set_len(SIZE).unwrap();
        let device = LoopDevice::new(&image, false);
        let mounted = Mounted::ext4(device.path());
        let place = mounted.path();
        let writer = Writer::start(place.join("growing"));
        let agent = Agent::start("");
        time_left(&agent, place)?;
        drop(writer);
        at_rest(&agent, place, device.path())?;
        full(&agent, place)
    });
}

/// Watches until the agent knows a pace, and holds it against the writer's own.
fn time_left(agent: &Agent, place: &Path) -> Result<(), String> {
    let began = Instant::now();
    let (used_before, _) = bytes(&statvfs(place).unwrap());
    let bytes_of = labels("filesystem_bytes", place);
    agent.await_scrape("the time left", PATIENCE, |scrape| {
        scrape.value(TO_FULL, &bytes_of)
    });
    // Some more evidence, then one look.
    agent.await_cycles(10);
    let said = agent.scrape().value(TO_FULL, &bytes_of)?;
    let (used, left) = bytes(&statvfs(place).unwrap());
    let pace = (used - used_before) / began.elapsed().as_secs_f64();
    let truth = left / pace;
    println!("full in {said} s by the agent, {truth} s by the pace of {pace} bytes/s");
    if (said / truth - 1.0).abs() > 0.2 {
        return Err(format!("{said} s instead of {truth} s"));
    }
    Ok(())
}

/// Nothing writes: all figures are exact.
fn at_rest(agent: &Agent, place: &Path, device: &Path) -> Result<(), String> {
    // Blocks set aside for what is yet to be written are taken into account when it is written.
    nix::unistd::sync();
    for n in 0..500 {
        File::create(place.join(format!("empty-{n}"))).unwrap();
    }
    let figures = statvfs(place).unwrap();
    let (used, left) = bytes(&figures);
    let inodes = (figures.files() - figures.files_free()) as f64 / figures.files() as f64;
    let size = (figures.blocks() * figures.fragment_size()) as f64;
    let all = [
        ("mountpoint", place.to_str().unwrap()),
        ("device", device.to_str().unwrap()),
        ("fstype", "ext4"),
    ];
    let same = |scrape: &Scrape| {
        let ratio = |resource| scrape.value(RATIO, &labels(resource, place));
        let value = |name: &str| scrape.value(&format!("hostlens_filesystem_{name}"), &all);
        let found = [
            ratio("filesystem_bytes")?,
            ratio("filesystem_inodes")?,
            value("size_bytes")?,
            value("available_bytes")?,
            value("free_inodes")?,
            value("hung")?,
        ];
        let free = figures.files_free() as f64;
        let expected = [used / (used + left), inodes, size, left, free, 0.0];
        let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-9 * b.abs();
        (found.iter().zip(&expected).all(near))
            .then_some(())
            .ok_or_else(|| format!("{found:?} instead of {expected:?}"))
    };
    let mut last = Ok(());
    for _ in 0..10 {
        agent.await_cycles(1);
        last = same(&agent.scrape());
        if last.is_ok() {
            break;
        }
    }
    last
}

/// Fills what is left.
fn full(agent: &Agent, place: &Path) -> Result<(), String> {
    let mut file = File::create(place.join("rest")).unwrap();
    let chunk = vec![2; 4 * CHUNK];
    while file.write_all(&chunk).is_ok() {}
    let _ = file.sync_all();
    let (_, left) = bytes(&statvfs(place).unwrap());
    let bytes_of = labels("filesystem_bytes", place);
    agent.await_cycles(2);
    let scrape = agent.scrape();
    let ratio = scrape.value(RATIO, &bytes_of)?;
    let to_full = scrape.value(TO_FULL, &bytes_of);
    if ratio < 0.99 || left == 0.0 && to_full != Ok(0.0) {
        return Err(format!("{ratio} used, {left} left, full in {to_full:?}"));
    }
    Ok(())
}

fn is(value: Result<f64, String>, expected: f64) -> Result<(), String> {
    let value = value?;
    (value == expected)
        .then_some(())
        .ok_or_else(|| format!("{value} instead of {expected}"))
}

/// A mount whose server falls silent is called hung, is touched by one request and no more, holds
/// up neither cycles nor the end of the agent, and is well again when its server is.
#[test]
fn a_mount_hangs() {
    if !offers(&[AGENT, FUSE]) {
        return;
    }
    let _turn = Turn::take();
    let slow = SlowFile::new(1 << 20);
    slow.room(Room {
        blocks: 1000,
        free: 250,
        files: 0,
        files_free: 0,
    });
    let place = slow.mountpoint().to_str().unwrap().to_owned();
    let all = [
        ("mountpoint", &*place),
        ("device", SOURCE),
        ("fstype", FSTYPE),
    ];
    let hung = |scrape: &Scrape| scrape.value("hostlens_filesystem_hung", &all);
    let ratio =
        |scrape: &Scrape| scrape.value(RATIO, &labels("filesystem_bytes", slow.mountpoint()));
    let mut agent = Agent::start("");
    agent.await_scrape("a mount that answers", PATIENCE, |scrape| {
        is(hung(scrape), 0.0)?;
        is(ratio(scrape), 0.75)?;
        is(
            scrape.value("hostlens_filesystem_size_bytes", &all),
            4_096_000.0,
        )
    });
    let inodes = labels("filesystem_inodes", slow.mountpoint());
    assert!(agent.scrape().series(RATIO, &inodes).is_empty());

    slow.hang();
    agent.await_scrape("a mount that hangs", PATIENCE, |scrape| {
        is(hung(scrape), 1.0)
    });
    agent.await_cycles(5);
    assert_eq!(slow.waiting(), [Op::Statfs], "touched once, and not again");
    let scrape = agent.scrape();
    assert!(ratio(&scrape).is_err(), "its room is not known");
    assert_eq!(hung(&scrape), Ok(1.0));
    // Others are read as before.
    is(
        scrape.value("hostlens_filesystem_hung", &[("mountpoint", "/")]),
        0.0,
    )
    .unwrap();

    slow.resume();
    agent.await_scrape("a mount that answers again", PATIENCE, |scrape| {
        is(hung(scrape), 0.0)?;
        is(ratio(scrape), 0.75)
    });

    slow.hang();
    agent.await_scrape("a mount that hangs again", PATIENCE, |scrape| {
        is(hung(scrape), 1.0)
    });
    agent.signal(Signal::SIGTERM);
    let status = agent.wait(PATIENCE);
    assert!(status.success(), "{status}");
}

/// What hangs from the start hinders nobody either, and `top` shows it.
#[test]
fn a_mount_hangs_from_the_start() {
    if !offers(&[AGENT, FUSE]) {
        return;
    }
    let _turn = Turn::take();
    let slow = SlowFile::new(1 << 20);
    slow.hang();
    let place = slow.mountpoint().to_str().unwrap().to_owned();
    let top = Top::start();
    top.await_cycle("a mount that hangs", PATIENCE, |cycle| {
        let rows = cycle["filesystems"].as_array().ok_or("no filesystems")?;
        let row = rows.iter().find(|row| row["mountpoint"] == *place);
        let row = row.ok_or_else(|| format!("{place} is not listed"))?;
        (row["hung"] == true && row["size_bytes"].is_null())
            .then_some(())
            .ok_or_else(|| row.to_string())
    });
    poll_until("one request", PATIENCE, || {
        let waiting = slow.waiting();
        (waiting == [Op::Statfs])
            .then_some(())
            .ok_or_else(|| format!("{waiting:?}"))
    });
    drop(top);
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(mounts.contains(&place));
}
