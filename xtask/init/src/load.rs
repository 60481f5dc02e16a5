//! Something to see: a TCP connection that talks, and processes that come and go.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// Argument that makes this program a short-lived consumer of CPU time.
pub const BURN: &str = "burn";

/// Where the server listens.
const SERVER: &str = "127.0.0.1:7000";
/// What is sent there and back each time.
const MESSAGE: [u8; 1024] = [b'x'; 1024];
const PAUSE: Duration = Duration::from_millis(100);

/// Starts the load in the background, for as long as the machine runs.
///
/// # Errors
/// Loopback TCP does not work.
pub fn start() -> Result<(), String> {
    let name = |error: io::Error| format!("{SERVER}: {error}");
    let listener = TcpListener::bind(SERVER).map_err(name)?;
    let client = TcpStream::connect(SERVER).map_err(name)?;
    let (server, _) = listener.accept().map_err(name)?;
    thread::spawn(move || echo(server));
    thread::spawn(move || talk(client));
    thread::spawn(move || {
        loop {
            // Reaping it makes it an exited process, the short-lived kind.
            let _ = Command::new("/proc/self/exe").arg(BURN).status();
            thread::sleep(PAUSE);
        }
    });
    Ok(())
}

/// Uses the CPU for a moment.
pub fn burn() {
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(20) {
        std::hint::spin_loop();
    }
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut message = MESSAGE;
    loop {
        stream.read_exact(&mut message)?;
        stream.write_all(&message)?;
    }
}

fn talk(mut stream: TcpStream) -> io::Result<()> {
    let mut answer = MESSAGE;
    loop {
        stream.write_all(&MESSAGE)?;
        stream.read_exact(&mut answer)?;
        thread::sleep(PAUSE);
    }
}
