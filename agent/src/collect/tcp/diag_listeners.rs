//! Listening sockets several times a second by sock_diag: the source that needs no BPF.
//!
//! A dump of listeners alone costs some 15 µs and 0.4 µs per listener, whatever else there is. One
//! netlink socket per network namespace stays open between polls, as it belongs to the namespace
//! it was opened in from wherever it is used; but it also keeps that namespace alive, so before
//! each poll somebody must be seen to live there still.

use std::{
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, Instant},
};

use hostlens_ebpf::wire::ListenRecord;
use netlink_packet_sock_diag::inet::{ExtensionFlags, StateFlags};
use rustc_hash::FxHashMap;

use super::{
    diag_listener_book::ListenerBook,
    diag_listener_message as message,
    diag_message::Refusal,
    diag_namespaces::{NamespaceError, SourceError},
    diag_socket::{DiagSocket, DumpBuffer, Request},
    netns::{EnterError, Namespace, within_each},
    owners::SocketOwners,
};
use crate::{
    clock::Moment,
    collect::{
        DoorSink,
        proc_file::{self, ProcReader},
    },
};

/// Time per poll after which the remaining namespaces wait for the next one.
pub const DEFAULT_BUDGET: Duration = Duration::from_millis(2);

/// Sockets kept open; bounds the file descriptors in use.
const MOST_OPEN: usize = 256;
/// Sockets opened in one poll, some 30 µs each.
const MOST_OPENED: usize = 64;
/// A namespace that failed is left alone for as long.
const RETRY: Duration = Duration::from_secs(60);

/// What one poll did.
#[derive(Debug, Default)]
pub struct PollOutcome {
    /// Namespaces polled.
    pub polled: usize,
    /// Our own is among them.
    pub own_polled: bool,
    /// Namespaces there are, those that failed lately included.
    pub namespaces: usize,
    /// Listeners handed on, those that ended and those of an earlier poll included.
    pub listeners: u64,
    /// Messages that made no sense.
    pub malformed: u64,
    /// Namespaces that could not be polled, and why.
    pub errors: Vec<NamespaceError>,
}

impl PollOutcome {
    /// Whether our own namespace, the first of those given, was polled.
    ///
    /// # Errors
    /// Why not, in one line.
    pub fn own(&self) -> Result<(), String> {
        match (self.errors.first(), self.own_polled) {
            (_, true) => Ok(()),
            (Some(error), false) => Err(error.error.to_string()),
            (None, false) if self.namespaces == 0 => {
                Err("network namespaces have not been listed yet".into())
            }
            (None, false) => Err("our own network namespace failed in an earlier poll".into()),
        }
    }
}

/// Polls listeners.
pub struct ListenerPoll {
    budget: Duration,
    known: FxHashMap<u32, Known>,
    buffer: DumpBuffer,
    proc: ProcReader,
    poll: u64,
}

/// What is kept of a namespace.
#[derive(Default)]
struct Known {
    socket: Option<DiagSocket>,
    book: ListenerBook,
    /// The last poll that came to its end; 0 never.
    polled: u64,
    /// Why it failed, and when.
    failed: Option<(String, Instant)>,
    /// Nobody was found there by these processes.
    left: Option<Vec<u32>>,
    /// The poll before the first one it was given to.
    since: u64,
    /// The last poll it was given to.
    given: u64,
}

impl ListenerPoll {
    /// A poll that takes about `budget`; our own namespace is polled whatever it takes.
    pub fn new(budget: Duration) -> Self {
        Self::with_proc(budget, &proc_file::proc_root())
    }

    fn with_proc(budget: Duration, proc: &Path) -> Self {
        Self {
            budget,
            known: FxHashMap::default(),
            buffer: DumpBuffer::default(),
            proc: ProcReader::new(proc),
            poll: 0,
        }
    }

