#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    io::{self, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::{AsRawFd as _, FromRawFd as _},
};

use hostlens_ebpf::wire::{ListenRecord, RefusedKey, SockFlags, SockKind};

use super::observed::{Observed, is_between, mapped, with_each};

/// Listens with a queue of so many.
fn listen(backlog: i32) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // SAFETY: a descriptor of ours; listening again changes the limit alone.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), backlog) }, 0);
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Begins to connect and does not wait.
fn begin(to: SocketAddr) -> TcpStream {
    // SAFETY: no pointers.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0) };
    assert!(fd >= 0);
    // SAFETY: a new descriptor that nobody else owns.
    let stream = unsafe { TcpStream::from_raw_fd(fd) };
    let _ = connect(fd, to);
    stream
}

pub(super) fn connect(fd: i32, to: SocketAddr) -> io::Result<()> {
    let SocketAddr::V4(to) = to else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: to.port().to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from(*to.ip()).to_be(),
        },
        sin_zero: [0; 8],
    };
    // SAFETY: the address lives until the call returns.
    let status = unsafe {
        libc::connect(
            fd,
            (&raw const address).cast(),
            size_of::<libc::sockaddr_in>() as u32,
        )
    };
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn inode(listener: &TcpListener) -> u64 {
    let link = std::fs::read_link(format!("/proc/self/fd/{}", listener.as_raw_fd())).unwrap();
    let text = link.to_string_lossy().into_owned();
    let number = text.strip_prefix("socket:[").unwrap();
    number.strip_suffix(']').unwrap().parse().unwrap()
}

fn last(observed: &mut Observed, port: u16) -> ListenRecord {
    observed.wait("the last word on a listener", |told| {
        let mut all = told.listeners.iter();
        all.find(|record| record.local_port == port && record.ended == 1)
            .copied()
    })
}

#[test]
fn the_queue_is_told_as_it_stands_and_as_it_stood() {
    with_each(|observed| {
        let (listener, address) = listen(5);
        let clients: Vec<TcpStream> = (0..4)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        let full = observed.wait("four in the queue", |told| {
            let mut all = told.listeners.iter();
            all.find(|record| record.local_port == address.port() && record.queue == 4)
                .copied()
        });
        assert_eq!(full.limit, 5);
        assert_eq!(full.high_water, 4);
        assert_eq!(full.established, 4);
        assert_eq!(full.drops, 0);
        assert_eq!(full.resets, 0);
        assert_eq!(full.inode, inode(&listener));
        assert_eq!(full.local_addr, mapped(address));
        // SAFETY: no arguments.
        assert_eq!(full.uid, unsafe { libc::geteuid() });
        assert!(full.born_ns > 0);

        // The head of the queue grows older by as much as the clock moves, to a jiffy or two.
        std::thread::sleep(std::time::Duration::from_millis(100));
        let older = observed.listener(address.port()).unwrap();
        assert!(
            older.oldest_wait_ns >= full.oldest_wait_ns + 80_000_000,
            "{} then {}",
            full.oldest_wait_ns,
            older.oldest_wait_ns
        );

        for _ in 0..3 {
            listener.accept().unwrap();
        }
        let rest = observed.listener(address.port()).unwrap();
        assert_eq!((rest.queue, rest.established), (1, 4));
        assert_eq!(rest.high_water, 1, "a poll takes the mark with it");
        listener.accept().unwrap();
        let empty = observed.listener(address.port()).unwrap();
        assert_eq!((empty.queue, empty.oldest_wait_ns), (0, 0));

        // A burst that is over before the next poll.
        let burst: Vec<TcpStream> = (0..3)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        for _ in 0..3 {
            listener.accept().unwrap();
        }
        let after = observed.listener(address.port()).unwrap();
        assert_eq!((after.queue, after.high_water), (0, 3));
        drop((clients, burst, listener));
        let end = last(observed, address.port());
        assert_eq!((end.id, end.established, end.queue), (full.id, 7, 0));
        assert!(observed.listener(address.port()).is_none());
    });
}

#[test]
fn connections_nobody_accepted_are_told_apart_at_the_end() {
    with_each(|observed| {
        let (listener, server) = listen(5);
        let clients: Vec<TcpStream> = (0..3)
            .map(|_| TcpStream::connect(server).unwrap())
            .collect();
        let taken = listener.accept().unwrap();
        let (first, rest) = (taken.1, &clients[1..]);
        (&clients[2]).write_all(b"12345").unwrap();
        drop(listener);
        let end = last(observed, server.port());
        assert_eq!((end.established, end.queue), (3, 2));
        for client in rest {
            let record = observed.ended(server, client.local_addr().unwrap());
            assert_eq!(record.flags & SockFlags::ACCEPTED, 0, "{record:?}");
            assert_eq!(record.listener, end.id);
        }
        let unread = observed
            .ended(server, clients[2].local_addr().unwrap())
            .unread;
        assert_eq!(unread, 5);
        drop(taken);
        drop(clients);
        let record = observed.ended(server, first);
        assert_ne!(record.flags & SockFlags::ACCEPTED, 0);
    });
}

