#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::AsRawFd as _,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use hostlens_ebpf::wire::SockTotals;

use super::*;
use crate::collect::tcp::netns::own_inode;

/// Takes what this process failed to reach under addresses that begin so: other tests run beside.
struct Sink(&'static str, Vec<SockRecord>);

impl Sink {
    fn of(prefix: &'static str) -> Self {
        Self(prefix, Vec::new())
    }
}

fn remote(record: &SockRecord) -> String {
    let remote = Ipv6Addr::from(record.remote_addr).to_canonical();
    remote.to_string()
}

impl TcpSink for Sink {
    fn socket(&mut self, record: &SockRecord) {
        if record.owner_tgid == std::process::id() && remote(record).contains(self.0) {
            self.1.push(*record);
        }
    }
    fn time_wait(&mut self, _record: &SockRecord) {}
    fn lost(&mut self, _totals: &[SockTotals; 3]) {}
}

fn source() -> Option<ConnectBpf> {
    // SAFETY: no arguments.
    if unsafe { libc::geteuid() } != 0 || crate::kernel::Cgroup::root().is_err() {
        println!("SKIP: needs root and a cgroup2 mount");
        return None;
    }
    let kernel = Kernel::probe(false).unwrap();
    Some(ConnectBpf::start(&kernel).unwrap_or_else(|(why, _)| unreachable!("{why}")))
}

/// Runs `job` on a thread in a network namespace of its own, where no route leads
/// anywhere but to itself. The thread then waits until the second channel is dropped.
fn elsewhere<T: Send + 'static>(
    job: impl FnOnce() -> T + Send + 'static,
) -> (u32, T, mpsc::Sender<()>, thread::JoinHandle<()>) {
    let (tell, told) = mpsc::channel();
    let (stop, stopped) = mpsc::channel::<()>();
    let handle = thread::spawn(move || {
        // SAFETY: changes this thread alone.
        assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNET) }, 0);
        // Without ::1, IPv6 fails for want of a source address before it looks for a route.
        let up = Command::new("ip")
            .args(["link", "set", "lo", "up"])
            .status();
        assert!(up.unwrap().success());
        tell.send((own_inode().unwrap(), job())).unwrap();
        let _ = stopped.recv();
    });
    let (inode, result) = told.recv().unwrap();
    (inode, result, stop, handle)
}

fn drain_until(source: &mut ConnectBpf, sink: &mut Sink, count: usize) {
    let begun = Instant::now();
    while sink.1.len() < count && begun.elapsed() < Duration::from_secs(20) {
        source.drain(Moment::now(), &[], sink);
        thread::sleep(Duration::from_millis(20));
    }
    // Counting anything twice would show only now.
    for _ in 0..40 {
        source.drain(Moment::now(), &[], sink);
        thread::sleep(Duration::from_millis(20));
    }
}

fn attempt(remote: &str) -> i32 {
    let remote: SocketAddr = remote.parse().unwrap();
    let error = TcpStream::connect(remote).unwrap_err();
    error.raw_os_error().unwrap()
}

#[test]
fn each_failure_is_told_once_with_its_errno() {
    let Some(mut source) = source() else { return };
    let (inode, errors, stop, handle) = elsewhere(|| {
        [
            attempt("10.77.1.1:80"),
            attempt("10.77.1.2:80"),
            attempt("[2001:db8::77]:443"),
        ]
    });
    assert_eq!(errors, [libc::ENETUNREACH; 3]);
    let mut sink = Sink::of("77");
    drain_until(&mut source, &mut sink, 3);
    drop(stop);
    handle.join().unwrap();
    let mut seen: Vec<_> = sink
        .1
        .iter()
        .map(|record| (remote(record), record.remote_port, record.v6, record.error))
        .collect();
    seen.sort();
    let unreachable = libc::ENETUNREACH as u16;
    let expected = [
        ("10.77.1.1".to_owned(), 80, 0, unreachable),
        ("10.77.1.2".to_owned(), 80, 0, unreachable),
        ("2001:db8::77".to_owned(), 443, 1, unreachable),
    ];
    assert_eq!(seen, expected);
    for record in &sink.1 {
        assert_eq!(record.netns, inode);
        assert_eq!(record.kind, SockKind::Failed as u8);
        assert_eq!(record.flags, SockFlags::LOCAL);
        assert!(record.owner_start_ns > 0 && record.id != 0);
    }
    assert_eq!((source.lost(), source.malformed()), (0, 0));
}

