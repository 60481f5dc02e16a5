//! TCP sockets from sock_diag: the source that needs no BPF.

use std::{borrow::Borrow, path::Path};

use netlink_packet_sock_diag::inet::StateFlags;

pub use super::diag_namespaces::{NamespaceError, SourceError};
use super::{
    diag_message::{self, Answer, Refusal},
    diag_namespaces::Sockets,
    diag_socket::{DiagSocket, DumpBuffer, Request},
    identity::IdMode,
    netns::{EnterError, Namespace},
    sockstat,
};
use crate::collect::{
    TcpSink,
    proc_file::{self, ProcReader},
};

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
        }
    }

    /// Hands every socket of these namespaces to `sink`. Birth, direction, binding and owner are
    /// unknown to sock_diag.
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
        };
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
            info: true,
        };
        let wants_time_wait = self.states.contains(StateFlags::TIME_WAIT);
        let (mode, outcome) = (self.mode, &mut *self.outcome);
        let mut too_old = false;
        let report = socket.dump(&request, self.buffer, |payload| {
            match diag_message::parse(payload, netns, mode) {
                Ok(Answer::Socket(record)) => {
                    outcome.sockets += 1;
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

fn states(time_wait: bool) -> StateFlags {
    let mut states = StateFlags::all();
    states.set(StateFlags::TIME_WAIT, time_wait);
    states
}

#[cfg(test)]
#[path = "diag_tests.rs"]
pub(super) mod tests;
