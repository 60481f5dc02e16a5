//! Established connections over many loopback addresses.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};

use super::rounds;

/// Length of a message, bytes.
const MESSAGE: usize = 200;

/// Holds both ends of connections: two sockets each.
#[derive(Debug, Args)]
pub struct Sockets {
    /// Number of the first connection
    #[arg(long, default_value_t = 0)]
    first: u32,
    /// Connections
    #[arg(long)]
    connections: u32,
    /// Connections that share one pair of addresses
    #[arg(long, default_value_t = 1)]
    share: u32,
    /// Per cent of the connections that exchange a message per round
    #[arg(long, default_value_t = 10)]
    active: u32,
}

impl Sockets {
    /// Connects, then exchanges.
    pub fn play(&self) -> anyhow::Result<()> {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        let listener = TcpListener::bind("0.0.0.0:0")?;
        let port = listener.local_addr()?.port();
        let mut pairs = Vec::new();
        for number in self.first..self.first + self.connections {
            let address = number / self.share.max(1);
            let client =
                connect(address, port).with_context(|| format!("connection {number} of a load"))?;
            let (server, _) = listener.accept()?;
            pairs.push((client, server));
        }
        let mut active: Vec<&mut (TcpStream, TcpStream)> = (0u32..)
            .zip(&mut pairs)
            .filter(|(number, _)| number % 100 < self.active)
            .map(|(_, pair)| pair)
            .collect();
        rounds(|| {
            for (client, server) in &mut active {
                exchange(client, server)?;
            }
            Ok(())
        })
    }
}

fn connect(number: u32, port: u16) -> anyhow::Result<TcpStream> {
    let address = |net: u8| {
        let [_, top, high, low] = number.to_be_bytes();
        Ipv4Addr::new(127, net + top, high, low)
    };
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((address(100), 0)).into())?;
    socket.connect(&SocketAddr::from((address(200), port)).into())?;
    socket.set_tcp_nodelay(true)?;
    // Closed by a reset: no TIME_WAIT is left to weigh on what is measured next.
    socket.set_linger(Some(Duration::ZERO))?;
    Ok(socket.into())
}

fn exchange(client: &mut TcpStream, server: &mut TcpStream) -> anyhow::Result<()> {
    let mut message = [7; MESSAGE];
    client.write_all(&message)?;
    server.read_exact(&mut message)?;
    server.write_all(&message)?;
    client.read_exact(&mut message)?;
    Ok(())
}
