#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    io::Write as _,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::fd::AsRawFd as _,
};

use hostlens_ebpf::wire::{Direction, ListenBind, SockFlags, SockRecord};

use super::{
    forked::{Forked, read_some, receive_descriptor, send_descriptor},
    observed::{Observed, start_ticks, ticks, with_each, with_storage},
};

const MESSAGE: &[u8] = b"request";

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn accept(listener: &TcpListener) -> i32 {
    // SAFETY: no address is wanted.
    unsafe {
        libc::accept(
            listener.as_raw_fd(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        )
    }
}

fn has(record: &SockRecord, flags: u8) -> bool {
    record.flags & flags == flags
}

fn assert_owner(record: &SockRecord, pid: u32) {
    assert_eq!(record.owner_tgid, pid, "{record:?}");
    assert_eq!(ticks(record.owner_start_ns), start_ticks(pid), "{record:?}");
}

#[test]
fn both_ends_belong_to_who_opened_them_and_know_their_listener() {
    with_each(|observed| {
        let own = std::process::id();
        let (listener, server) = listener();
        let door = observed.listener(server.port()).unwrap();
        assert_eq!(door.owner_tgid, own);
        assert_eq!(ticks(door.owner_start_ns), start_ticks(own));
        let stream = TcpStream::connect(server).unwrap();
        let client = stream.local_addr().unwrap();

        let near = observed.living(client, server);
        assert_owner(&near, own);
        assert_eq!(near.direction, Direction::Outbound as u8);
        assert!(has(&near, SockFlags::ACCEPTED));
        assert!(near.established_ns > near.born_ns && near.born_ns > 0);
        assert_eq!(near.listener, 0);

        let far = observed.living(server, client);
        assert_owner(&far, own);
        assert_eq!(far.direction, Direction::Inbound as u8);
        assert_eq!(far.listener, door.id);
        assert_eq!(far.listen_bind, ListenBind::Exact as u8);
        assert!(far.established_ns >= far.born_ns && far.born_ns > 0);
        assert_eq!(far.flags, 0, "nobody accepted it yet");

        let (accepted, _) = listener.accept().unwrap();
        assert!(has(&observed.living(server, client), SockFlags::ACCEPTED));
        drop((accepted, stream));
    });
}

#[test]
fn a_worker_that_reads_becomes_the_owner() {
    with_each(|observed| {
        let (listener, server) = listener();
        let mut worker = Forked::run(&listener, |_| {
            read_some(accept(&listener));
        });
        let mut stream = TcpStream::connect(server).unwrap();
        let client = stream.local_addr().unwrap();
        assert_owner(&observed.living(server, client), std::process::id());
        stream.write_all(MESSAGE).unwrap();
        worker.done();
        let record = observed.living(server, client);
        assert_owner(&record, worker.pid());
        assert!(has(&record, SockFlags::OWNER_READ | SockFlags::ACCEPTED));
    });
}

#[test]
fn a_descriptor_passed_on_takes_the_ownership_with_it() {
    with_each(|observed| {
        let (listener, server) = listener();
        let mut other = Forked::run(&listener, |line| {
            read_some(receive_descriptor(line));
        });
        let mut stream = TcpStream::connect(server).unwrap();
        let client = stream.local_addr().unwrap();
        let (accepted, _) = listener.accept().unwrap();
        stream.write_all(MESSAGE).unwrap();
        assert_eq!(read_some(accepted.as_raw_fd()), MESSAGE.len() as isize);
        let record = observed.living(server, client);
        assert_owner(&record, std::process::id());
        assert!(has(&record, SockFlags::OWNER_READ));

        send_descriptor(other.line(), accepted.as_raw_fd());
        stream.write_all(MESSAGE).unwrap();
        other.done();
        assert_owner(&observed.living(server, client), other.pid());
    });
}

#[test]
fn without_a_reader_the_closer_is_the_owner() {
    with_each(|observed| {
        let (listener, server) = listener();
        let mut worker = Forked::run(&listener, |_| {
            let fd = accept(&listener);
            // SAFETY: a descriptor of ours.
            unsafe { libc::close(fd) };
        });
        let stream = TcpStream::connect(server).unwrap();
        let client = stream.local_addr().unwrap();
        worker.done();
        let pid = worker.pid();
        stream.shutdown(Shutdown::Write).unwrap();
        let record = observed.ended(server, client);
        assert_owner(&record, pid);
        assert!(!has(&record, SockFlags::OWNER_READ));
        assert!(!has(&record, SockFlags::OWNER_DYING));
        assert!(has(&record, SockFlags::ACCEPTED));
    });
}

#[test]
fn a_process_that_is_killed_is_known_to_have_died() {
    with_each(|observed| {
        let (listener, server) = listener();
        let mut worker = Forked::run(&listener, |_| {
            accept(&listener);
        });
        let stream = TcpStream::connect(server).unwrap();
        let client = stream.local_addr().unwrap();
        worker.done();
        let pid = worker.pid();
        worker.kill();
        stream.shutdown(Shutdown::Write).unwrap();
        let record = observed.ended(server, client);
        assert_eq!(record.owner_tgid, pid);
        assert!(has(&record, SockFlags::OWNER_DYING), "{record:?}");
    });
}

#[test]
fn older_sockets_get_the_process_that_holds_them() {
    let (listener, server) = listener();
    let stream = TcpStream::connect(server).unwrap();
    let client = stream.local_addr().unwrap();
    let (accepted, _) = listener.accept().unwrap();
    with_storage(|observed: &mut Observed| {
        assert!(observed.listener(server.port()).is_none());
        assert!(observed.seed_owners().unwrap() >= 3);
        for (local, remote) in [(client, server), (server, client)] {
            let record = observed.living(local, remote);
            assert_owner(&record, std::process::id());
            assert_eq!(record.born_ns, 0);
        }
        let door = observed.listener(server.port()).unwrap();
        assert_eq!((door.owner_tgid, door.born_ns), (std::process::id(), 0));
        assert_eq!(door.established, 0, "from when it was first seen");
    });
    drop(accepted);
}
