//! A server that takes a while for each answer and stamps itself.

use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    os::fd::AsFd,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use clap::{Args, ValueEnum};
use hostlens_tests::{random::Random, urgent::run_before_others};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::json;
use socket2::{Domain, Socket, Type};

use crate::{next_line, serve::HEADER};

/// First byte of an answer.
pub const ANSWER: u8 = b'A';
/// What is pushed: a byte, once in a while.
pub const PUSH: u8 = b'P';

/// Who works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Workers {
    /// A thread for each connection: requests of one connection one after the other.
    Each,
    /// One thread for all connections: one request after the other.
    One,
    /// No request waits for another, not even on one connection.
    Unlimited,
}

/// Answers requests as `serve` does, each after a while. At each line of standard input it prints
/// how long each answer took since the last line, microseconds: from the return of the read that
/// completed the request to the write of the answer.
#[derive(Debug, Args)]
pub struct Answer {
    address: IpAddr,
    /// Least time for an answer, microseconds.
    least: u64,
    /// Most time, likewise; between them all are equally likely.
    most: u64,
    #[arg(long, value_enum, default_value_t = Workers::Each)]
    workers: Workers,
    /// Push a byte to each connection so often, microseconds.
    #[arg(long)]
    push: Option<u64>,
}

/// What all threads share.
struct Desk {
    least: u64,
    most: u64,
    random: Mutex<Random>,
    served: Mutex<Vec<u64>>,
}

/// A request that has been read: when, how long its answer takes and how long that is.
struct Order {
    read: Instant,
    takes: Duration,
    reply: usize,
}

impl Answer {
    /// Serves until standard input ends.
    pub fn run(&self) {
        let address = SocketAddr::new(self.address, 0);
        let domain = Domain::for_address(address);
        let listener = Socket::new(domain, Type::STREAM, None).expect("socket");
        listener.bind(&address.into()).expect("bind");
        listener.listen(4096).expect("listen");
        let local = listener.local_addr().expect("local address");
        let port = local.as_socket().expect("IP address").port();
        println!("{}", json!({ "port": port }));
        let desk = Arc::new(Desk {
            least: self.least,
            most: self.most,
            random: Mutex::default(),
            served: Mutex::default(),
        });
        let (workers, push) = (self.workers, self.push.map(Duration::from_micros));
        thread::spawn({
            let desk = Arc::clone(&desk);
            move || {
                run_before_others(5);
                match workers {
                    Workers::One => serve_one_by_one(&listener, &desk),
                    _ => loop {
                        let connection = accept(&listener);
                        let desk = Arc::clone(&desk);
                        thread::spawn(move || desk.attend(connection, workers, push));
                    },
                }
            }
        });
        while next_line().is_some() {
            let served = std::mem::take(&mut *desk.served.lock().expect("served"));
            println!("{}", json!({ "served": served }));
        }
    }
}

fn accept(listener: &Socket) -> TcpStream {
    let (socket, _) = listener.accept().expect("accept");
    let connection = TcpStream::from(socket);
    connection.set_nodelay(true).expect("nodelay");
    connection
}

/// All connections in turn, as they have something to read.
fn serve_one_by_one(listener: &Socket, desk: &Desk) {
    let mut connections: Vec<TcpStream> = Vec::new();
    let mut buffer = Vec::new();
    loop {
        let descriptors = std::iter::once(listener.as_fd());
        let descriptors = descriptors.chain(connections.iter().map(AsFd::as_fd));
        let mut ready: Vec<PollFd> = descriptors
            .map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN))
            .collect();
        poll(&mut ready, PollTimeout::NONE).expect("poll");
        let ready: Vec<bool> = ready
            .iter()
            .map(|one| one.any().unwrap_or_default())
            .collect();
        let mut waiting = ready.iter().skip(1);
        connections.retain_mut(|connection| {
            // Those that came after the look were not looked at.
            let asks = waiting.next().copied().unwrap_or_default();
            !asks || desk.take_and_answer(connection, &mut buffer).is_some()
        });
        if ready[0] {
            connections.push(accept(listener));
        }
    }
}

impl Desk {
    /// One connection until it ends.
    fn attend(
        self: Arc<Self>,
        mut connection: TcpStream,
        workers: Workers,
        push: Option<Duration>,
    ) {
        let writer = Arc::new(Mutex::new(connection.try_clone().expect("duplicate")));
        if let Some(pause) = push {
            let writer = Arc::clone(&writer);
            thread::spawn(move || {
                let mut next = Instant::now() + pause;
                loop {
                    thread::sleep(next.saturating_duration_since(Instant::now()));
                    next += pause;
                    if writer.lock().expect("writer").write_all(&[PUSH]).is_err() {
                        return;
                    }
                }
            });
        }
        let mut buffer = Vec::new();
        if workers == Workers::Each {
            while let Some(order) = self.take(&mut connection, &mut buffer) {
                let mut answer = answer_of(order.reply);
                let due = order.read + order.takes;
                thread::sleep(due.saturating_duration_since(Instant::now()));
                let mut writer = writer.lock().expect("writer");
                if self.send(&mut writer, &order, &mut answer).is_none() {
                    return;
                }
            }
        } else {
            let (give, orders) = mpsc::channel::<Order>();
            let desk = Arc::clone(&self);
            thread::spawn(move || {
                for order in orders {
                    let mut answer = answer_of(order.reply);
                    let due = order.read + order.takes;
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                    let mut writer = writer.lock().expect("writer");
                    if desk.send(&mut writer, &order, &mut answer).is_none() {
                        return;
                    }
                }
            });
            while let Some(order) = self.take(&mut connection, &mut buffer) {
                if give.send(order).is_err() {
                    return;
                }
            }
        }
    }

    fn take_and_answer(&self, connection: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
        let order = self.take(connection, buffer)?;
        let mut answer = answer_of(order.reply);
        thread::sleep((order.read + order.takes).saturating_duration_since(Instant::now()));
        self.send(connection, &order, &mut answer)
    }

    /// Reads one whole request; `None` at the end of the connection.
    fn take(&self, connection: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Order> {
        let mut header = [0; HEADER];
        connection.read_exact(&mut header).ok()?;
        let [request, reply] = [0, 4].map(|at| {
            let bytes = [header[at], header[at + 1], header[at + 2], header[at + 3]];
            u32::from_be_bytes(bytes) as usize
        });
        buffer.resize(request - HEADER, 0);
        connection.read_exact(buffer).ok()?;
        let read = Instant::now();
        let micros = self
            .random
            .lock()
            .expect("random")
            .between(self.least, self.most);
        Some(Order {
            read,
            takes: Duration::from_micros(micros),
            reply,
        })
    }

    fn send(&self, connection: &mut TcpStream, order: &Order, answer: &mut [u8]) -> Option<()> {
        let took = order.read.elapsed().as_micros() as u64;
        self.served.lock().expect("served").push(took);
        connection.write_all(answer).ok()
    }
}

fn answer_of(length: usize) -> Vec<u8> {
    vec![ANSWER; length]
}
