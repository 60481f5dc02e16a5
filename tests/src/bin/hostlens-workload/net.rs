//! The client side.

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use clap::Args;
use socket2::{Domain, Socket, Type};

use crate::{hold_on, serve::HEADER, wait_for_line};

/// Holds connections and exchanges a request and an answer on each, again and again.
#[derive(Debug, Args)]
pub struct Ping {
    server: SocketAddr,
    /// Connections held.
    connections: u16,
    /// Pause between two rounds, milliseconds.
    #[arg(long, default_value_t = 100)]
    pause: u64,
    /// First local port; the others follow. Without it the kernel chooses.
    #[arg(long)]
    first_port: Option<u16>,
    /// Local address.
    #[arg(long)]
    source: Option<IpAddr>,
    /// Request length in bytes, header included.
    #[arg(long, default_value_t = 100)]
    request: u32,
    /// Answer length in bytes.
    #[arg(long, default_value_t = 100)]
    reply: u32,
}

impl Ping {
    /// Pings until standard input ends, then prints the totals.
    pub fn run(&self) {
        let mut connections: Vec<TcpStream> = (0..self.connections)
            .map(|number| {
                let port = self.first_port.map_or(0, |first| first + number);
                connect(self.server, self.source, port)
            })
            .collect();
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        thread::spawn(move || {
            hold_on();
            told.store(true, Ordering::Relaxed);
        });
        println!("{}", totals(connections.len(), 0, 0));
        let (mut sent, mut received) = (0, 0);
        while !over.load(Ordering::Relaxed) {
            for connection in &mut connections {
                ask(connection, self.request, self.reply);
                sent += u64::from(self.request);
            }
            for connection in &mut connections {
                take(connection, self.reply);
                received += u64::from(self.reply);
            }
            thread::sleep(Duration::from_millis(self.pause));
        }
        println!("{}", totals(connections.len(), sent, received));
    }
}

/// Opens connections that live for a moment, one exchange each.
#[derive(Debug, Args)]
pub struct Short {
    server: SocketAddr,
    /// Connections in all.
    count: u32,
    /// How long each lives, milliseconds.
    #[arg(long, default_value_t = 20)]
    live: u64,
    /// How many live at once.
    #[arg(long, default_value_t = 30)]
    parallel: u32,
    /// Connections per second at most.
    #[arg(long)]
    rate: Option<f64>,
}

impl Short {
    /// Opens all, then prints the totals. Connection `i` sends 100 + i % 50 bytes and receives
    /// 200 + i % 70.
    pub fn run(&self) {
        let next = AtomicU32::new(0);
        let begun = Instant::now();
        let sums = thread::scope(|scope| {
            let workers: Vec<_> = (0..self.parallel)
                .map(|_| scope.spawn(|| self.work(&next, begun)))
                .collect();
            workers
                .into_iter()
                .map(|worker| worker.join().expect("a worker"))
                .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
        });
        let mut report = totals(self.count as usize, sums.0, sums.1);
        report["seconds"] = begun.elapsed().as_secs_f64().into();
        println!("{report}");
        hold_on();
    }

    fn work(&self, next: &AtomicU32, begun: Instant) -> (u64, u64) {
        let (mut sent, mut received) = (0, 0);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= self.count {
                return (sent, received);
            }
            if let Some(rate) = self.rate {
                let due = begun + Duration::from_secs_f64(f64::from(number) / rate);
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            let (request, reply) = (100 + number % 50, 200 + number % 70);
            let mut connection = connect(self.server, None, 0);
            ask(&mut connection, request, reply);
            take(&mut connection, reply);
            thread::sleep(Duration::from_millis(self.live));
            sent += u64::from(request);
            received += u64::from(reply);
        }
    }
}

/// Holds connections from and to many loopback addresses.
#[derive(Debug, Args)]
pub struct Fan {
    port: u16,
    /// Connections, each from and to an address of its own.
    count: u32,
    /// Request length of connection 0; each next one adds 1, up to a thousand.
    #[arg(long, default_value_t = 2_000)]
    request: u32,
    /// Answer length of connection 0; each next one adds 2, up to two thousand.
    #[arg(long, default_value_t = 4_000)]
    reply: u32,
}

impl Fan {
    /// Prints the totals so far after opening all and after each round; a round follows each
    /// line of standard input.
    pub fn run(&self) {
        let mut connections: Vec<TcpStream> = (0..self.count)
            .map(|number| {
                let server = SocketAddr::new(fan_address(200, number).into(), self.port);
                connect(server, Some(fan_address(100, number).into()), 0)
            })
            .collect();
        let (mut sent, mut received) = (0, 0);
        println!("{}", totals(connections.len(), sent, received));
        while wait_for_line() {
            for (number, connection) in (0u32..).zip(&mut connections) {
                let request = self.request + number % 1_000;
                let reply = self.reply + 2 * (number % 1_000);
                ask(connection, request, reply);
                take(connection, reply);
                sent += u64::from(request);
                received += u64::from(reply);
            }
            println!("{}", totals(connections.len(), sent, received));
        }
    }
}

fn fan_address(second: u8, number: u32) -> Ipv4Addr {
    let [.., high, low] = number.to_be_bytes();
    Ipv4Addr::new(127, second, high, low)
}

fn connect(server: SocketAddr, source: Option<IpAddr>, port: u16) -> TcpStream {
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, None).expect("socket");
    if source.is_some() || port != 0 {
        let any = match server {
            SocketAddr::V4(_) => IpAddr::from([0; 4]),
            SocketAddr::V6(_) => IpAddr::from([0; 16]),
        };
        socket.set_reuse_address(true).expect("SO_REUSEADDR");
        socket
            .bind(&SocketAddr::new(source.unwrap_or(any), port).into())
            .expect("bind");
    }
    socket
        .connect(&server.into())
        .unwrap_or_else(|error| panic!("connect {server}: {error}"));
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true).expect("nodelay");
    stream
}

fn ask(connection: &mut TcpStream, request: u32, reply: u32) {
    let mut message = vec![7; request as usize];
    message[..HEADER / 2].copy_from_slice(&request.to_be_bytes());
    message[HEADER / 2..HEADER].copy_from_slice(&reply.to_be_bytes());
    connection.write_all(&message).expect("send");
}

fn take(connection: &mut TcpStream, reply: u32) {
    let mut answer = vec![0; reply as usize];
    connection.read_exact(&mut answer).expect("receive");
}

fn totals(connections: usize, sent: u64, received: u64) -> serde_json::Value {
    serde_json::json!({ "connections": connections, "sent": sent, "received": received })
}
