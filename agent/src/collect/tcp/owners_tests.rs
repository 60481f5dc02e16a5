#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    net::{TcpListener, TcpStream},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    process::{Child, Command},
};

use super::*;
use crate::collect::{ProcessSink, process::procfs::ProcfsCollector};

const ENOUGH: Duration = Duration::from_secs(60);

fn inode(socket: &impl AsRawFd) -> u32 {
    let path = format!("/proc/self/fd/{}", socket.as_raw_fd());
    u32::try_from(std::fs::metadata(path).unwrap().ino()).unwrap()
}

/// Asks, searches, and asks again.
fn look(owners: &mut SocketOwners, inode: u32) -> Option<SocketOwner> {
    owners.begin_cycle();
    owners.owner(inode).or_else(|| {
        owners.search(ENOUGH);
        owners.owner(inode)
    })
}

/// A child that holds a socket (as its standard input) until this is dropped.
struct Heir(Child);

impl Heir {
    fn of(socket: &TcpListener) -> Self {
        let child = Command::new("sleep")
            .arg("1000")
            .stdin(OwnedFd::from(socket.try_clone().unwrap()))
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Heir {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[derive(Default)]
struct Starts(Vec<(u32, u64)>);

impl ProcessSink for Starts {
    fn process(
        &mut self,
        record: &hostlens_ebpf::wire::TaskRecord,
        _: &mut dyn crate::collect::Names,
    ) {
        self.0.push((record.tgid, record.start_ns));
    }
    fn thread(&mut self, _: &hostlens_ebpf::wire::ThreadRecord) {}
    fn lost(&mut self, _: &hostlens_ebpf::wire::TaskTotals) {}
}

struct NoNames;

impl crate::collect::Names for NoNames {
    fn process(&mut self, _: &hostlens_ebpf::wire::TaskRecord) -> std::sync::Arc<str> {
        "".into()
    }
    fn user(&mut self, _: u32) -> std::sync::Arc<str> {
        "".into()
    }
    fn service(&mut self, _: &hostlens_ebpf::wire::TaskRecord) -> std::sync::Arc<str> {
        "".into()
    }
}

#[test]
fn a_socket_of_ours_is_ours_as_the_process_walk_has_us() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut owners = SocketOwners::default();
    let owner = look(&mut owners, inode(&listener)).unwrap();
    assert_eq!(owner.tgid, std::process::id());
    let mut starts = Starts::default();
    ProcfsCollector::default()
        .collect(&mut starts, &mut NoNames)
        .unwrap();
    assert!(starts.0.contains(&(owner.tgid, owner.start_ns)));
    assert_eq!(owners.owner(0), None);
}

#[test]
fn the_search_goes_on_where_the_budget_ended_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let wanted = inode(&listener);
    let mut owners = SocketOwners::default();
    owners.begin_cycle();
    let mut calls = 0;
    while owners.owner(wanted).is_none() {
        // As little as a call can be made to do: one step.
        owners.search(Duration::from_nanos(1));
        calls += 1;
        assert!(calls < 1_000_000);
    }
    assert!(calls > 1);
    assert_eq!(owners.owner(wanted).unwrap().tgid, std::process::id());
}

#[test]
fn new_sockets_of_a_known_process_are_found_without_a_look_at_all() {
    let first = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut owners = SocketOwners::default();
    look(&mut owners, inode(&first)).unwrap();
    owners.search(ENOUGH);
    let full = owners.last_full;
    // One more and one less: the number of descriptors stays.
    let second = TcpListener::bind("127.0.0.1:0").unwrap();
    drop(first);
    assert_eq!(
        look(&mut owners, inode(&second)).unwrap().tgid,
        std::process::id()
    );
    assert_eq!(owners.last_full, full);
}

#[test]
fn what_nobody_holds_is_not_looked_for_all_the_time() {
    // No inode number is ever this one: numbers begin low, and it is held by nobody here.
    let nobodys = u32::MAX;
    let mut owners = SocketOwners::default();
    assert_eq!(look(&mut owners, nobodys), None);
    let passes = owners.passes;
    for _ in 1..FULL_EVERY {
        assert_eq!(look(&mut owners, nobodys), None);
        assert_eq!(owners.passes, passes);
    }
    assert_eq!(look(&mut owners, nobodys), None);
    assert_eq!(owners.passes, passes + 1);
    // Once nobody asks for it, it is forgotten.
    for _ in 0..=REMEMBERED {
        owners.begin_cycle();
    }
    assert!(owners.wanted.is_empty());
}

#[test]
fn of_several_holders_the_oldest_is_the_owner_until_it_is_gone() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let shared = inode(&listener);
    let heir = Heir::of(&listener);
    let mut owners = SocketOwners::default();
    assert_eq!(look(&mut owners, shared).unwrap().tgid, std::process::id());
    // We let go of it, and a search for another socket notices. A child that another test is just
    // starting may have it for a moment.
    drop(listener);
    let mut owner = None;
    for _ in 0..1000 {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        owner = look(&mut owners, shared);
        if owner.is_some_and(|owner| owner.tgid == heir.0.id()) {
            break;
        }
        look(&mut owners, inode(&other)).unwrap();
    }
    assert_eq!(owner.unwrap().tgid, heir.0.id());
    // The last holder goes.
    drop(heir);
    for _ in 0..1000 {
        owner = look(&mut owners, shared);
        if owner.is_none() {
            break;
        }
    }
    assert_eq!(owner, None);
}

#[test]
fn the_service_manager_gives_way() {
    let of = |tgid, start_ns| SocketOwner { tgid, start_ns };
    assert!(is_before(of(50, 5), of(40, 6)));
    assert!(is_before(of(40, 5), of(50, 5)));
    assert!(is_before(of(50, 900), of(1, 0)));
    assert!(!is_before(of(1, 0), of(50, 900)));
    assert!(!is_before(of(50, 5), of(50, 5)));
}

#[test]
fn unreadable_processes_are_a_reason_only_where_something_is_missing() {
    let mut owners = SocketOwners::default();
    owners.processes.insert(
        7,
        Scanned {
            denied: true,
            ..Scanned::default()
        },
    );
    assert_eq!(owners.degraded(), None);
    owners.begin_cycle();
    owners.owner(99);
    owners.wanted.get_mut(&99).unwrap().missed = true;
    let why = owners.degraded().unwrap();
    assert!(why.starts_with("owners of 1 sockets unknown: descriptors of 1 processes"));
}

#[test]
fn both_ends_of_a_connection_have_owners() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    let mut owners = SocketOwners::default();
    for socket in [inode(&client), inode(&server)] {
        assert_eq!(look(&mut owners, socket).unwrap().tgid, std::process::id());
    }
}
