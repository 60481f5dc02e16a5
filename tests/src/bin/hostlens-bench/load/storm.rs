//! Short-lived processes and connections.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::Command,
};

use clap::Args;

use super::rounds;

/// Starts and ends processes and connections.
#[derive(Debug, Args)]
pub struct Storm {
    /// Processes per round
    #[arg(long)]
    processes: u32,
    /// Connections per round
    #[arg(long)]
    connections: u32,
}

impl Storm {
    /// A storm per round.
    pub fn play(&self) -> anyhow::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        rounds(|| {
            for _ in 0..self.processes {
                Command::new("true").status()?;
            }
            let mut byte = [1];
            for _ in 0..self.connections {
                let mut client = TcpStream::connect(address)?;
                let (mut server, _) = listener.accept()?;
                client.write_all(&byte)?;
                server.read_exact(&mut byte)?;
            }
            Ok(())
        })
    }
}