    /// Hands the listeners of these namespaces to `sink`: of our own as they stand, of the others
    /// as they stand or, beyond the budget, as they stood at their last turn. One that stopped
    /// listening is handed on once more, as ended.
    pub fn poll(
        &mut self,
        namespaces: &[Namespace],
        owners: &mut SocketOwners,
        sink: &mut dyn DoorSink,
    ) -> PollOutcome {
        let start = Instant::now();
        self.poll += 1;
        let mut outcome = PollOutcome {
            namespaces: namespaces.len(),
            ..PollOutcome::default()
        };
        self.forget_all_but(namespaces, sink, &mut outcome);
        let order = self.order(namespaces);
        let mut rest = order.as_slice();
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(rest.len().min(MOST_OPENED));
            self.open(batch, &mut outcome);
            for namespace in batch {
                if !namespace.own && start.elapsed() >= self.budget {
                    self.replay(sink, &mut outcome);
                    return outcome;
                }
                self.visit(namespace, owners, sink, &mut outcome);
            }
            rest = later;
        }
        outcome
    }

    /// Why listeners are seen late or not at all, in words.
    pub fn degraded(&self) -> Option<String> {
        let failed = || {
            self.known
                .values()
                .filter_map(|known| known.failed.as_ref())
        };
        if let Some((why, _)) = failed().next() {
            let count = failed().count();
            return Some(format!(
                "listeners of {count} network namespaces not polled: {why}"
            ));
        }
        let slowest = self
            .known
            .values()
            .filter(|known| known.left.is_none())
            .map(|known| self.poll.saturating_sub(known.polled.max(known.since)))
            .max()?;
        (slowest > 0).then(|| {
            format!(
                "listeners of {} network namespaces are polled in turn, each in one poll of {}",
                self.known.len(),
                slowest + 1
            )
        })
    }

    /// Ends what belongs to namespaces that are no more.
    fn forget_all_but(
        &mut self,
        namespaces: &[Namespace],
        sink: &mut dyn DoorSink,
        outcome: &mut PollOutcome,
    ) {
        for namespace in namespaces {
            let before = self.poll - 1;
            let known = self.known.entry(namespace.inode).or_insert_with(|| Known {
                since: before,
                ..Known::default()
            });
            known.given = self.poll;
            // The finder may know of others who live there.
            if known
                .left
                .as_ref()
                .is_some_and(|pids| *pids != namespace.pids)
            {
                known.left = None;
            }
        }
        let poll = self.poll;
        self.known.retain(|_, known| {
            let stays = known.given == poll;
            if !stays {
                known.book.end_all(told(sink, outcome));
            }
            stays
        });
    }

    /// Hands on what the last poll showed, where it was not the turn of a namespace.
    fn replay(&self, sink: &mut dyn DoorSink, outcome: &mut PollOutcome) {
        for known in self.known.values() {
            if known.polled != self.poll && known.failed.is_none() {
                known.book.replay(told(sink, outcome));
            }
        }
    }

    /// Our own first, then those whose last poll is longest ago; without those that failed lately.
    fn order<'a>(&self, namespaces: &'a [Namespace]) -> Vec<&'a Namespace> {
        let mut order: Vec<(bool, u64, &Namespace)> = namespaces
            .iter()
            .filter_map(|namespace| {
                let known = self.known.get(&namespace.inode)?;
                let failed = known.failed.as_ref();
                let waits = known.left.is_some()
                    || failed.is_some_and(|(_, since)| since.elapsed() < RETRY);
                (!waits).then_some((!namespace.own, known.polled, namespace))
            })
            .collect();
        order.sort_by_key(|(foreign, polled, _)| (*foreign, *polled));
        order.into_iter().map(|(_, _, it)| it).collect()
    }

    /// Opens sockets where there is none, and closes others for them if there are too many.
    fn open(&mut self, batch: &[&Namespace], outcome: &mut PollOutcome) {
        let lacks = |known: &Known| known.socket.is_none();
        let missing: Vec<&Namespace> = batch
            .iter()
            .filter(|namespace| self.known.get(&namespace.inode).is_some_and(lacks))
            .copied()
            .collect();
        if missing.is_empty() {
            return;
        }
        let mut open: Vec<(u64, u32)> = self
            .known
            .iter()
            .filter(|(_, known)| known.socket.is_some())
            .map(|(inode, known)| (known.polled, *inode))
            .collect();
        let surplus = (open.len() + missing.len()).saturating_sub(MOST_OPEN);
        // Those polled last have their next turn last.
        open.sort_unstable();
        for (_, inode) in open.iter().rev().take(surplus) {
            if let Some(known) = self.known.get_mut(inode) {
                known.socket = None;
            }
        }
        let opened = within_each(&missing, DiagSocket::open);
        for (namespace, opened) in missing.iter().zip(opened) {
            let Some(known) = self.known.get_mut(&namespace.inode) else {
                continue;
            };
            match opened {
                Ok(Ok(socket)) => {
                    known.socket = Some(socket);
                    known.failed = None;
                }
                Ok(Err(error)) => fail(known, namespace.inode, SourceError::Open(error), outcome),
                Err(EnterError::Gone { .. }) => known.left = Some(namespace.pids.clone()),
                Err(error) => fail(known, namespace.inode, error.into(), outcome),
            }
        }
    }

    fn visit(
        &mut self,
        namespace: &Namespace,
        owners: &mut SocketOwners,
        sink: &mut dyn DoorSink,
        outcome: &mut PollOutcome,
    ) {
        let inhabited = namespace.own || is_inhabited(&mut self.proc, namespace);
        let Some(known) = self.known.get_mut(&namespace.inode) else {
            return;
        };
        let Some(mut socket) = known.socket.take() else {
            return;
        };
        if !inhabited {
            // The socket, which may be all that holds it, is closed.
            known.left = Some(namespace.pids.clone());
            known.book.end_all(told(sink, outcome));
            return;
        }
        let mut visit = Visit {
            netns: namespace.inode,
            book: &mut known.book,
            owners,
            sink,
            outcome,
        };
        match visit.dump(&mut socket, &mut self.buffer) {
            Ok(()) => {
                known.socket = Some(socket);
                known.polled = self.poll;
                outcome.own_polled |= namespace.own;
            }
            // After an error answers may be left in the socket: it is closed.
            Err(error) => fail(known, namespace.inode, error, outcome),
        }
    }
}

