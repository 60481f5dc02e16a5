//! Attempts to connect, whatever comes of them.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use clap::Args;
use socket2::{Domain, Socket, Type};

use crate::hold_on;

/// Tries to connect again and again.
#[derive(Debug, Args)]
pub struct Attempt {
    server: SocketAddr,
    count: u32,
    /// Give up after so many milliseconds.
    #[arg(long)]
    give_up: Option<u64>,
    /// Wait for a line of standard input first.
    #[arg(long)]
    wait: bool,
}

impl Attempt {
    /// Prints how often each errno came (0: connected), and holds.
    pub fn run(&self) {
        if self.wait {
            println!("{{}}");
            crate::wait_for_line();
        }
        let mut outcomes: BTreeMap<i32, u32> = BTreeMap::new();
        for _ in 0..self.count {
            let outcome = match self.give_up {
                Some(millis) => give_up(self.server, Duration::from_millis(millis)),
                None => TcpStream::connect(self.server).map(close_at_once),
            };
            let errno = outcome.map_or_else(|error| error.raw_os_error().unwrap_or(-1), |()| 0);
            *outcomes.entry(errno).or_default() += 1;
        }
        println!("{}", serde_json::json!(outcomes));
        hold_on();
    }
}

/// With a reset, so that ten thousand connections do not use up the ports.
fn close_at_once(stream: TcpStream) {
    let socket = Socket::from(stream);
    socket.set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
}

fn give_up(server: SocketAddr, after: Duration) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&server.into()) {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        other => return other,
    }
    thread::sleep(after);
    drop(socket);
    Err(io::Error::from_raw_os_error(libc::EINPROGRESS))
}

/// Accepts and reads to the end, until standard input ends; prints the port.
pub fn sink(address: std::net::IpAddr) {
    let listener = TcpListener::bind((address, 0)).expect("bind");
    let port = listener.local_addr().expect("local address").port();
    println!("{{\"port\":{port}}}");
    thread::spawn(move || {
        for stream in listener.incoming() {
            // The peer resets it.
            let _ = stream.and_then(|mut stream| stream.read(&mut [0]));
        }
    });
    hold_on();
}
