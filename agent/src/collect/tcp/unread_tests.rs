#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::fd::{AsRawFd as _, FromRawFd as _},
};

use hostlens_ebpf::wire::{SockFlags, SockKind, SockRecord};

use super::{
    listener_tests::connect,
    observed::{Observed, is_between, with_each},
};

struct Pair {
    near: TcpStream,
    far: TcpStream,
    client: SocketAddr,
    server: SocketAddr,
}

fn pair() -> Pair {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    let near = TcpStream::connect(server).unwrap();
    let client = near.local_addr().unwrap();
    let far = listener.accept().unwrap().0;
    Pair {
        near,
        far,
        client,
        server,
    }
}

/// Closes with a reset.
fn reset(stream: TcpStream) {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    set(&stream, libc::SOL_SOCKET, libc::SO_LINGER, &linger).unwrap();
}

fn set<T>(stream: &TcpStream, level: i32, name: i32, value: &T) -> std::io::Result<()> {
    // SAFETY: the value lives until the call returns and is as large as said.
    let status = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            level,
            name,
            std::ptr::from_ref(value).cast(),
            size_of::<T>() as u32,
        )
    };
    if status == 0 {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error())
    }
}

fn arrived(stream: &TcpStream, bytes: usize) {
    let mut buffer = vec![0; bytes];
    while stream.peek(&mut buffer).unwrap() < bytes {}
}

/// What came after the final record, once a later connection's end has come too.
fn unread_records(observed: &mut Observed, of: &SockRecord) -> Vec<SockRecord> {
    let Pair {
        near,
        far,
        client,
        server,
    } = pair();
    drop((near, far));
    observed.ended(client, server);
    let all = observed.told.sockets.iter();
    all.filter(|record| record.kind == SockKind::Unread as u8 && record.id == of.id)
        .copied()
        .collect()
}

#[test]
fn what_a_reader_leaves_behind_is_told_to_the_byte() {
    with_each(|observed| {
        let Pair {
            near,
            mut far,
            client,
            server,
        } = pair();
        far.write_all(&[7; 1000]).unwrap();
        arrived(&near, 1000);
        (&near).read_exact(&mut [0; 300]).unwrap();
        drop(near);
        let closed = observed.ended(client, server);
        assert_eq!((closed.unread, closed.error), (700, 0));
        assert_eq!(closed.flags & SockFlags::UNREAD_LATER, 0);
        assert!(closed.ended_ns > closed.established_ns);
        let aborted = observed.ended(server, client);
        assert_eq!(i32::from(aborted.error), libc::ECONNRESET);
        assert!(unread_records(observed, &closed).is_empty());
    });
}

#[test]
fn what_is_left_after_a_reset_is_told_when_nobody_can_read_it_any_more() {
    with_each(|observed| {
        for read in [0, 40, 100] {
            let Pair {
                near,
                mut far,
                client,
                server,
            } = pair();
            far.write_all(&[7; 100]).unwrap();
            arrived(&near, 100);
            reset(far);
            let ended = observed.ended(client, server);
            assert_eq!(i32::from(ended.error), libc::ECONNRESET);
            assert_ne!(ended.flags & SockFlags::UNREAD_LATER, 0);
            assert_eq!(ended.unread, 0);
            assert_ne!(observed.ended(server, client).flags & SockFlags::LINGER, 0);
            let mut buffer = vec![0; read];
            (&near).read_exact(&mut buffer).unwrap();
            drop(near);
            let later = unread_records(observed, &ended);
            let left: Vec<u32> = later.iter().map(|record| record.unread).collect();
            match 100 - read {
                0 => assert!(left.is_empty(), "{left:?}"),
                rest => assert_eq!(left, [rest as u32]),
            }
            for record in later {
                assert!(is_between(&record, client, server));
                assert_eq!(record.owner_tgid, std::process::id());
            }
        }
    });
}

#[test]
fn a_half_closed_end_reads_on_after_time_wait_began() {
    with_each(|observed| {
        for read in [50, 20] {
            let Pair {
                near,
                mut far,
                client,
                server,
            } = pair();
            near.shutdown(Shutdown::Write).unwrap();
            assert_eq!(far.read(&mut [0; 8]).unwrap(), 0);
            far.write_all(&[7; 50]).unwrap();
            drop(far);
            let ended = observed.ended(client, server);
            assert_ne!(ended.flags & SockFlags::UNREAD_LATER, 0, "{ended:?}");
            assert_eq!((ended.unread, ended.error), (0, 0));
            (&near).read_exact(&mut vec![0; read]).unwrap();
            drop(near);
            let later = unread_records(observed, &ended);
            let left: Vec<u32> = later.iter().map(|record| record.unread).collect();
            match 50 - read {
                0 => assert!(left.is_empty(), "{left:?}"),
                rest => assert_eq!(left, [rest as u32]),
            }
        }
    });
}

#[test]
fn no_port_to_be_had_is_known_as_such() {
    const IP_LOCAL_PORT_RANGE: i32 = 51;
    with_each(|observed| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let first = TcpStream::connect(server).unwrap();
        let port = u32::from(first.local_addr().unwrap().port());
        // SAFETY: no pointers.
        let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
        assert!(fd >= 0);
        // SAFETY: a new descriptor that nobody else owns.
        let second = unsafe { TcpStream::from_raw_fd(fd) };
        if let Err(error) = set(
            &second,
            libc::SOL_IP,
            IP_LOCAL_PORT_RANGE,
            &(port << 16 | port),
        ) {
            println!("SKIP: a socket's own range of ports needs 6.3: {error}");
            return;
        }
        let error = connect(fd, server).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EADDRNOTAVAIL));
        let failed = observed.wait("the attempt", |told| {
            let mut all = told.sockets.iter();
            all.find(|record| {
                record.kind == SockKind::Failed as u8 && record.remote_port == server.port()
            })
            .copied()
        });
        assert_ne!(failed.flags & SockFlags::NO_PORT, 0, "{failed:?}");
        assert_eq!((failed.error, failed.local_port), (0, 0));
        assert_eq!(failed.owner_tgid, std::process::id());
    });
}
