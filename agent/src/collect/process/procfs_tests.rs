#![allow(clippy::unwrap_used, reason = "tests")]

use std::{fs, path::PathBuf, sync::Arc};

use hostlens_ebpf::wire::{TaskTotals, ThreadRecord};

use super::*;

#[derive(Default)]
struct Seen(Vec<TaskRecord>);

impl ProcessSink for Seen {
    fn process(&mut self, record: &TaskRecord, _: &mut dyn Names) {
        self.0.push(*record);
    }
    fn thread(&mut self, _: &ThreadRecord) {}
    fn lost(&mut self, _: &TaskTotals) {}
}

struct NoNames;

impl Names for NoNames {
    fn process(&mut self, _: &TaskRecord) -> Arc<str> {
        "".into()
    }
    fn user(&mut self, _: u32) -> Arc<str> {
        "".into()
    }
    fn service(&mut self, _: &TaskRecord) -> Arc<str> {
        "".into()
    }
}

fn walk(collector: &mut ProcfsCollector) -> (ProcfsOutcome, Vec<TaskRecord>) {
    let mut seen = Seen::default();
    let outcome = collector.collect(&mut seen, &mut NoNames).unwrap();
    assert_eq!(outcome.processes, seen.0.len() as u64);
    (outcome, seen.0)
}

/// A `/proc` of our own making, removed at the end.
struct Fixture(PathBuf);

impl Fixture {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("hostlens-{name}-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        Self(root)
    }