#[test]
fn a_thread_that_ends_at_once_and_one_that_goes_on_are_told() {
    let Some(mut source) = source() else { return };
    let mut sink = Sink::of("10.2.2.2");
    let ended = thread::spawn(|| {
        // SAFETY: changes this thread alone.
        assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNET) }, 0);
        attempt("10.2.2.2:80")
    });
    assert_eq!(ended.join().unwrap(), libc::ENETUNREACH);
    drain_until(&mut source, &mut sink, 1);
    assert_eq!(sink.1.len(), 1);
    assert_eq!(
        sink.1[0].error, 0,
        "nothing leads to its namespace any more"
    );
    let kept = source.attempts.get(&(0), 0);
    assert!(kept.is_err());
    assert!(source.told.is_empty(), "its entry was removed");
}

/// Connects in many ways while sweeps go on: none of what succeeds, is refused by the peer, or is
/// no TCP may look as if it had failed here.
#[test]
fn ten_thousand_connects_and_no_failure() {
    let Some(mut source) = source() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    // One that is reset before its turn may never come out of the queue: no number tells the end.
    let done = Arc::new(AtomicBool::new(false));
    let accepting = thread::spawn({
        let done = Arc::clone(&done);
        move || {
            for stream in listener.incoming() {
                drop(stream.unwrap());
                if done.load(Ordering::Relaxed) {
                    return;
                }
            }
        }
    });
    let workers: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn(move || {
                for number in 0..2_500 {
                    let stream = TcpStream::connect(address).unwrap();
                    // A second connect() on a connected socket.
                    if number % 100 == 0 {
                        let again = connect_again(&stream, address);
                        assert_eq!(again.raw_os_error(), Some(libc::EISCONN));
                        assert!(TcpStream::connect(closed).is_err());
                        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
                        udp.connect(address).unwrap();
                    }
                    // RST instead of TIME_WAIT: ports are not used up.
                    set_linger(&stream);
                }
            })
        })
        .collect();
    let mut sink = Sink::of("127.0.0.1");
    let mine = |workers: &[thread::JoinHandle<()>]| workers.iter().all(|w| w.is_finished());
    while !mine(&workers) {
        source.drain(Moment::now(), &[], &mut sink);
        thread::sleep(Duration::from_millis(5));
    }
    for worker in workers {
        worker.join().unwrap();
    }
    done.store(true, Ordering::Relaxed);
    drop(TcpStream::connect(address).unwrap());
    accepting.join().unwrap();
    drain_until(&mut source, &mut sink, 0);
    assert_eq!(sink.1, []);
    assert_eq!(source.lost(), 0);
}

fn connect_again(stream: &TcpStream, address: SocketAddr) -> io::Error {
    let SocketAddr::V4(address) = address else {
        unreachable!();
    };
    let raw = libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from_ne_bytes(address.ip().octets()),
        },
        sin_zero: [0; 8],
    };
    // SAFETY: the address is valid for the length given.
    let status = unsafe {
        libc::connect(
            stream.as_raw_fd(),
            (&raw const raw).cast(),
            size_of_val(&raw) as u32,
        )
    };
    assert_eq!(status, -1);
    io::Error::last_os_error()
}

fn set_linger(stream: &TcpStream) {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    // SAFETY: the value is valid for the length given.
    let status = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size_of_val(&linger) as u32,
        )
    };
    assert_eq!(status, 0);
}
