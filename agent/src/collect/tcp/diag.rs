//! TCP sockets from sock_diag: the source that needs no BPF.

use std::{borrow::Borrow, path::Path};

use hostlens_ebpf::wire::SockRecord;
use netlink_packet_sock_diag::inet::{ExtensionFlags, StateFlags};

pub use super::diag_namespaces::{NamespaceError, SourceError};
use super::{
    diag_listeners::{self, ListenerPoll, PollOutcome},
    diag_message::{self, Answer, Refusal},
    diag_namespaces::Sockets,
    diag_socket::{DiagSocket, DumpBuffer, Request},
    identity::IdMode,
    netns::{EnterError, Namespace},
    owners::{self, SocketOwner, SocketOwners},
    sockstat,
};
use crate::collect::{
    DoorSink, TcpSink,
    proc_file::{self, ProcReader},
};

/// Sockets of a walk that wait for their owner to be found.
const MOST_HELD: usize = 1 << 13;

/// What one walk over the sockets saw.
#[derive(Debug, Default)]
pub struct Outcome {
    /// All namespaces were read to their end: a socket that was not seen has ended. False too if
    /// the kernel's tables changed under a dump.
    pub complete: bool,
    /// Sockets handed to `TcpSink::socket`.
    pub sockets: u64,
    /// Sockets handed to `TcpSink::time_wait`.
    pub time_wait: u64,
    /// Namespaces read, those known to be empty included.
    pub namespaces: u64,
    /// Namespaces that ended since they were found.
    pub gone: u64,
    /// Netlink messages that made no sense, and sockets without `tcp_info`.
    pub malformed: u64,
    /// Dumps during which the kernel's tables changed.
    pub interrupted: u64,
    /// Namespaces that could not be read, and why.
    pub errors: Vec<NamespaceError>,
}

impl Outcome {
    /// Notes namespaces that were not read. One that has ended is no error.
    pub(super) fn add_errors(&mut self, errors: Vec<NamespaceError>) {
        for error in errors {
            if matches!(error.error, SourceError::Enter(EnterError::Gone { .. })) {
                self.gone += 1;
            } else {
                self.errors.push(error);
            }
        }
    }

    /// Whether nothing went wrong in what was read.
    pub(super) fn is_whole(&self) -> bool {
        self.errors.is_empty() && self.malformed == 0 && self.interrupted == 0
    }
}

/// Walks over all TCP sockets by sock_diag. Each dump visits the kernel's whole hash table
/// (0.1 ms and more), so a family of which a namespace has no socket is left out.
pub struct DiagCollector {
    mode: IdMode,
    time_wait: bool,
    sockets: Sockets,
    buffer: DumpBuffer,
    proc: ProcReader,
    owners: SocketOwners,
    listeners: ListenerPoll,
}

impl DiagCollector {
    /// Identifies sockets by `mode`. With `time_wait`, TIME_WAIT sockets are dumped in the same
    /// walk and handed to `TcpSink::time_wait`, which costs less than a walk of their own.
    pub fn new(mode: IdMode, time_wait: bool) -> Self {
        Self::with_proc(mode, time_wait, &proc_file::proc_root())
    }

    fn with_proc(mode: IdMode, time_wait: bool, proc: &Path) -> Self {
        Self {
            mode,
            time_wait,
            sockets: Sockets::default(),
            buffer: DumpBuffer::default(),
            proc: ProcReader::new(proc),
            owners: SocketOwners::default(),
            listeners: ListenerPoll::new(diag_listeners::DEFAULT_BUDGET),
        }
    }

    /// Hands the listening sockets of these namespaces to `sink`, for several calls a second; see
    /// [`ListenerPoll::poll`]. Owners found since the last walk are in the records.
    pub fn poll_listeners(
        &mut self,
        namespaces: &[Namespace],
        sink: &mut dyn DoorSink,
    ) -> PollOutcome {
        self.listeners.poll(namespaces, &mut self.owners, sink)
    }

    /// Why listeners are seen late or not at all.
    pub fn listeners_degraded(&self) -> Option<String> {
        self.listeners.degraded()
    }

    /// Why owners are missing although somebody may hold the sockets.
    pub fn owners_degraded(&self) -> Option<String> {
        self.owners.degraded()
    }

