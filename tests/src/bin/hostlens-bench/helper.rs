//! Helper processes: this program, playing a load.

use std::{
    io::{BufRead as _, BufReader, Lines, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, bail};
use hostlens_tests::netns::Netns;

/// The word a helper says when it holds its load, and after each round.
pub const READY: &str = "ready";

/// A helper process. It lives as long as its standard input is open: dropping this closes it and
/// waits for the end, and so does the kernel if this process is killed.
#[derive(Debug)]
pub struct Helper {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Helper {
    /// Starts `load` with its arguments, in a namespace if given, and waits until it is ready.
    ///
    /// # Errors
    /// It cannot be started, or ends instead of getting ready.
    pub fn start(arguments: &str, namespace: Option<&Netns>) -> anyhow::Result<Self> {
        let mut helper = Self::launch(arguments, namespace)?;
        helper.await_ready()?;
        Ok(helper)
    }

    /// As [`Self::start`], without waiting.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn launch(arguments: &str, namespace: Option<&Netns>) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("load").args(arguments.split_whitespace());
        if let Some(namespace) = namespace {
            namespace.enter(&mut command);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start the load {arguments:?}"))?;
        let stdout = child.stdout.take().context("no pipe from the load")?;
        Ok(Self {
            stdin: child.stdin.take(),
            child,
            lines: BufReader::new(stdout).lines(),
        })
    }

    /// Waits until it says that it is ready.
    ///
    /// # Errors
    /// It ended instead; what it said went to standard error.
    pub fn await_ready(&mut self) -> anyhow::Result<()> {
        let line = self.line()?;
        if line != READY {
            bail!("a load says {line:?} instead of {READY:?}");
        }
        Ok(())
    }

    /// Sends it a line and returns its answer.
    ///
    /// # Errors
    /// It has ended.
    pub fn ask(&mut self, line: &str) -> anyhow::Result<String> {
        let stdin = self.stdin.as_mut().context("the load's input is closed")?;
        writeln!(stdin, "{line}").context("a load has ended")?;
        self.line()
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let line = self.lines.next().context("a load ended early")?;
        Ok(line?)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.stdin = None;
        if let Err(error) = self.child.wait() {
            eprintln!("note: cannot wait for a load: {error}");
        }
    }
}
