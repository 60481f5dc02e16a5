//! Real servers and their clients: each in a private directory and a network namespace of the
//! test, without any privilege, ended when dropped.

pub mod curl;
pub mod nginx;
pub mod postgres;
pub mod redis;
pub mod upstream;

use std::{
    fs, io,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::{Pid, User},
};
use tempfile::TempDir;

use crate::{netns::Netns, output::Output};

/// How long a server may take to end before it is killed.
const END: Duration = Duration::from_secs(10);
/// How long one may take to come up.
const START: Duration = Duration::from_secs(60);
/// Pause between two looks at an end.
const PAUSE: Duration = Duration::from_millis(5);

/// A directory of its own for a user without privilege, and the network it uses.
#[derive(Debug)]
pub struct Home {
    dir: TempDir,
    uid: u32,
    gid: u32,
    namespace: Netns,
}

impl Home {
    /// An empty directory for the user of this name.
    ///
    /// # Panics
    /// When there is no such user.
    pub fn new(user: &str, namespace: &Netns) -> Self {
        let user = User::from_name(user)
            .expect("look up a user")
            .unwrap_or_else(|| panic!("no user {user}"));
        let dir = TempDir::with_prefix("hostlens-daemon-").expect("temporary directory");
        let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
        chown(dir.path(), Some(uid), Some(gid)).expect("give the directory away");
        Self {
            dir,
            uid,
            gid,
            namespace: namespace.clone(),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file that the user may read.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).expect("write a file");
        path
    }

    /// `program` with these space-separated arguments: there, as the user, in the namespace.
    pub fn command(&self, program: &Path, arguments: &str) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments.split_whitespace())
            .current_dir(self.path())
            .env("HOME", self.path())
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        // The namespace first: entering it takes what the user does not have.
        self.namespace.enter(&mut command);
        let (uid, gid) = (self.uid, self.gid);
        // SAFETY: between fork and exec only system calls are made.
        unsafe {
            command.pre_exec(move || {
                let done = libc::setgroups(0, std::ptr::null()) == 0
                    && libc::setgid(gid) == 0
                    && libc::setuid(uid) == 0;
                done.then_some(()).ok_or_else(io::Error::last_os_error)
            });
        }
        command
    }

    /// Runs a program to its end; what it printed.
    ///
    /// # Panics
    /// When it fails.
    pub fn run(&self, program: &Path, arguments: &str) -> String {
        finish(&mut self.command(program, arguments))
    }
}

/// Runs a command to its end; what it printed.
///
/// # Panics
/// When it fails.
pub fn finish(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// A running server, with all processes it starts.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    stop: Signal,
    /// What it printed.
    pub output: Output,
    /// Its directory.
    pub home: Home,
}

impl Daemon {
    /// Starts it in a process group of its own; `stop` is the signal at which it ends at once.
    pub fn start(home: Home, program: &Path, arguments: &str, stop: Signal) -> Self {
        let mut command = home.command(program, arguments);
        let mut child = command
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let output = Output::default();
        output.gather(child.stdout.take().expect("piped stdout"));
        output.gather(child.stderr.take().expect("piped stderr"));
        Self {
            child,
            stop,
            output,
            home,
        }
    }

    /// Waits until it says that it is ready.
    ///
    /// # Panics
    /// When it does not; shows what it said.
    pub fn await_words(&self, words: &str) {
        self.output
            .wait(0, START, |line| line.contains(words).then_some(()));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let pid = Pid::from_raw(self.child.id() as i32);
        let _ = kill(pid, self.stop);
        let end = Instant::now() + END;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end {
            thread::sleep(PAUSE);
        }
        // What is left of the group; its leader is waited for only now, so that the number is not
        // somebody else's.
        if let Ok(None) = self.child.try_wait() {
            let _ = killpg(pid, Signal::SIGKILL);
            let _ = self.child.wait();
        }
        if thread::panicking() {
            eprintln!("server printed: {:#?}", self.output.lines());
        }
    }
}
