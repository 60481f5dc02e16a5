#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
};

use super::*;

/// A process with nothing but what its script opened, beside pipes to us as 0 and 1.
struct Holder(Child);

impl Holder {
    fn new(script: &str) -> Self {
        let mut child = Command::new("bash")
            .args(["-c", &format!("{script}; echo; read line")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        Self(child)
    }

    fn id(&self) -> ProcessId {
        ProcessId {
            tgid: self.0.id(),
            start_ns: 1,
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.stdin.as_mut().unwrap().write_all(b"\n");
        let _ = self.0.wait();
    }
}

/// Two folders, a file, two ends of a pipe.
const SCRIPT: &str = "exec 3</ 4</etc 5</etc/passwd 6<> <(:) 7>&6";

fn counted(reader: &mut FdTypeReader, budget: Duration) -> Vec<(ProcessId, FdCounts)> {
    let mut counted = Vec::new();
    while !reader.work_within(budget, |id, counts| counted.push((id, counts))) {}
    counted
}

#[test]
fn both_ways_count_alike() {
    // SAFETY: no arguments.
    if unsafe { libc::geteuid() } != 0 {
        println!("SKIP: loading programs needs root");
        return;
    }
    let plain = Holder::new(":");
    let more = Holder::new(SCRIPT);
    let kernel = Kernel::probe(false).map_err(|error| error.to_string());
    let mut program = FdTypeReader::start(&kernel);
    assert_eq!(program.degraded(), None);
    let mut folder = FdTypeReader::start(&Err("not wanted".to_owned()));
    assert_eq!(folder.degraded(), Some("not wanted"));
    for reader in [&mut program, &mut folder] {
        for budget in [Duration::ZERO, Duration::from_secs(60)] {
            reader.begin([plain.id(), more.id()]);
            let counts = counted(reader, budget);
            let [(_, before), (id, after)] = counts[..] else {
                unreachable!("{counts:?}")
            };
            assert_eq!(id, more.id());
            let added: Vec<_> = after
                .iter()
                .zip(before)
                .map(|(now, then)| now - then)
                .collect();
            // Socket, file, pipe, nameless, other.
            assert_eq!(added, [0, 3, 2, 0, 0]);
            assert!(before[2] >= 2 && before[4] >= 1, "{before:?}");
        }
    }
}

#[test]
fn sockets_and_nameless_objects_of_our_own() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    // SAFETY: no pointers.
    let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    assert!(epoll >= 0);
    // SAFETY: no arguments.
    let kernel = match unsafe { libc::geteuid() } {
        0 => Kernel::probe(false).map_err(|error| error.to_string()),
        _ => Err("not root".to_owned()),
    };
    let own = ProcessId {
        tgid: std::process::id(),
        start_ns: 1,
    };
    let mut reader = FdTypeReader::start(&kernel);
    reader.begin([own]);
    let [(_, counts)] = counted(&mut reader, Duration::ZERO)[..] else {
        unreachable!("one process")
    };
    // Other tests open and close theirs meanwhile.
    assert!(counts[0] >= 1 && counts[3] >= 1, "{counts:?}");
    drop(listener);
    // SAFETY: ours, and used by nobody else.
    unsafe { libc::close(epoll) };
}

#[test]
fn who_has_gone_is_left_out() {
    let gone = ProcessId {
        tgid: u32::MAX,
        start_ns: 1,
    };
    let mut reader = FdTypeReader::start(&Err("not wanted".to_owned()));
    reader.begin([gone]);
    assert_eq!(counted(&mut reader, Duration::ZERO), []);
    assert_eq!(reader.failed(), 1);
}

#[test]
fn links_tell_types() {
    for (target, kind) in [
        ("socket:[1]", FdType::Socket),
        ("pipe:[1]", FdType::Pipe),
        ("anon_inode:[eventpoll]", FdType::Anon),
        ("anon_inode:inotify", FdType::Anon),
        ("/var/log/syslog", FdType::File),
        ("/memfd:x (deleted)", FdType::File),
        ("/dev/shm/x", FdType::File),
        ("/dev/null", FdType::Other),
        ("net:[402653184]", FdType::Other),
        ("", FdType::Other),
    ] {
        let cut = &target.as_bytes()[..target.len().min(16)];
        assert_eq!(by_link(cut), kind, "{target}");
    }
}
