//! A resolver whose answers are known beforehand, and those who ask it.

use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use clap::Args;

use crate::hold_on;

const PORT: u16 = 53;
const HEADER: usize = 12;
const QUERY: [u8; 2] = [1, 0];
/// How long who asks in vain waits.
const PATIENCE: Duration = Duration::from_millis(300);

/// Answers lookups on port 53 by how their names begin: `ok`, `nx`, `servfail`, `never`.
#[derive(Debug, Args)]
pub struct Resolve {
    addresses: Vec<IpAddr>,
    /// Time from question to answer, milliseconds.
    #[arg(long, default_value_t = 50)]
    delay: u64,
}

impl Resolve {
    /// Serves until standard input ends.
    pub fn run(&self) {
        let delay = Duration::from_millis(self.delay);
        for address in &self.addresses {
            let socket = Arc::new(UdpSocket::bind((*address, PORT)).expect("UDP port 53"));
            let listener = TcpListener::bind((*address, PORT)).expect("TCP port 53");
            thread::spawn(move || serve_udp(&socket, delay));
            thread::spawn(move || {
                for stream in listener.incoming() {
                    let stream = stream.expect("accept");
                    thread::spawn(move || serve_tcp(stream, delay));
                }
            });
        }
        println!("{{}}");
        hold_on();
    }
}

fn serve_udp(socket: &Arc<UdpSocket>, delay: Duration) {
    let mut bytes = [0; 512];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut bytes) else {
            continue;
        };
        let Some(answer) = answer(&bytes[..length]) else {
            continue;
        };
        let socket = Arc::clone(socket);
        thread::spawn(move || {
            thread::sleep(delay);
            // Who asked may have left.
            let _ = socket.send_to(&answer, from);
        });
    }
}

fn serve_tcp(mut stream: TcpStream, delay: Duration) {
    let mut length = [0; 2];
    while stream.read_exact(&mut length).is_ok() {
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        if stream.read_exact(&mut message).is_err() {
            return;
        }
        if let Some(answer) = answer(&message) {
            thread::sleep(delay);
            let _ = stream.write_all(&framed(&answer));
        }
    }
}

/// The answer to a question; `None` for silence.
fn answer(question: &[u8]) -> Option<Vec<u8>> {
    let label = usize::from(*question.get(HEADER)?);
    let rcode = match question.get(HEADER + 1..=HEADER + label)? {
        b"ok" => 0,
        b"nx" => 3,
        b"servfail" => 2,
        _ => return None,
    };
    let mut answer = question.to_vec();
    answer[2] |= 0x80;
    answer[3] = 0x80 | rcode;
    Some(answer)
}

/// Asks again and again, each time from a socket of its own.
#[derive(Debug, Args)]
pub struct Ask {
    server: IpAddr,
    /// How the names begin.
    kind: String,
    count: u16,
    /// Over TCP.
    #[arg(long)]
    tcp: bool,
    /// Wait for a line of standard input first.
    #[arg(long)]
    wait: bool,
    /// Send each question twice.
    #[arg(long)]
    twice: bool,
}

impl Ask {
    /// Prints how long the answers took, seconds on average, and holds.
    pub fn run(&self) {
        if self.wait {
            println!("{{}}");
            crate::wait_for_line();
        }
        let server = SocketAddr::new(self.server, PORT);
        let mut taken = Duration::ZERO;
        for number in 0..self.count {
            let question = question(number, &[&self.kind, &format!("n{number}"), "test"]);
            taken += if self.tcp {
                ask_tcp(server, &question)
            } else {
                ask_udp(server, &question, self.twice)
            };
        }
        let mean = taken.as_secs_f64() / f64::from(self.count.max(1));
        println!("{}", serde_json::json!({ "mean": mean }));
        hold_on();
    }
}

fn ask_udp(server: SocketAddr, question: &[u8], twice: bool) -> Duration {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => [0; 4].into(),
        SocketAddr::V6(_) => [0; 16].into(),
    };
    let socket = UdpSocket::bind((any, 0)).expect("UDP socket");
    socket.connect(server).expect("connect");
    socket.set_read_timeout(Some(PATIENCE)).expect("timeout");
    let begun = Instant::now();
    socket.send(question).expect("ask");
    if twice {
        socket.send(question).expect("ask again");
    }
    let mut bytes = [0; 512];
    // Silence is one of the answers.
    let _ = socket.recv(&mut bytes);
    begun.elapsed()
}

fn ask_tcp(server: SocketAddr, question: &[u8]) -> Duration {
    let mut stream = TcpStream::connect(server).expect("connect");
    stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
    let begun = Instant::now();
    stream.write_all(&framed(question)).expect("ask");
    let mut bytes = vec![0; question.len() + 2];
    let _ = stream.read_exact(&mut bytes);
    begun.elapsed()
}

fn question(id: u16, labels: &[&str]) -> Vec<u8> {
    let mut message = id.to_be_bytes().to_vec();
    message.extend(QUERY);
    message.extend([0, 1, 0, 0, 0, 0, 0, 0]);
    for label in labels {
        message.push(label.len() as u8);
        message.extend(label.as_bytes());
    }
    message.extend([0, 0, 1, 0, 1]);
    message
}

fn framed(message: &[u8]) -> Vec<u8> {
    let mut bytes = (message.len() as u16).to_be_bytes().to_vec();
    bytes.extend(message);
    bytes
}
