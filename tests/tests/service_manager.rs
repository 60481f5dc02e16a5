//! What `hostlens agent` tells the service manager that started it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{io, os::unix::net::UnixDatagram, time::Duration};

use hostlens_tests::{
    agent::Agent,
    deadline::{PATIENCE, poll_until},
    held_thread::HeldThread,
    host::{Need, Turn, command, offers},
};
use nix::sys::signal::Signal;
use tempfile::TempDir;

/// The engine's thread.
const ENGINE: &str = "hostlens-engine";
/// Messages are waited for this long at a time.
const MOMENT: Duration = Duration::from_millis(50);

/// A service manager's ear.
struct Manager {
    socket: UnixDatagram,
    folder: TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(MOMENT)).unwrap();
        Self { socket, folder }
    }

    /// An agent that is watched, and says four times in two seconds that it lives.
    fn start(&self) -> Agent {
        let mut env = command("env");
        let socket = self.folder.path().join("notify");
        env.args(["-u", "WATCHDOG_PID", "WATCHDOG_USEC=2000000"]);
        env.arg(format!("NOTIFY_SOCKET={}", socket.display()));
        Agent::start_through(env, "")
    }

    /// The next message, if one comes soon.
    fn hear(&self) -> Option<String> {
        let mut message = [0; 512];
        match self.socket.recv(&mut message) {
            Ok(bytes) => Some(String::from_utf8_lossy(&message[..bytes]).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Listens until a message with this line comes; answers with the whole of it.
    fn await_line(&self, line: &str) -> String {
        poll_until(line, PATIENCE, || match self.hear() {
            Some(message) if message.lines().any(|one| one == line) => Ok(message),
            other => Err(format!("last message: {other:?}")),
        })
    }
}

#[test]
fn hears_of_start_reload_and_end() {
    if !offers(&[&[Need::Tool("env")]]) {
        return;
    }
    let _turn = Turn::take();
    let manager = Manager::new();
    let mut agent = manager.start();
    // The agent counts as started once its first cycle is complete, so this is there or near.
    manager.await_line("READY=1");
    manager.await_line("WATCHDOG=1");

    agent.signal(Signal::SIGHUP);
    let message = manager.await_line("RELOADING=1");
    let stamp = message
        .lines()
        .find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
    assert!(
        stamp.is_some_and(|stamp| stamp.parse::<u64>().is_ok()),
        "{message}"
    );
    manager.await_line("READY=1");

    agent.signal(Signal::SIGTERM);
    manager.await_line("STOPPING=1");
    assert!(agent.wait(PATIENCE).success());
}

/// A server that still answers is no sign of life: the figures would be old.
#[test]
fn hears_nothing_while_the_engine_hangs() {
    if !offers(&[&[Need::Root, Need::Tool("env")]]) {
        return;
    }
    let _turn = Turn::take();
    let manager = Manager::new();
    let agent = manager.start();
    manager.await_line("WATCHDOG=1");
    let held = HeldThread::hold(agent.pid(), ENGINE);
    // What was said before and not yet heard.
    while manager.hear().is_some() {}
    // Half a second is between two signs of life; the engine may have moved since the last one.
    let mut late = 0;
    for _ in 0..60 {
        late += u32::from(manager.hear().is_some());
        assert_eq!(agent.get("/healthz", &[]).status, 200);
    }
    assert!(late <= 1, "{late} messages while the engine was held");
    drop(held);
    manager.await_line("WATCHDOG=1");
}