    fn process(&self, pid: u32, stat: &str, files: &[(&str, &str)]) {
        let folder = self.0.join(pid.to_string());
        fs::create_dir_all(folder.join("fd")).unwrap();
        fs::write(folder.join("stat"), stat).unwrap();
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
        }
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn stat(pid: u32, comm: &str, state: char, flags: u32, start: u64, stack: u64) -> String {
    format!(
        "{pid} ({comm}) {state} 1 1 1 0 -1 {flags} 10 0 2 0 50 25 0 0 20 0 3 0 {start} 9999 77 \
         18446744073709551615 1 1 {stack} 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
    )
}

const LIMITS: &str = "Limit                     Soft Limit           Hard Limit           Units     \n\
Max open files            1024                 524288               files     \n";

#[test]
fn our_own_process_is_found() {
    let held = fs::File::open("/dev/null").unwrap();
    let (outcome, records) = walk(&mut ProcfsCollector::default());
    assert!(outcome.complete);
    let pid = std::process::id();
    let own: Vec<_> = records.iter().filter(|record| record.tgid == pid).collect();
    assert_eq!(own.len(), 1);
    let own = own[0];
    assert!(own.open_fds >= 4 && own.open_fds != UNKNOWN_U32);
    assert!(u64::from(own.open_fds) <= own.fd_limit);
    // This test runs beside the harness's own thread.
    assert!(own.threads >= 2);
    assert!(own.counters.runtime_ns > 0 && own.start_ns > 0 && own.rss[1] > 100);
    assert!(own.counters.minor_faults > 0);
    // SAFETY: geteuid has no preconditions.
    assert_eq!(own.uid, unsafe { libc::geteuid() });
    assert_eq!(own.flags & !TaskFlags::RUN_DELAY, TaskFlags::HAS_MM);
    let netns = fs::metadata("/proc/self/ns/net").unwrap();
    assert_eq!(
        u64::from(own.netns),
        std::os::unix::fs::MetadataExt::ino(&netns)
    );
    drop(held);
}

#[test]
fn kernel_threads_are_told_apart() {
    let (_, records) = walk(&mut ProcfsCollector::default());
    let Some(kthreadd) = records
        .iter()
        .find(|record| record.comm.starts_with(b"kthreadd\0"))
    else {
        eprintln!("skipped: no kernel threads in this pid namespace");
        return;
    };
    assert_eq!(
        kthreadd.flags & !TaskFlags::RUN_DELAY,
        TaskFlags::KERNEL_THREAD
    );
    assert_eq!((kthreadd.open_fds, kthreadd.uid), (0, 0));
}

#[test]
fn counters_only_grow_and_execve_shows() {
    let mut child = std::process::Command::new("sh")
        .args(["-c", "read line; exec sleep 60"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut collector = ProcfsCollector::default();
    let pid = child.id();
    let look = |collector: &mut ProcfsCollector| {
        let (_, records) = walk(collector);
        *records.iter().find(|record| record.tgid == pid).unwrap()
    };
    let mut before = look(&mut collector);
    while !before.comm.starts_with(b"sh\0") {
        before = look(&mut collector);
    }
    let same = look(&mut collector);
    assert_eq!(same.exec_id, before.exec_id);
    drop(child.stdin.take());
    let mut after = look(&mut collector);
    while !after.comm.starts_with(b"sleep\0") {
        assert!(after.counters.runtime_ns >= before.counters.runtime_ns);
        after = look(&mut collector);
    }
    assert_ne!(after.exec_id, before.exec_id);
    assert_eq!(after.start_ns, before.start_ns);
    child.kill().unwrap();
    // Dead and not waited for: a zombie, still of the same name and execve.
    let mut zombie = look(&mut collector);
    while zombie.flags & TaskFlags::ZOMBIE == 0 {
        zombie = look(&mut collector);
    }
    child.wait().unwrap();
    assert_eq!(zombie.exec_id, after.exec_id);
    assert!(zombie.counters.runtime_ns >= after.counters.runtime_ns);
    assert_eq!(zombie.open_fds, 0);
}

#[test]
fn a_fixture_is_read_field_by_field() {
    let fixture = Fixture::new("walk");
    fixture.process(
        42,
        &stat(42, "a) b", 'S', 0, 1_000, 7),
        &[
            ("schedstat", "900000001 5 6\n"),
            ("io", "read_bytes: 11\nwrite_bytes: 12\n"),
            ("limits", LIMITS),
        ],
    );
    // No stat that makes sense.
    fixture.process(43, "43 (x", &[]);
    // Dying: its folder is there, its files are not.
    fs::create_dir_all(fixture.0.join("44")).unwrap();
    fs::write(fixture.0.join("uptime"), "1 1").unwrap();
    fixture.process(2, &stat(2, "kthreadd", 'S', PF_KTHREAD, 0, 0), &[]);
    let mut collector = ProcfsCollector::new(&fixture.0);
    let (outcome, mut records) = walk(&mut collector);
    records.sort_by_key(|record| record.tgid);
    assert_eq!((outcome.processes, outcome.died, outcome.failed), (2, 1, 1));
    assert!(!outcome.complete);
    let tick = collector.tick_ns;
    let read = records[1];
    assert_eq!(
        (read.tgid, read.ppid, read.threads, read.start_ns),
        (42, 1, 3, 1_000 * tick)
    );
    assert_eq!(
        (read.counters.utime_ns, read.counters.stime_ns),
        (50 * tick, 25 * tick)
    );
    assert_eq!(read.counters.runtime_ns, 900_000_001.max(75 * tick));
    assert_eq!(
        (read.counters.read_bytes, read.counters.write_bytes),
        (11, 12)
    );
    assert_eq!(
        (read.counters.minor_faults, read.counters.major_faults),
        (10, 2)
    );
    assert_eq!((read.rss, &read.comm[..5]), ([0, 77, 0, 0], &b"a) b\0"[..]));
    assert_eq!(records[0].flags, TaskFlags::KERNEL_THREAD);
}

#[test]
fn limits_are_read_and_remembered() {
    let fixture = Fixture::new("limits");
    let Ok(whole) = fs::read_to_string("/proc/self/limits") else {
        return;
    };
    let soft = |text: &str| -> u64 {
        let line = text
            .lines()
            .find(|line| line.starts_with("Max open files"))
            .unwrap();
        line.split_whitespace().nth(3).unwrap().parse().unwrap()
    };
    let expected = soft(&whole);
    fixture.process(7, &stat(7, "x", 'S', 0, 5, 1), &[("limits", &whole)]);
    let mut collector = ProcfsCollector::new(&fixture.0);
    assert_eq!(walk(&mut collector).1[0].fd_limit, expected);
    fs::remove_file(fixture.0.join("7/limits")).unwrap();
    for _ in 0..20 {
        assert_eq!(walk(&mut collector).1[0].fd_limit, expected);
    }
    // Another process with that pid: nothing is taken over.
    fixture.process(7, &stat(7, "x", 'S', 0, 6, 1), &[]);
    assert_eq!(walk(&mut collector).1[0].fd_limit, u64::MAX);
}

#[test]
fn what_most_processes_hide_is_not_measured() {
    let few = ProcfsOutcome {
        user_processes: 300,
        io_unreadable: 3,
        fds_unreadable: 299,
        netns_unreadable: 299,
        ..ProcfsOutcome::default()
    };
    let caps = few.caps();
    assert!(caps.disk && !caps.open_fds && !caps.netns);
    assert!(!caps.context_switches && !caps.ends);
    let single = ProcfsOutcome {
        user_processes: 1,
        io_unreadable: 1,
        ..ProcfsOutcome::default()
    };
    assert!(!single.caps().disk);
}

#[test]
fn a_process_that_did_not_run_is_not_read_again() {
    let fixture = Fixture::new("idle");
    let line = |threads: u32| {
        stat(9, "x", 'S', 0, 5, 1).replace(" 20 0 3 0 5 ", &format!(" 20 0 {threads} 0 5 "))
    };
    let io = |bytes: u64| format!("read_bytes: {bytes}\nwrite_bytes: 0\n");
    let mut collector = ProcfsCollector::new(&fixture.0);
    let mut look = |threads: u32, ran: &str, bytes: u64| {
        fixture.process(9, &line(threads), &[("schedstat", ran), ("io", &io(bytes))]);
        let (outcome, records) = walk(&mut collector);
        assert_eq!(outcome.user_processes, 1);
        records[0].counters.read_bytes
    };
    assert_eq!(look(1, "100 0 0", 1), 1);
    assert_eq!(look(1, "100 0 0", 2), 1);
    assert_eq!(look(1, "101 0 0", 3), 3);
    // Another thread may have run.
    assert_eq!(look(2, "101 0 0", 4), 4);
    assert_eq!(look(2, "101 0 0", 5), 5);
    // Where the kernel does not tell, everything is read.
    assert_eq!(look(1, "", 6), 6);
    assert_eq!(look(1, "", 7), 7);
}
