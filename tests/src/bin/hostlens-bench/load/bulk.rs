//! Bytes in one direction on one connection, between two threads.

use std::{
    io::{BufRead as _, ErrorKind, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread,
    time::Instant,
};

use anyhow::Context as _;
use nix::time::ClockId;

use crate::helper::READY;

/// Bytes per write and read.
const CHUNK: usize = 64 << 10;

/// Answers each number of mebibytes with the time and the CPU time they took, ns each.
pub fn play() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    let sink = thread::spawn(move || swallow(server));
    println!("{READY}");
    let chunk = vec![7; CHUNK];
    for line in std::io::stdin().lock().lines() {
        let mebibytes: usize = line?.trim().parse().context("a number of mebibytes")?;
        let clock = ClockId::CLOCK_PROCESS_CPUTIME_ID;
        let (start, before) = (Instant::now(), clock.now()?);
        for _ in 0..(mebibytes << 20) / CHUNK {
            client.write_all(&chunk)?;
        }
        // One byte comes back for each mebibyte that has arrived.
        let mut arrived = vec![0; mebibytes];
        client.read_exact(&mut arrived)?;
        let cpu = std::time::Duration::from(clock.now()? - before);
        println!("{} {}", start.elapsed().as_nanos(), cpu.as_nanos());
    }
    drop(client);
    sink.join()
        .map_err(|_| anyhow::anyhow!("the sink failed"))?
}

fn swallow(mut server: TcpStream) -> anyhow::Result<()> {
    let mut chunk = vec![0; 1 << 20];
    loop {
        match server.read_exact(&mut chunk) {
            Ok(()) => server.write_all(&[1])?,
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
