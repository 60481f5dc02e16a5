//! A message to and fro on one connection, between two threads.

use std::{
    io::{BufRead as _, ErrorKind, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread,
    time::Instant,
};

use anyhow::Context as _;
use nix::time::ClockId;

use crate::helper::READY;

/// Length of a message, bytes.
const MESSAGE: usize = 64;

/// Answers each number of round trips with the time and the CPU time they took, ns each.
pub fn play() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let echo = thread::spawn(move || echo(server));
    println!("{READY}");
    for line in std::io::stdin().lock().lines() {
        let count: u32 = line?.trim().parse().context("a number of round trips")?;
        let clock = ClockId::CLOCK_PROCESS_CPUTIME_ID;
        let (start, before) = (Instant::now(), clock.now()?);
        let mut message = [7; MESSAGE];
        for _ in 0..count {
            client.write_all(&message)?;
            client.read_exact(&mut message)?;
        }
        let cpu = std::time::Duration::from(clock.now()? - before);
        println!("{} {}", start.elapsed().as_nanos(), cpu.as_nanos());
    }
    drop(client);
    echo.join()
        .map_err(|_| anyhow::anyhow!("the echo failed"))?
}

fn echo(mut server: TcpStream) -> anyhow::Result<()> {
    let mut message = [0; MESSAGE];
    loop {
        match server.read_exact(&mut message) {
            Ok(()) => server.write_all(&message)?,
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
