//! The served filesystem that slow disks and hung mounts are made of, shown to hold without the
//! agent.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::{FileExt, OpenOptionsExt},
    thread,
    time::{Duration, Instant},
};

use hostlens_tests::{
    deadline::{PATIENCE, poll_until},
    fuse::{FUSE, Op, Pace, Room, SlowFile},
    host::{Turn, offers},
    loop_device::{LOOP, LoopDevice, Mounted},
};

const BLOCK: usize = 4096;

/// Memory as direct I/O wants it.
#[repr(align(4096))]
struct Aligned([u8; BLOCK]);

/// Every request takes at least what was asked for, no longer than its asker saw, and data come
/// back as they were written.
#[test]
fn requests_take_their_time() {
    if !offers(&[FUSE]) {
        return;
    }
    let _turn = Turn::take();
    let slow = SlowFile::new(64 << 20);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_DIRECT)
        .open(slow.path())
        .expect("open the file");
    let delay = Duration::from_millis(10);
    slow.pace(Pace::of(delay));
    slow.take_done();
    let began = Instant::now();
    let mut block = Aligned([7; BLOCK]);
    file.write_all_at(&block.0, 8192).unwrap();
    file.sync_all().unwrap();
    block.0.fill(0);
    file.read_exact_at(&mut block.0, 8192).unwrap();
    let seen = began.elapsed();
    assert!(block.0.iter().all(|byte| *byte == 7));
    let mut done = slow.take_done();
    // The first write asks for an extended attribute.
    done.retain(|done| done.op != Op::Other);
    let ops: Vec<Op> = done.iter().map(|done| done.op).collect();
    assert_eq!(ops, [Op::Write, Op::Fsync, Op::Read]);
    assert_eq!(done[0].bytes, BLOCK as u32);
    assert!(done.iter().all(|done| done.took >= delay), "{done:?}");
    let took: Duration = done.iter().map(|done| done.took).sum();
    assert!(took <= seen, "{took:?} of {seen:?}");
}

/// As many requests as are served at once take no longer together than they would one by one, and
/// a limited rate holds all of them.
#[test]
fn requests_run_beside_each_other_within_the_rate() {
    if !offers(&[FUSE]) {
        return;
    }
    let _turn = Turn::take();
    let slow = SlowFile::new(64 << 20);
    slow.pace(Pace::of(Duration::from_millis(50)));
    let read = |count: u64| {
        slow.take_done();
        let began = Instant::now();
        thread::scope(|scope| {
            for at in 0..count {
                let path = slow.path();
                scope.spawn(move || {
                    let file = OpenOptions::new()
                        .read(true)
                        .custom_flags(libc::O_DIRECT)
                        .open(path)
                        .unwrap();
                    let mut block = Aligned([0; BLOCK]);
                    file.read_exact_at(&mut block.0, at * BLOCK as u64).unwrap();
                });
            }
        });
        (began.elapsed(), slow.take_done())
    };
    let (seen, done) = read(8);
    let took: Duration = done.iter().map(|done| done.took).sum();
    assert!(seen < took / 2, "one by one: {seen:?} for {took:?}");
    slow.pace(Pace {
        bytes_per_second: Some(80 * BLOCK as u64),
        ..Pace::default()
    });
    let (seen, _) = read(8);
    assert!(seen >= Duration::from_millis(100), "{seen:?}");
}

/// Under a loop device with a filesystem, all of it goes away again.
#[test]
fn carries_a_filesystem() {
    if !offers(&[FUSE, LOOP]) {
        return;
    }
    let _turn = Turn::take();
    let slow = SlowFile::new(64 << 20);
    let device = LoopDevice::new(&slow.path(), true);
    let mounted = Mounted::ext4(device.path());
    let name = device.name().to_owned();
    slow.pace(Pace::of(Duration::from_millis(5)));
    slow.take_done();
    let file = File::create(mounted.path().join("file")).unwrap();
    file.write_all_at(&[1; BLOCK], 0).unwrap();
    file.sync_all().unwrap();
    let done = slow.take_done();
    for op in [Op::Write, Op::Fsync] {
        assert!(done.iter().any(|done| done.op == op), "{op:?}: {done:?}");
    }
    drop((file, mounted, device, slow));
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(&name), "{mounts}");
    let backing = format!("/sys/block/{name}/loop/backing_file");
    assert!(fs::read(backing).is_err(), "{name} is still set up");
}

/// While it hangs nothing is answered, then everything; dropped while it hangs, whoever waits goes
/// on with an error and nothing stays mounted.
#[test]
fn hangs_and_goes_away() {
    if !offers(&[FUSE]) {
        return;
    }
    let _turn = Turn::take();
    let slow = SlowFile::new(1 << 20);
    slow.room(Room {
        blocks: 1000,
        free: 250,
        files: 100,
        files_free: 99,
    });
    slow.hang();
    let mountpoint = slow.mountpoint().to_owned();
    let figures = |mountpoint: std::path::PathBuf| {
        thread::spawn(move || nix::sys::statvfs::statvfs(&mountpoint))
    };
    let asking = figures(mountpoint.clone());
    let held = || {
        let waiting = slow.waiting();
        (waiting == [Op::Statfs])
            .then_some(())
            .ok_or_else(|| format!("{waiting:?}"))
    };
    poll_until("a request that waits", PATIENCE, held);
    assert!(!asking.is_finished());
    slow.resume();
    let answer = asking.join().unwrap().expect("statvfs");
    assert_eq!((answer.blocks(), answer.blocks_available()), (1000, 250));
    slow.hang();
    let asking = figures(mountpoint.clone());
    poll_until("a request that waits", PATIENCE, held);
    drop(slow);
    let error = asking.join().unwrap().unwrap_err();
    println!("a request without an answer: {error}");
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(mountpoint.to_str().unwrap()), "{mounts}");
}
