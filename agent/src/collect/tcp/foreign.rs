//! A network namespace for tests, with a process that lives in it.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    io::{BufRead, BufReader},
    os::unix::fs::MetadataExt,
    process::{Child, Command, Stdio},
};

use super::netns::Namespace;

/// Ends with the process, which ends when this is dropped.
pub(super) struct ForeignNamespace {
    child: Child,
}

impl ForeignNamespace {
    /// `None`, with a message, where namespaces cannot be made.
    pub(super) fn new() -> Option<Self> {
        let mut child = Command::new("unshare")
            .args(["--net", "sh", "-c"])
            .arg("ip link set lo up; echo ready; read line")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let made = Self { child };
        if line.trim() != "ready" {
            eprintln!("skipped: needs root to make a network namespace");
            return None;
        }
        Some(made)
    }

    pub(super) fn namespace(&self) -> Namespace {
        let pid = self.child.id();
        let inode = std::fs::metadata(format!("/proc/{pid}/ns/net"))
            .unwrap()
            .ino();
        Namespace::of_pid(u32::try_from(inode).unwrap(), pid)
    }
}

impl Drop for ForeignNamespace {
    fn drop(&mut self) {
        // Its input ends, so it does; the process is ours alone to reap.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
