//! Processes that do a known amount of something, under a name and user of their own.

use std::{
    fs,
    io::Write,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{host, memory_limit::MemoryLimit, netns::Netns, output::Output};

/// Longest wait for a word of a workload, which may have thousands of things to do before.
const LONGEST_WORK: Duration = Duration::from_secs(180);

/// A directory of executables under chosen names: the kernel names a process after its file.
#[derive(Debug)]
pub struct Names {
    dir: TempDir,
}

impl Names {
    /// An empty directory that every user may read.
    pub fn new() -> Self {
        let dir = TempDir::with_prefix("hostlens-tests-").expect("temporary directory");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
        Self { dir }
    }

    /// The workload program as `name` (at most 15 bytes).
    pub fn workload(&self, name: &str) -> PathBuf {
        self.add(name, &host::workload_path())
    }

    /// Any program as `name`.
    pub fn add(&self, name: &str, program: &Path) -> PathBuf {
        assert!(name.len() <= 15, "{name} is longer than a task name");
        let path = self.dir.path().join(name);
        if !path.exists() {
            fs::copy(program, &path).expect("copy a program");
        }
        path
    }

    /// A shell script as `name`.
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, text).expect("write a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("chmod");
        path
    }

    /// Where files of the workloads may lie.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

impl Default for Names {
    fn default() -> Self {
        Self::new()
    }
}

/// Rounds of the burning loop that take about this much CPU time here.
///
/// # Panics
/// When the workload program does not run.
pub fn rounds(millis: u64) -> u64 {
    let output = Command::new(host::workload_path())
        .args(["calibrate", &millis.to_string()])
        .output()
        .expect("run the workload program");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.trim().parse().expect("a number of rounds")
}

/// What a process and all its waited-for children used, from wait4(2).
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// CPU time, seconds.
    pub cpu_seconds: f64,
    /// Exit status as wait4 gives it.
    pub status: i32,
}

/// A running workload; killed when dropped.
#[derive(Debug)]
pub struct Workload {
    child: Child,
    stdin: Option<ChildStdin>,
    output: Output,
    read: usize,
    reaped: bool,
}

/// How to start a workload.
#[derive(Debug)]
pub struct Start {
    command: Command,
    user: Option<u32>,
}

impl Start {
    /// `program` with these space-separated arguments.
    pub fn new(program: &Path, arguments: &str) -> Self {
        let mut command = Command::new(program);
        command.args(arguments.split_whitespace());
        Self {
            command,
            user: None,
        }
    }

    /// One more argument, which may hold spaces.
    pub fn arg(mut self, argument: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Shows this as its command line in front of its arguments.
    pub fn titled(mut self, title: &str) -> Self {
        self.command.arg0(title);
        self
    }

    /// Runs inside a namespace.
    pub fn within(mut self, namespace: &Netns) -> Self {
        namespace.enter(&mut self.command);
        self
    }

    /// Runs inside a memory cgroup.
    ///
    /// # Panics
    /// When that has gone.
    pub fn within_memory(mut self, limit: &MemoryLimit) -> Self {
        let mut members = limit.members();
        // SAFETY: between fork and exec one system call is made.
        unsafe {
            // The process that writes it is meant.
            self.command.pre_exec(move || members.write_all(b"0"));
        }
        self
    }

    /// Runs as this user and the group of the same number.
    pub fn user(mut self, uid: u32) -> Self {
        self.user = Some(uid);
        self
    }

    /// Starts it.
    pub fn spawn(mut self) -> Workload {
        if let Some(uid) = self.user {
            // Not by `Command::uid`: that would take effect before a namespace is entered, and
            // forbid it.
            // SAFETY: between fork and exec only system calls are made.
            unsafe {
                self.command.pre_exec(move || {
                    let done = libc::setgroups(0, std::ptr::null()) == 0
                        && libc::setgid(uid) == 0
                        && libc::setuid(uid) == 0;
                    done.then_some(()).ok_or_else(std::io::Error::last_os_error)
                });
            }
        }
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{:?}: {error}", self.command));
        let output = Output::default();
        output.gather(child.stdout.take().expect("piped stdout"));
        Workload {
            stdin: child.stdin.take(),
            child,
            output,
            read: 0,
            reaped: false,
        }
    }
}

impl Workload {
    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line it prints, as JSON.
    pub fn reply(&mut self) -> Value {
        let (number, value) = self.output.wait(self.read, LONGEST_WORK, |line| {
            Some(serde_json::from_str(line).unwrap_or_else(|_| Value::String(line.to_owned())))
        });
        self.read = number + 1;
        value
    }

    /// Sends it a line.
    pub fn say(&mut self, word: &str) {
        let stdin = self.stdin.as_mut().expect("stdin still open");
        writeln!(stdin, "{word}").expect("write to the workload");
    }

    /// Closes its standard input, which ends it, and waits.
    ///
    /// # Panics
    /// When it fails.
    pub fn finish(mut self) -> Usage {
        self.stdin = None;
        let usage = self.wait();
        assert_eq!(usage.status, 0, "workload failed");
        usage
    }

    /// Waits for an end that comes by itself.
    pub fn wait(&mut self) -> Usage {
        let mut status = 0;
        // SAFETY: rusage is plain data for which zero is valid.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        let pid = self.child.id() as libc::pid_t;
        // SAFETY: both pointers are valid for the call; pid is our own child, not yet waited for.
        let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
        assert_eq!(waited, pid, "wait4: {}", std::io::Error::last_os_error());
        self.reaped = true;
        Usage {
            cpu_seconds: seconds(usage.ru_utime) + seconds(usage.ru_stime),
            status,
        }
    }

    /// Kills it and waits.
    pub fn kill(self) {}
}

impl Drop for Workload {
    fn drop(&mut self) {
        // After wait4 the process id may belong to somebody else.
        if !self.reaped {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn seconds(time: libc::timeval) -> f64 {
    time.tv_sec as f64 + time.tv_usec as f64 / 1e6
}
