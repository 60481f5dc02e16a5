//! How many connection requests may have been refused, where no kernel program sees them.
//!
//! Nothing in `/proc` counts a SYN to a port where nobody listens. `OutRsts` counts every reset
//! sent: for each segment, too, that a peer still had under way to a connection that was aborted
//! here, so that one consumer that leaves data unread can account for hundreds. Booked as
//! refusals it would be wrong by orders of magnitude just when resets matter; so it is none, and
//! only bounds them: no resets, no refusals.

use std::{io, os::unix::fs::MetadataExt, path::Path};

use rustc_hash::FxHashMap;

use super::netns::Namespace;
use crate::collect::proc_file::{self, ProcReader};

/// Namespaces read in one cycle, some 100 µs each; the others have their turn in the next ones.
const MOST_READ: usize = 32;

/// Bounds the number of refused connection requests.
#[derive(Debug)]
pub struct RefusedBound {
    known: FxHashMap<u32, Known>,
    cursor: usize,
    proc: ProcReader,
}

/// What is kept of a namespace.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    first: Option<Counts>,
    /// Resets since the first reading that no abort explains; never falls.
    unexplained: u64,
}

/// Counters of one namespace since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    /// Resets sent (`Tcp: OutRsts` of `net/snmp`).
    resets: u64,
    /// Connections aborted with exactly one of them each (`TCPAbortOnClose` and
    /// `TCPAbortOnLinger` of `net/netstat`). Other aborts need not send any.
    aborts: u64,
}

impl Default for RefusedBound {
    fn default() -> Self {
        Self::new(&proc_file::proc_root())
    }
}

impl RefusedBound {
    fn new(proc: &Path) -> Self {
        Self {
            known: FxHashMap::default(),
            cursor: 0,
            proc: ProcReader::new(proc),
        }
    }

    /// Reads the counters of these namespaces, of a bounded number in each call. Those that no
    /// process lives in are left out.
    pub fn read(&mut self, namespaces: &[Namespace]) {
        self.known
            .retain(|inode, _| namespaces.iter().any(|namespace| namespace.inode == *inode));
        let first = self.cursor.checked_rem(namespaces.len()).unwrap_or(0);
        let (before, from) = namespaces.split_at(first);
        for namespace in from.iter().chain(before).take(MOST_READ) {
            self.cursor = self.cursor.wrapping_add(1);
            if let Ok(counts) = counts(&mut self.proc, namespace) {
                self.known
                    .entry(namespace.inode)
                    .or_default()
                    .update(counts);
            }
        }
    }

    /// Connection requests that may have been refused since the first reading, at most, in the
    /// namespaces that were read; `None` before that.
    pub fn at_most(&self) -> Option<u64> {
        let read = || self.known.values().filter(|known| known.first.is_some());
        read().next()?;
        Some(read().map(|known| known.unexplained).sum())
    }

    /// Why refusals are absent (`cause`, in words), and what is known of them nevertheless.
    pub fn reason(&self, cause: &str) -> String {
        match self.at_most() {
            Some(0) => format!("{cause}; no reset was sent that could be a refusal"),
            Some(most) => format!("{cause}; at most {most} since the start (snmp_out_rsts)"),
            None => cause.to_owned(),
        }
    }
}

impl Known {
    fn update(&mut self, now: Counts) {
        let first = *self.first.get_or_insert(now);
        let resets = now.resets.saturating_sub(first.resets);
        let aborts = now.aborts.saturating_sub(first.aborts);
        self.unexplained = self.unexplained.max(resets.saturating_sub(aborts));
    }
}

/// Reads the counters through a process that lives there, before and after.
fn counts(proc: &mut ProcReader, namespace: &Namespace) -> io::Result<Counts> {
    let pid = namespace
        .proc_pid()
        .ok_or(io::Error::from(io::ErrorKind::NotFound))?;
    let senseless = || io::Error::new(io::ErrorKind::InvalidData, "no such counter");
    // Aborts first: one that comes in between then counts as unexplained, not the other way.
    let netstat = proc.read(pid, "net/netstat")?;
    let aborts = counter(netstat, b"TcpExt:", b"TCPAbortOnClose")
        .zip(counter(netstat, b"TcpExt:", b"TCPAbortOnLinger"))
        .map(|(close, linger)| close.saturating_add(linger));
    let resets = counter(proc.read(pid, "net/snmp")?, b"Tcp:", b"OutRsts");
    let stays = namespace.own
        || proc
            .metadata(pid, "ns/net")
            .is_ok_and(|metadata| metadata.ino() == u64::from(namespace.inode));
    if !stays {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(Counts {
        resets: resets.ok_or_else(senseless)?,
        aborts: aborts.ok_or_else(senseless)?,
    })
}

/// The counter `name` of the table `prefix`: a line of names, and one of numbers below it.
fn counter(text: &[u8], prefix: &[u8], name: &[u8]) -> Option<u64> {
    let mut lines = text
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.strip_prefix(prefix));
    let names = lines.next()?.split(|byte| *byte == b' ');
    let numbers = lines.next()?.split(|byte| *byte == b' ');
    let (_, number) = names.zip(numbers).find(|(word, _)| *word == name)?;
    std::str::from_utf8(number).ok()?.trim().parse().ok()
}

#[cfg(test)]
#[path = "refused_fallback_tests.rs"]
mod tests;
