//! Clients of `answer` that stamp themselves.

use std::{
    collections::VecDeque,
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    os::fd::AsRawFd,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use clap::{Args, ValueEnum};
use hostlens_tests::{random::Random, urgent::run_before_others};
use serde_json::json;

use crate::{
    answer::{ANSWER, PUSH},
    next_line,
    serve::HEADER,
};

/// From this size on a request does not leave with the call that sends it.
const LARGE: usize = 64 << 10;

/// How a connection is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Manner {
    /// One request, its answer, the next request.
    Turns,
    /// As turns, but nothing more is sent after the first request, and the connection says so
    /// before the answer comes; the next request goes over a new one.
    HalfClose,
    /// A request each `pause`, whether the ones before are answered or not.
    Multiplex,
}

/// Holds connections, each on a thread of its own. At each line of standard input each connection
/// asks `count` times, after which it prints, in microseconds, how long each turn took: from the
/// last byte handed to the kernel (of a large request: sent by it) until the first byte of the
/// answer was read. When asked to multiplex, so much for each request.
#[derive(Debug, Args)]
pub struct Converse {
    server: SocketAddr,
    connections: u64,
    /// Turns of each connection.
    count: u64,
    #[arg(long, value_enum, default_value_t = Manner::Turns)]
    manner: Manner,
    /// Longest pause between an answer and the next request, microseconds; between half of it
    /// and all of it are equally likely. When multiplexing, the time between two requests.
    #[arg(long, default_value_t = 0)]
    pause: u64,
    /// Requests of a turn: sent one after the other, then all answers are read.
    #[arg(long, default_value_t = 1)]
    pipeline: u64,
    /// Request length in bytes.
    #[arg(long, default_value_t = 100)]
    request: u32,
    /// Answer length in bytes.
    #[arg(long, default_value_t = 100)]
    reply: u32,
}

impl Converse {
    /// Converses until standard input ends.
    pub fn run(&self) {
        run_before_others(5);
        let mut connections: Vec<TcpStream> =
            (0..self.connections).map(|_| self.connect()).collect();
        println!("{}", json!({ "connections": connections.len() }));
        while next_line().is_some() {
            let times: Mutex<Vec<u64>> = Mutex::default();
            thread::scope(|scope| {
                for (number, connection) in (0..).zip(&mut connections) {
                    let times = &times;
                    scope.spawn(move || {
                        let took = match self.manner {
                            Manner::Multiplex => self.multiplex(connection),
                            _ => self.take_turns(connection, number),
                        };
                        times.lock().expect("times").extend(took);
                    });
                }
            });
            println!(
                "{}",
                json!({ "waited": times.into_inner().expect("times") })
            );
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.server).expect("connect");
        stream.set_nodelay(true).expect("nodelay");
        stream
    }

    fn take_turns(&self, connection: &mut TcpStream, number: u64) -> Vec<u64> {
        let mut random = Random::new(number);
        let message = self.message();
        (0..self.count)
            .map(|_| {
                let pause = random.between(self.pause / 2, self.pause);
                thread::sleep(Duration::from_micros(pause));
                let mut asked = Instant::now();
                for _ in 0..self.pipeline {
                    asked = Instant::now();
                    connection.write_all(&message).expect("send");
                }
                if message.len() >= LARGE {
                    asked = all_sent(connection);
                }
                if self.manner == Manner::HalfClose {
                    connection.shutdown(Shutdown::Write).expect("shutdown");
                }
                let answered = first_byte(connection);
                let took = answered - asked;
                skip(connection, self.reply - 1);
                for _ in 1..self.pipeline {
                    first_byte(connection);
                    skip(connection, self.reply - 1);
                }
                if self.manner == Manner::HalfClose {
                    *connection = self.connect();
                }
                took.as_micros() as u64
            })
            .collect()
    }

    fn multiplex(&self, connection: &mut TcpStream) -> Vec<u64> {
        let under_way: Arc<Mutex<VecDeque<Instant>>> = Arc::default();
        thread::scope(|scope| {
            let mut writer = connection.try_clone().expect("duplicate");
            let sent = Arc::clone(&under_way);
            scope.spawn(move || {
                let message = self.message();
                let mut next = Instant::now();
                for _ in 0..self.count {
                    thread::sleep(next.saturating_duration_since(Instant::now()));
                    next += Duration::from_micros(self.pause);
                    sent.lock().expect("stamps").push_back(Instant::now());
                    writer.write_all(&message).expect("send");
                }
            });
            (0..self.count)
                .map(|_| {
                    let answered = first_byte(connection);
                    skip(connection, self.reply - 1);
                    let asked = under_way.lock().expect("stamps").pop_front();
                    (answered - asked.expect("a request")).as_micros() as u64
                })
                .collect()
        })
    }

    fn message(&self) -> Vec<u8> {
        let mut message = vec![7; self.request as usize];
        message[..HEADER / 2].copy_from_slice(&self.request.to_be_bytes());
        message[HEADER / 2..HEADER].copy_from_slice(&self.reply.to_be_bytes());
        message
    }
}

/// When the first byte of an answer was read.
fn first_byte(connection: &mut TcpStream) -> Instant {
    loop {
        let mut byte = [0];
        connection.read_exact(&mut byte).expect("receive");
        match byte[0] {
            ANSWER => return Instant::now(),
            PUSH => {}
            other => panic!("{other} begins neither answer nor push"),
        }
    }
}

fn skip(connection: &mut TcpStream, length: u32) {
    let mut buffer = [0; 65_536];
    let mut left = length as usize;
    while left > 0 {
        let part = left.min(buffer.len());
        connection.read_exact(&mut buffer[..part]).expect("receive");
        left -= part;
    }
}

/// Waits until the kernel has sent all it was given for the first time, and says when.
fn all_sent(connection: &TcpStream) -> Instant {
    loop {
        let mut unsent: libc::c_int = 0;
        // SAFETY: SIOCOUTQNSD writes an int, which lives through the call.
        let status = unsafe { libc::ioctl(connection.as_raw_fd(), SIOCOUTQNSD, &raw mut unsent) };
        assert_eq!(
            status,
            0,
            "SIOCOUTQNSD: {}",
            std::io::Error::last_os_error()
        );
        if unsent == 0 {
            return Instant::now();
        }
        thread::sleep(Duration::from_micros(20));
    }
}

/// From linux/sockios.h: how many bytes were not sent yet.
const SIOCOUTQNSD: libc::c_ulong = 0x894B;
