//! A message to and fro on one connection, between two threads: as often as goes, or at a rate.

use std::{
    io::{BufRead as _, ErrorKind, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use nix::time::ClockId;

use crate::helper::READY;

/// Length of a message, bytes.
const MESSAGE: usize = 64;

/// Who is no further ahead of its rate goes on: sleeping takes some 60 µs more than was asked.
const AHEAD: Duration = Duration::from_micros(500);

/// Answers each number of round trips, and how many of them there may be in a second if that
/// follows, with the time and the CPU time they took, ns each.
pub fn play() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let echo = thread::spawn(move || echo(server));
    println!("{READY}");
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let mut words = line.split_ascii_whitespace();
        let count = words.next().context("a number of round trips")?.parse()?;
        let rate: Option<f64> = words.next().map(str::parse).transpose()?;
        let clock = ClockId::CLOCK_PROCESS_CPUTIME_ID;
        let (start, before) = (Instant::now(), clock.now()?);
        let mut message = [7; MESSAGE];
        for done in 0..count {
            if let Some(rate) = rate {
                pace(start, done, rate);
            }
            client.write_all(&message)?;
            client.read_exact(&mut message)?;
        }
        let cpu = Duration::from(clock.now()? - before);
        println!("{} {}", start.elapsed().as_nanos(), cpu.as_nanos());
    }
    drop(client);
    echo.join()
        .map_err(|_| anyhow::anyhow!("the echo failed"))?
}

/// Waits if so many since `start` are more than the rate allows.
fn pace(start: Instant, done: u32, rate: f64) {
    let due = start + Duration::from_secs_f64(f64::from(done) / rate);
    let ahead = due.saturating_duration_since(Instant::now());
    if ahead > AHEAD {
        thread::sleep(ahead);
    }
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
