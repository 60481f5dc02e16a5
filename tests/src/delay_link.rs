//! A link with a known delay between two namespaces: each end is a TUN device, and this process
//! carries the packets across, each after its delay. Needs no queueing discipline of the kernel.
//!
//! The delay asked for is the least a packet takes. On a busy host it takes longer, as timers and
//! threads come late; how much longer, [`DelayLink::held`] tells.

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io::{Read, Write},
    ops::RangeInclusive,
    os::fd::{AsFd, AsRawFd},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::{netns::Netns, packet_truth::PacketTruth, random::Random, urgent::run_before_others};

/// Addresses of the near end.
pub const NEAR: [&str; 2] = ["10.77.0.1", "fd77::1"];
/// Addresses of the far end.
pub const FAR: [&str; 2] = ["10.77.0.2", "fd77::2"];

/// A direction across the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the near to the far end.
    Out,
    /// From the far to the near end.
    Back,
}

/// How long a packet travels, in either direction.
#[derive(Clone, Debug)]
pub struct Delay {
    /// Every packet.
    pub usual: Duration,
    /// Packets with one of these TCP ports at either end take that long instead.
    pub special: Option<(RangeInclusive<u16>, Duration)>,
}

impl Delay {
    /// The same for every packet.
    pub fn of(usual: Duration) -> Self {
        Self {
            usual,
            special: None,
        }
    }

    fn for_packet(&self, packet: &[u8]) -> Duration {
        match (&self.special, tcp_ports(packet)) {
            (Some((ports, delay)), Some(pair)) if pair.iter().any(|port| ports.contains(port)) => {
                *delay
            }
            _ => self.usual,
        }
    }
}

/// Two namespaces and the link between them.
#[derive(Debug)]
pub struct DelayLink {
    /// The end with the addresses [`NEAR`].
    pub near: Netns,
    /// The end with the addresses [`FAR`].
    pub far: Netns,
    books: [Arc<Book>; 2],
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl DelayLink {
    /// Builds both ends and starts to carry packets.
    pub fn new(delay: &Delay) -> Self {
        Self::build(delay, None, 0.0)
    }

    /// As [`DelayLink::new`], with the jitter of `truth`, which sees all packets.
    pub fn watched(delay: &Delay, truth: &Arc<PacketTruth>) -> Self {
        Self::build(delay, Some(truth), 0.0)
    }

    /// As [`DelayLink::new`], and this part of the packets is lost, in either direction.
    pub fn lossy(delay: &Delay, lost: f64) -> Self {
        Self::build(delay, None, lost)
    }

    fn build(delay: &Delay, truth: Option<&Arc<PacketTruth>>, lost: f64) -> Self {
        let (near, far) = (Netns::new(), Netns::new());
        let near_device = Arc::new(tun(&near, NEAR));
        let far_device = Arc::new(tun(&far, FAR));
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        let books: [Arc<Book>; 2] = Default::default();
        let ways = [
            (&near_device, &far_device, Way::Out),
            (&far_device, &near_device, Way::Back),
        ];
        for ((from, to, way), book) in ways.into_iter().zip(&books) {
            let queue = Arc::new(Queue::default());
            threads.push(thread::spawn({
                let (from, queue) = (Arc::clone(from), Arc::clone(&queue));
                let (stop, delay) = (Arc::clone(&stop), delay.clone());
                let truth = truth.cloned();
                let mut random = Random::new(way as u64);
                move || {
                    take_in(&from, &queue, &stop, |packet| {
                        if random.part() < lost {
                            return None;
                        }
                        let usual = delay.for_packet(packet);
                        let Some(truth) = &truth else {
                            return Some(usual);
                        };
                        if way == Way::Out {
                            truth.left(packet);
                        }
                        Some(usual + truth.jitter())
                    });
                }
            }));
            threads.push(thread::spawn({
                let (to, stop) = (Arc::clone(to), Arc::clone(&stop));
                let truth = truth.filter(|_| way == Way::Back).cloned();
                let book = Arc::clone(book);
                move || {
                    hand_out(&to, &queue, &stop, |packet| {
                        book.enter(packet);
                        if let Some(truth) = &truth {
                            truth.arrives(&packet.bytes);
                        }
                    });
                }
            }));
        }
        Self {
            near,
            far,
            books,
            stop,
            threads,
        }
    }

    /// For how long packets with this TCP port at either end were really held on their way,
    /// seconds, ascending: from the moment each was read from one device to the moment it was
    /// written to the other. A round trip takes at least as long as it was held both ways; the
    /// wait before the first moment and all that follows the second come on top.
    pub fn held(&self, way: Way, port: u16) -> Vec<f64> {
        let [out, back] = &self.books;
        match way {
            Way::Out => out.of_port(port),
            Way::Back => back.of_port(port),
        }
    }
}

impl Drop for DelayLink {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing left to stop.
            let _ = thread.join();
        }
    }
}