    /// Hands every socket of these namespaces to `sink`. Birth, direction and binding are unknown
    /// to sock_diag; owners come from `/proc`, some cycles late where there is much to look at.
    pub fn collect(&mut self, namespaces: &[Namespace], sink: &mut dyn TcpSink) -> Outcome {
        let mut outcome = Outcome::default();
        let mut targets = Vec::with_capacity(namespaces.len());
        for namespace in namespaces {
            let target = Target::new(namespace, &mut self.proc, self.time_wait);
            if target.v4 || target.v6 {
                targets.push(target);
            } else {
                outcome.namespaces += 1;
            }
        }
        let mut walk = Walk {
            mode: self.mode,
            states: states(self.time_wait),
            buffer: &mut self.buffer,
            outcome: &mut outcome,
            owners: &mut self.owners,
            held: Vec::new(),
        };
        walk.owners.begin_cycle();
        let errors = self.sockets.each(&targets, |target, socket| {
            let netns = target.namespace.inode;
            if target.v4 {
                walk.dump(socket, false, netns, sink)?;
            }
            if target.v6 {
                walk.dump(socket, true, netns, sink)?;
            }
            walk.outcome.namespaces += 1;
            Ok(())
        });
        walk.hand_on_held(sink);
        outcome.add_errors(errors);
        outcome.complete = outcome.is_whole();
        outcome
    }
}

/// A namespace and the families it has sockets of.
struct Target<'a> {
    namespace: &'a Namespace,
    v4: bool,
    v6: bool,
}

impl<'a> Target<'a> {
    fn new(namespace: &'a Namespace, proc: &mut ProcReader, time_wait: bool) -> Self {
        let stat = namespace
            .proc_pid()
            .and_then(|pid| sockstat::read(proc, pid).ok());
        // Without evidence, look. TIME_WAIT is counted for both families together.
        let (v4, v6) = stat.map_or((true, true), |stat| {
            let waiting = time_wait && stat.time_wait > 0;
            (stat.v4 > 0 || waiting, stat.v6 > 0 || waiting)
        });
        Self { namespace, v4, v6 }
    }
}

impl Borrow<Namespace> for Target<'_> {
    fn borrow(&self) -> &Namespace {
        self.namespace
    }
}

/// One walk over all namespaces.
struct Walk<'a> {
    mode: IdMode,
    states: StateFlags,
    buffer: &'a mut DumpBuffer,
    outcome: &'a mut Outcome,
    owners: &'a mut SocketOwners,
    /// Sockets, with their inode numbers, whose owner was not known when they were seen.
    held: Vec<(SockRecord, u32)>,
}

impl Walk<'_> {
    fn dump(
        &mut self,
        socket: &mut DiagSocket,
        v6: bool,
        netns: u32,
        sink: &mut dyn TcpSink,
    ) -> Result<(), SourceError> {
        let request = Request {
            v6,
            states: self.states.clone(),
            extensions: ExtensionFlags::INFO,
        };
        let wants_time_wait = self.states.contains(StateFlags::TIME_WAIT);
        let (mode, outcome) = (self.mode, &mut *self.outcome);
        let (owners, held) = (&mut *self.owners, &mut self.held);
        let mut too_old = false;
        let report = socket.dump(&request, self.buffer, |payload| {
            match diag_message::parse(payload, netns, mode) {
                Ok(Answer::Socket(mut record)) => {
                    outcome.sockets += 1;
                    let inode = diag_message::inode(payload);
                    let owner = owners.owner(inode);
                    if owner.is_none() && inode != 0 && held.len() < MOST_HELD {
                        held.push((record, inode));
                        return;
                    }
                    own(&mut record, owner);
                    sink.socket(&record);
                }
                // One that still waits for the peer's FIN comes with the living ones.
                Ok(Answer::TimeWait(record)) if wants_time_wait => {
                    outcome.time_wait += 1;
                    sink.time_wait(&record);
                }
                Ok(Answer::TimeWait(_)) => {}
                Err(Refusal::ShortInfo) => too_old = true,
                Err(Refusal::Malformed | Refusal::NoInfo) => outcome.malformed += 1,
            }
        })?;
        outcome.malformed += report.malformed;
        outcome.interrupted += u64::from(report.interrupted);
        if too_old {
            return Err(SourceError::TooOld);
        }
        Ok(())
    }
}

impl Walk<'_> {
    /// Looks for the owners that are not known, and hands on the sockets that waited for that.
    fn hand_on_held(self, sink: &mut dyn TcpSink) {
        self.owners.search(owners::DEFAULT_BUDGET);
        for (mut record, inode) in self.held {
            own(&mut record, self.owners.owner(inode));
            sink.socket(&record);
        }
    }
}

fn own(record: &mut SockRecord, owner: Option<SocketOwner>) {
    if let Some(owner) = owner {
        record.owner_tgid = owner.tgid;
        record.owner_start_ns = owner.start_ns;
    }
}

fn states(time_wait: bool) -> StateFlags {
    let mut states = StateFlags::all();
    states.set(StateFlags::TIME_WAIT, time_wait);
    states
}

#[cfg(test)]
#[path = "diag_tests.rs"]
pub(super) mod tests;
