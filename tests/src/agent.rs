//! The program under test, running.

use std::{
    cell::Cell,
    fmt::Debug,
    net::SocketAddr,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Child, Command, ExitStatus, Output as Finished, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::{
    deadline::{PATIENCE, poll_until},
    host,
    http::{self, Response},
    output::Output,
    scrape::Scrape,
    workload::Names,
};

/// A running `hostlens agent`; killed when dropped.
#[derive(Debug)]
pub struct Agent {
    child: Child,
    /// Everything it printed.
    pub output: Output,
    /// Where it serves.
    pub address: SocketAddr,
    sent: Cell<u64>,
    received: Cell<u64>,
    _program: Option<Names>,
}

impl Agent {
    /// Starts it with these space-separated arguments and waits until its first cycle is
    /// complete. Without an interval among them a cycle takes one second.
    pub fn start(arguments: &str) -> Self {
        Self::run(command(&host::hostlens_path(), arguments), None)
    }

    /// As [`Agent::start`], as a user without any privilege.
    pub fn start_as(uid: u32, arguments: &str) -> Self {
        let names = Names::new();
        let program = names.add("hostlens", &host::hostlens_path());
        let mut command = command(&program, arguments);
        command.uid(uid).gid(uid);
        Self::run(command, Some(names))
    }

    /// As [`Agent::start`], through a program whose arguments end with what it is to become, such
    /// as `env` or `setpriv`.
    pub fn start_through(mut program: Command, arguments: &str) -> Self {
        let names = Names::new();
        program.arg(names.add("hostlens", &host::hostlens_path()));
        extend(&mut program, arguments);
        Self::run(program, Some(names))
    }

    fn run(mut command: Command, names: Option<Names>) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let output = Output::default();
        output.gather(child.stdout.take().expect("piped stdout"));
        output.gather(child.stderr.take().expect("piped stderr"));
        let mut agent = Self {
            child,
            output,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            sent: Cell::new(0),
            received: Cell::new(0),
            _program: names,
        };
        agent.address = agent.output.wait(0, PATIENCE, announced_address).1;
        poll_until("agent ready", PATIENCE, || {
            match http::get(agent.address, "/readyz", &[])? {
                ready if ready.status == 200 => Ok(()),
                other => Err(format!("/readyz says {}", other.status)),
            }
        });
        agent
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks for a path.
    ///
    /// # Panics
    /// When the agent does not answer.
    pub fn get(&self, path: &str, headers: &[&str]) -> Response {
        let response = http::get(self.address, path, headers)
            .unwrap_or_else(|error| panic!("{error}; agent printed {:#?}", self.output.lines()));
        self.sent.set(self.sent.get() + response.sent);
        self.received.set(self.received.get() + response.received);
        response
    }

    /// One scrape in text format.
    ///
    /// # Panics
    /// When the exposition is not strictly right.
    pub fn scrape(&self) -> Scrape {
        let response = self.get("/metrics", &["Accept: text/plain;version=0.0.4"]);
        assert_eq!(response.status, 200);
        Scrape::parse(response.text()).unwrap_or_else(|error| panic!("/metrics: {error}"))
    }

    /// The status object.
    pub fn status(&self) -> Value {
        let response = self.get("/status", &[]);
        assert_eq!(response.status, 200);
        serde_json::from_slice(&response.body).expect("/status is JSON")
    }

    /// Payload bytes sent to the agent and received from it so far by [`Agent::get`].
    pub fn own_traffic(&self) -> (u64, u64) {
        (self.sent.get(), self.received.get())
    }

    /// Scrapes until `found` answers.
    ///
    /// # Panics
    /// After `limit`, with the last reason.
    pub fn await_scrape<T>(
        &self,
        what: &str,
        limit: Duration,
        found: impl Fn(&Scrape) -> Result<T, String>,
    ) -> T {
        poll_until(what, limit, || found(&self.scrape()))
    }

    /// Waits until the agent has finished `count` more cycles that began after this call.
    pub fn await_cycles(&self, count: u64) {
        let cycles = || cycles(&self.scrape());
        // One more than asked: the first may have begun before the call.
        let goal = cycles().unwrap_or_else(|error| panic!("{error}")) + count as f64 + 1.0;
        poll_until("cycles", PATIENCE, || {
            let now = cycles()?;
            (now >= goal)
                .then_some(())
                .ok_or_else(|| format!("{now} of {goal} cycles"))
        });
    }

    /// What `read` reads once nothing more comes: ends are announced some time after they happen,
    /// and a new series is held at 0 for a moment.
    pub fn settled<T: PartialEq + Debug>(&self, read: impl Fn(&Scrape) -> T) -> T {
        let mut last = None;
        poll_until("counters at rest", 2 * PATIENCE, || {
            self.await_cycles(3);
            let now = read(&self.scrape());
            match last.replace(now) {
                Some(before) if last.as_ref() == Some(&before) => Ok(before),
                before => Err(format!("{last:?} after {before:?}")),
            }
        })
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("signal the agent");
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it still runs after `limit`.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        poll_until("end of the agent", limit, || {
            self.child
                .try_wait()
                .map_err(|error| error.to_string())?
                .ok_or_else(|| "still running".to_owned())
        })
    }

    /// SIGKILL, and waits.
    pub fn kill(mut self) {
        self.signal(Signal::SIGKILL);
        let status = self.wait(PATIENCE);
        assert_eq!(status.signal(), Some(9), "{status}");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("agent printed: {:#?}", self.output.lines());
        }
    }
}

/// Runs a subcommand to its end, as user `uid` if given.
pub fn run(arguments: &[&str], uid: Option<u32>) -> Finished {
    // Another user may not be able to reach the build directory.
    let names = uid.map(|_| Names::new());
    let path = host::hostlens_path();
    let path = names
        .as_ref()
        .map_or(path.clone(), |names| names.add("hostlens", &path));
    let mut command = Command::new(path);
    command.args(arguments).stdin(Stdio::null());
    if let Some(uid) = uid {
        command.uid(uid).gid(uid);
    }
    command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn command(program: &Path, arguments: &str) -> Command {
    let mut command = Command::new(program);
    extend(&mut command, arguments);
    command
}

fn extend(command: &mut Command, arguments: &str) {
    command.args(["agent", "--listen", "127.0.0.1:0"]);
    if !arguments.contains("--interval") {
        command.args(["--interval", "1s"]);
    }
    command.args(arguments.split_whitespace());
}

/// Cycles the agent has finished.
fn cycles(scrape: &Scrape) -> Result<f64, String> {
    scrape.value("hostlens_agent_cycles_total", &[])
}

fn announced_address(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("listening on http://")?;
    let end = rest
        .find(|c: char| !(c.is_ascii_hexdigit() || ".:[]".contains(c)))
        .unwrap_or(rest.len());
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn finds_the_address() {
        let line = "INFO listening on http://127.0.0.1:40123/metrics";
        assert_eq!(
            super::announced_address(line),
            Some(([127, 0, 0, 1], 40123).into())
        );
        assert_eq!(super::announced_address("listening soon"), None);
    }
}
