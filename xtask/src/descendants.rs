//! Leaving nothing running: whatever a step started and left behind is ended.

use std::fs;
use std::time::{Duration, Instant};

/// How long a process may take to end after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(3);

/// While this lives, orphaned descendants become our children; when it is dropped, all that are
/// left are ended.
pub struct Descendants(());

impl Descendants {
    /// Starts adopting orphans.
    pub fn adopt() -> Self {
        // SAFETY: PR_SET_CHILD_SUBREAPER takes one integer and touches no memory of ours. Where
        // it fails (it cannot since Linux 3.4), orphans merely go to init.
        unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) };
        Self(())
    }

    /// Ends every descendant, says which; none is left afterwards.
    pub fn end(&self) {
        let left = descendants();
        for (pid, name) in &left {
            eprintln!("note: ending left-over process {pid} ({name})");
            signal(*pid, libc::SIGTERM);
        }
        let deadline = Instant::now() + PATIENCE;
        while !reaped() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        for (pid, _) in descendants() {
            signal(pid, libc::SIGKILL);
        }
        while !reaped() {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Descendants {
    fn drop(&mut self) {
        self.end();
    }
}

/// Collects ended children; true if no child is left.
fn reaped() -> bool {
    loop {
        // SAFETY: a null status pointer is allowed; waitpid writes nowhere else.
        match unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) } {
            0 => return false,
            pid if pid < 0 => return true,
            _ => {}
        }
    }
}

fn signal(pid: i32, signal: i32) {
    // SAFETY: kill takes two integers. The pid is that of an unreaped descendant: it cannot have
    // been given to another process, except in the moment its own parent reaps it.
    unsafe { libc::kill(pid, signal) };
}

/// Pid and name of all living descendants.
fn descendants() -> Vec<(i32, String)> {
    let stats: Vec<Stat> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok())
        .filter_map(|line| Stat::parse(&line))
        .collect();
    let mut found = Vec::new();
    let mut parents = vec![std::process::id().cast_signed()];
    while let Some(parent) = parents.pop() {
        for child in stats.iter().filter(|stat| stat.parent == parent) {
            parents.push(child.pid);
            if child.state != 'Z' {
                found.push((child.pid, child.name.clone()));
            }
        }
    }
    found
}

/// The start of /proc/PID/stat.
struct Stat {
    pid: i32,
    name: String,
    state: char,
    parent: i32,
}

impl Stat {
    /// The name stands in parentheses and may itself hold blanks and parentheses.
    fn parse(line: &str) -> Option<Self> {
        let (pid, rest) = line.split_once(" (")?;
        let (name, rest) = rest.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        Some(Self {
            pid: pid.parse().ok()?,
            name: name.to_owned(),
            state: fields.next()?.chars().next()?,
            parent: fields.next()?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn stat_names_may_hold_parentheses() {
        let stat = Stat::parse("7 (a) (b) S 3 7 7 0").unwrap();
        assert_eq!(
            (stat.pid, stat.name.as_str(), stat.state, stat.parent),
            (7, "a) (b", 'S', 3)
        );
    }

    #[test]
    fn living_descendants_are_found() {
        let mut child = Command::new("sleep")
            .arg("600")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let pid = child.id().cast_signed();
        let found = descendants();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.iter().any(|(found, _)| *found == pid), "{found:?}");
        assert!(!descendants().iter().any(|(found, _)| *found == pid));
    }
}