/// The TCP packets carried in one direction: their ports, and for how long each was held.
#[derive(Debug, Default)]
struct Book(Mutex<Vec<([u16; 2], Duration)>>);

impl Book {
    fn enter(&self, packet: &Packet) {
        if let Some(ports) = tcp_ports(&packet.bytes) {
            let held = packet.came.elapsed();
            self.0.lock().unwrap().push((ports, held));
        }
    }

    fn of_port(&self, port: u16) -> Vec<f64> {
        let entries = self.0.lock().unwrap();
        let mut held: Vec<f64> = entries
            .iter()
            .filter(|(ports, _)| ports.contains(&port))
            .map(|(_, held)| held.as_secs_f64())
            .collect();
        held.sort_by(f64::total_cmp);
        held
    }
}

/// A packet on its way.
struct Packet {
    came: Instant,
    due: Instant,
    bytes: Vec<u8>,
}

/// Packets on their way, soonest first among equals of one delay.
#[derive(Default)]
struct Queue {
    packets: Mutex<VecDeque<Packet>>,
    arrived: Condvar,
}

impl Queue {
    /// Keeps the queue ordered by due time; packets of one delay stay in order.
    fn push(&self, packet: Packet) {
        let mut packets = self.packets.lock().unwrap();
        let at = packets.partition_point(|other| other.due <= packet.due);
        packets.insert(at, packet);
        self.arrived.notify_one();
    }

    /// The next packet once it is due; `None` after a pause without one.
    fn pop(&self) -> Option<Packet> {
        const PAUSE: Duration = Duration::from_millis(20);
        let mut packets = self.packets.lock().unwrap();
        let wait = match packets.front() {
            Some(first) => first.due.saturating_duration_since(Instant::now()),
            None => PAUSE,
        };
        if !wait.is_zero() {
            packets = self
                .arrived
                .wait_timeout(packets, wait.min(PAUSE))
                .unwrap()
                .0;
        }
        match packets.front() {
            Some(first) if first.due <= Instant::now() => packets.pop_front(),
            _ => None,
        }
    }
}

/// Takes packets from `device` as they come, each for as long as `delay` says; without one, it is
/// lost.
fn take_in(
    device: &File,
    queue: &Queue,
    stop: &AtomicBool,
    mut delay: impl FnMut(&[u8]) -> Option<Duration>,
) {
    run_before_others(10);
    let mut buffer = [0; 65_536];
    while !stop.load(Ordering::Relaxed) {
        let mut ready = [PollFd::new(device.as_fd(), PollFlags::POLLIN)];
        if poll(&mut ready, PollTimeout::from(50u8)).unwrap_or(0) == 0 {
            continue;
        }
        if let Ok(length) = (&mut &*device).read(&mut buffer) {
            let came = Instant::now();
            let bytes = buffer[..length].to_vec();
            if let Some(delay) = delay(&bytes) {
                let due = came + delay;
                queue.push(Packet { came, due, bytes });
            }
        }
    }
}

fn hand_out(device: &File, queue: &Queue, stop: &AtomicBool, leaves: impl Fn(&Packet)) {
    run_before_others(10);
    while !stop.load(Ordering::Relaxed) {
        if let Some(packet) = queue.pop() {
            leaves(&packet);
            // A full or vanished device loses the packet, as a wire would.
            let _ = (&mut &*device).write(&packet.bytes);
        }
    }
}

/// A TUN device inside `namespace` with the given IPv4 and IPv6 address.
fn tun(namespace: &Netns, [v4, v6]: [&str; 2]) -> File {
    let device = namespace.run(|| {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/net/tun")
            .expect("open /dev/net/tun");
        // SAFETY: ifreq is plain data for which zero is valid.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        for (to, from) in request.ifr_name.iter_mut().zip(b"delay\0") {
            *to = *from as libc::c_char;
        }
        request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
        // SAFETY: TUNSETIFF reads and writes an ifreq, which lives through the call.
        let status = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
        assert_eq!(status, 0, "TUNSETIFF: {}", std::io::Error::last_os_error());
        file
    });
    namespace.ip(&format!("addr add {v4}/24 dev delay"));
    namespace.ip(&format!("-6 addr add {v6}/64 dev delay nodad"));
    namespace.ip("link set delay up");
    device
}

/// Source and destination port of a TCP packet without IP options or extension headers.
fn tcp_ports(packet: &[u8]) -> Option<[u16; 2]> {
    let (protocol, header) = match packet.first()? >> 4 {
        4 => (*packet.get(9)?, 20),
        6 => (*packet.get(6)?, 40),
        _ => return None,
    };
    let ports = packet.get(header..header + 4)?;
    (i32::from(protocol) == libc::IPPROTO_TCP).then(|| {
        [
            u16::from_be_bytes([ports[0], ports[1]]),
            u16::from_be_bytes([ports[2], ports[3]]),
        ]
    })
}