#[test]
fn a_full_queue_drops_and_the_attempt_given_up_is_no_failure_of_the_network() {
    with_each(|observed| {
        let (listener, server) = listen(0);
        let _first = TcpStream::connect(server).unwrap();
        let second = begin(server);
        let full = observed.wait("a drop", |told| {
            let mut all = told.listeners.iter();
            all.find(|record| record.local_port == server.port() && record.drops > 0)
                .copied()
        });
        assert_eq!((full.queue, full.limit, full.drops), (1, 0, 1));
        let client = second.local_addr().unwrap();
        drop(second);
        let failed = observed.wait("the attempt given up", |told| {
            let mut all = told.sockets.iter();
            all.find(|record| {
                record.kind == SockKind::Failed as u8 && is_between(record, client, server)
            })
            .copied()
        });
        assert_eq!((failed.error, failed.owner_tgid), (0, std::process::id()));
        assert_eq!(failed.established_ns, 0);
        assert!(failed.ended_ns > failed.born_ns);
        assert_eq!(failed.flags & SockFlags::NO_PORT, 0);
        drop(listener);
    });
}

#[test]
fn clients_turned_away_by_a_reset_are_counted_for_the_listener() {
    with_each(|observed| {
        let Some(server) = std::thread::spawn(overflow_with_resets).join().unwrap() else {
            return;
        };
        let end = last(observed, server.port());
        assert_eq!((end.established, end.resets), (1, 2), "{end:?}");
        assert!(end.drops >= 2);
        let names: Vec<_> = observed.told.refused.keys().collect();
        assert!(names.iter().all(|key| key.local_port != server.port()));
    });
}

/// In a namespace of the calling thread: three clients, whose handshakes are completed by their
/// first data, for a queue that holds one. `None`, with a message, where none can be made.
fn overflow_with_resets() -> Option<SocketAddr> {
    // SAFETY: it changes the calling thread alone, which ends with this.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
        println!("SKIP: a network namespace needs root");
        return None;
    }
    let mut up = std::process::Command::new("ip");
    assert!(
        up.args(["link", "set", "lo", "up"])
            .status()
            .unwrap()
            .success()
    );
    std::fs::write("/proc/sys/net/ipv4/tcp_abort_on_overflow", "1").unwrap();
    let (listener, server) = listen(8);
    let seconds: i32 = 5;
    // SAFETY: the value lives until the call returns and is as large as said.
    let status = unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_DEFER_ACCEPT,
            (&raw const seconds).cast(),
            size_of::<i32>() as u32,
        )
    };
    assert_eq!(status, 0);
    let mut clients = [0; 3].map(|_| TcpStream::connect(server).unwrap());
    // As many requests wait as the limit says, and no more: it is lowered once they do.
    // SAFETY: a descriptor of ours.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    for client in &mut clients {
        client.write_all(b"request").unwrap();
    }
    let failed = clients.iter().filter(|client| {
        let error = client.take_error().unwrap();
        error.is_some_and(|error| error.raw_os_error() == Some(libc::ECONNRESET))
    });
    assert_eq!(failed.count(), 2);
    Some(server)
}

#[test]
fn refusals_are_counted_by_address_and_port() {
    with_each(|observed| {
        for bound in ["127.0.0.1:0", "[::1]:0"] {
            let gone = TcpListener::bind(bound).unwrap();
            let server = gone.local_addr().unwrap();
            drop(gone);
            let mut attempts = Vec::new();
            for _ in 0..3 {
                let error = TcpStream::connect(server).unwrap_err();
                assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
                attempts.push(error);
            }
            let failed = observed.wait("three failures", |told| {
                let all = told.sockets.iter().filter(|record| {
                    record.kind == SockKind::Failed as u8
                        && record.remote_addr == mapped(server)
                        && record.remote_port == server.port()
                });
                let all: Vec<_> = all.copied().collect();
                (all.len() == 3).then_some(all)
            });
            for record in failed {
                assert_eq!(i32::from(record.error), libc::ECONNREFUSED);
                assert_eq!(record.owner_tgid, std::process::id());
                assert_ne!(record.local_port, 0);
            }
            let count = observed.wait("three refusals", |told| {
                let key = told
                    .refused
                    .keys()
                    .find(|key: &&RefusedKey| key.local_port == server.port())?;
                assert_eq!(key.local_addr, mapped(server));
                assert_eq!(u64::from(key.netns), netns());
                Some(told.refused[key]).filter(|count| *count >= 3)
            });
            assert_eq!(count, 3);
        }
    });
}

fn netns() -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/thread-self/ns/net").unwrap().ino()
}
