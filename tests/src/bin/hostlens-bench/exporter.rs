//! Other exporters, run for a few scrapes.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use nix::sys::{prctl, signal::Signal};

use super::{cpu, stats::Samples};

/// Longest wait for an exporter to listen.
const START: Duration = Duration::from_secs(20);
/// Longest wait for an answer.
const ANSWER: Duration = Duration::from_secs(120);
/// What an exporter may still do after an answer (its memory's housekeeping) is counted for it.
const AFTERMATH: Duration = Duration::from_millis(300);

/// A running exporter; killed when dropped.
pub struct Exporter {
    child: Child,
    address: SocketAddr,
}

impl Exporter {
    /// Starts it on a free loopback port, given with this flag.
    pub fn start(mut command: Command, listen: &str) -> anyhow::Result<Self> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        command
            .arg(format!("{listen}={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // SAFETY: between fork and exec only prctl(2) runs, which is async-signal-safe.
        unsafe { command.pre_exec(|| Ok(prctl::set_pdeathsig(Signal::SIGKILL)?)) };
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let exporter = Self { child, address };
        let end = Instant::now() + START;
        while TcpStream::connect(address).is_err() {
            ensure!(Instant::now() < end, "{command:?} does not listen");
            thread::sleep(Duration::from_millis(50));
        }
        Ok(exporter)
    }

    /// CPU milliseconds of each of a few scrapes; the first ever is not counted.
    pub fn scrapes(&self, passes: usize) -> anyhow::Result<Samples> {
        let mut samples = Samples::default();
        for pass in 0..=passes {
            let before = cpu::of_process(self.child.id())?;
            self.scrape()?;
            thread::sleep(AFTERMATH);
            let spent = cpu::of_process(self.child.id())?.saturating_sub(before);
            if pass > 0 {
                samples.push(spent.as_secs_f64() * 1e3);
            }
        }
        Ok(samples)
    }

    fn scrape(&self) -> anyhow::Result<()> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\nAccept: text/plain\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let head = answer.get(..12).unwrap_or_default();
        ensure!(head.ends_with(b" 200"), "no metrics from {}", self.address);
        Ok(())
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // It can only have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