fn fail(known: &mut Known, inode: u32, error: SourceError, outcome: &mut PollOutcome) {
    known.failed = Some((error.to_string(), Instant::now()));
    outcome.errors.push(NamespaceError { inode, error });
}

/// Whether a process lives in a namespace, or it is mounted somewhere.
fn is_inhabited(proc: &mut ProcReader, namespace: &Namespace) -> bool {
    let is_it = |metadata: std::fs::Metadata| metadata.ino() == u64::from(namespace.inode);
    let mut pids = namespace.pids.iter();
    pids.any(|pid| proc.metadata(*pid, "ns/net").is_ok_and(is_it))
        || namespace
            .mounted
            .as_ref()
            .is_some_and(|path| std::fs::metadata(path).is_ok_and(is_it))
}

/// The poll of one namespace.
struct Visit<'a> {
    netns: u32,
    book: &'a mut ListenerBook,
    owners: &'a mut SocketOwners,
    sink: &'a mut dyn DoorSink,
    outcome: &'a mut PollOutcome,
}

impl Visit<'_> {
    fn dump(
        &mut self,
        socket: &mut DiagSocket,
        buffer: &mut DumpBuffer,
    ) -> Result<(), SourceError> {
        self.book.begin(Moment::now().mono_ns);
        let mut whole = true;
        let mut too_old = false;
        // The kernel compares families, so a dual-stack socket is in the second answer alone.
        for v6 in [false, true] {
            let request = Request {
                v6,
                states: StateFlags::LISTEN,
                extensions: ExtensionFlags::SKMEMINFO,
            };
            let report = socket.dump(&request, buffer, |payload| {
                match message::parse(payload, self.netns) {
                    Ok(record) => self.seen(record),
                    Err(Refusal::ShortInfo) => too_old = true,
                    Err(Refusal::Malformed | Refusal::NoInfo) => {
                        self.outcome.malformed += 1;
                        whole = false;
                    }
                }
            })?;
            self.outcome.malformed += report.malformed;
            whole &= report.malformed == 0 && !report.interrupted;
        }
        if too_old {
            return Err(SourceError::TooOld);
        }
        if whole {
            self.book.finish(told(self.sink, self.outcome));
        }
        self.outcome.polled += 1;
        Ok(())
    }

    fn seen(&mut self, mut record: ListenRecord) {
        let inode = u32::try_from(record.inode).unwrap_or(0);
        if let Some(owner) = self.owners.owner(inode) {
            record.owner_tgid = owner.tgid;
            record.owner_start_ns = owner.start_ns;
        }
        self.book.seen(&mut record);
        told(self.sink, self.outcome)(&record);
    }
}

/// Hands records on and counts them.
fn told(sink: &mut dyn DoorSink, outcome: &mut PollOutcome) -> impl FnMut(&ListenRecord) {
    move |record| {
        outcome.listeners += 1;
        sink.listener(record);
    }
}

#[cfg(test)]
#[path = "diag_listeners_tests.rs"]
mod tests;
