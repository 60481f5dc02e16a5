//! Sockets in TIME_WAIT: no counters, no events, only visible to a walk of their own.
//!
//! Every dump visits the namespace's whole hash table, so namespaces without any are passed over
//! (`/proc/PID/net/sockstat` counts them) and the others share a time budget. Between its dumps a
//! namespace shows what its last one said; a TIME_WAIT lasts 60 s.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use hostlens_ebpf::wire::{SockKind, SockRecord, tcp_state};
use netlink_packet_sock_diag::inet::{ExtensionFlags, StateFlags};
use rustc_hash::FxHashMap;

use super::{
    diag::Outcome,
    diag_message::{self, Answer},
    diag_namespaces::{Sockets, SourceError},
    diag_socket::{DiagSocket, DumpBuffer, Request},
    identity::{IdMode, tuple_id},
    netns::Namespace,
    sockstat,
};
use crate::collect::{
    TcpSink,
    proc_file::{self, ProcReader},
};

/// Time per cycle that a host with a few thousand sockets never needs.
pub const DEFAULT_BUDGET: Duration = Duration::from_millis(3);

/// Sockets held over all namespaces. The kernel's own bound (`tcp_max_tw_buckets`) is often
/// larger; what goes beyond is counted in `TimeWaitOutcome::beyond_limit`.
const MOST_HELD: usize = 1 << 17;

/// Dumps between two that ask for IPv6 even if the count is complete without it: it may be so by
/// chance, as sockets come between the count and the dump.
const V6_EVERY: u64 = 12;

/// Namespaces whose evidence is read in one cycle, some 15 µs each. With more, each has its turn
/// within the time that a TIME_WAIT lasts, up to some five hundred of them.
const MOST_WEIGHED: usize = 48;

/// What one cycle did.
#[derive(Debug, Default)]
pub struct TimeWaitOutcome {
    /// Sockets handed on and namespaces dumped; `complete` if nothing failed.
    pub walk: Outcome,
    /// Namespaces that show an earlier cycle's sockets.
    pub replayed: u64,
    /// Sockets left out as too many are held already.
    pub beyond_limit: u64,
}

/// Walks over TIME_WAIT sockets.
pub struct TimeWaitCollector {
    pace: Pace,
    cycle: u64,
    /// Where the next cycle begins to read evidence.
    cursor: usize,
    known: FxHashMap<u32, Known>,
    sockets: Sockets,
    buffer: DumpBuffer,
    proc: ProcReader,
}

/// Keeps the time spent to a budget per cycle on average. A dump cannot be stopped halfway, so one
/// may overdraw the account; the following cycles then do without until it is even again.
struct Pace {
    budget_ns: i64,
    left_ns: i64,
}

/// What is known of a namespace.
#[derive(Default)]
struct Known {
    /// Sockets of the last dump.
    held: Vec<Held>,
    /// Cycle of the last dump; 0 never.
    dumped: u64,
    /// It has been asked for evidence.
    weighed: bool,
    /// TIME_WAIT sockets by the last evidence; `None` if there is no evidence to be had.
    expected: Option<u64>,
    /// Dumps so far.
    dumps: u64,
    /// The last dump that asked for IPv6 found some.
    has_v6: bool,
    /// Cycle in which it was last among the namespaces given.
    seen: u64,
}

/// The part of a record that a TIME_WAIT socket has.
#[derive(Clone, Copy)]
struct Held {
    local_addr: [u8; 16],
    remote_addr: [u8; 16],
    local_port: u16,
    remote_port: u16,
    v6: u8,
}

impl TimeWaitCollector {
    /// A collector that spends about `budget` per cycle.
    pub fn new(budget: Duration) -> Self {
        Self::with_proc(budget, &proc_file::proc_root())
    }

    fn with_proc(budget: Duration, proc: &Path) -> Self {
        Self {
            pace: Pace::new(budget),
            cycle: 0,
            cursor: 0,
            known: FxHashMap::default(),
            sockets: Sockets::default(),
            buffer: DumpBuffer::default(),
            proc: ProcReader::new(proc),
        }
    }

    /// Hands the current set of TIME_WAIT sockets of these namespaces to `sink`. Identities are
    /// by 4-tuple: such a socket has nothing that a delta could be taken of.
    pub fn collect(&mut self, namespaces: &[Namespace], sink: &mut dyn TcpSink) -> TimeWaitOutcome {
        self.cycle += 1;
        self.pace.begin_cycle();
        let start = Instant::now();
        self.weigh(namespaces);
        let weighed = start.elapsed();
        let mut outcome = TimeWaitOutcome::default();
        let due = self.due(namespaces);
        self.refresh(&due, &mut outcome);
        self.pace.spend_on_the_side(weighed);
        for namespace in namespaces {
            let Some(known) = self.known.get(&namespace.inode) else {
                continue;
            };
            outcome.replayed += u64::from(known.dumped != self.cycle && !known.held.is_empty());
            outcome.walk.time_wait += known.held.len() as u64;
            for held in &known.held {
                sink.time_wait(&held.record(namespace.inode));
            }
        }
        outcome.walk.complete = outcome.walk.is_whole();
        outcome
    }

    /// Reads evidence, of our own namespace and some others in each cycle; the next one goes on
    /// where this one ended.
    fn weigh(&mut self, namespaces: &[Namespace]) {
        let cycle = self.cycle;
        for namespace in namespaces {
            self.known.entry(namespace.inode).or_default().seen = cycle;
        }
        self.known.retain(|_, known| known.seen == cycle);
        let (own, others): (Vec<_>, Vec<_>) = namespaces.iter().partition(|it| it.own);
        let first = self.cursor.checked_rem(others.len()).unwrap_or(0);
        let (before, after) = others.split_at(first);
        let turn: Vec<_> = after.iter().chain(before).take(MOST_WEIGHED).collect();
        self.cursor = self.cursor.wrapping_add(turn.len());
        for namespace in own.iter().chain(turn) {
            let expected = namespace
                .proc_pid()
                .and_then(|pid| sockstat::read_time_wait(&mut self.proc, pid).ok());
            if let Some(known) = self.known.get_mut(&namespace.inode) {
                known.weighed = true;
                known.expected = expected;
                if expected == Some(0) {
                    known.held = Vec::new();
                }
            }
        }
    }

    /// Namespaces worth a dump, the most outdated first.
    fn due<'a>(&self, namespaces: &'a [Namespace]) -> Vec<&'a Namespace> {
        let mut due: Vec<(u64, &Namespace)> = namespaces
            .iter()
            .filter_map(|namespace| {
                let urgency = self.known.get(&namespace.inode)?.urgency(self.cycle);
                (urgency > 0).then_some((urgency, namespace))
            })
            .collect();
        due.sort_by_key(|(urgency, _)| std::cmp::Reverse(*urgency));
        due.into_iter().map(|(_, namespace)| namespace).collect()
    }

    /// Dumps as many as the budget allows.
    fn refresh(&mut self, due: &[&Namespace], outcome: &mut TimeWaitOutcome) {
        for namespace in due {
            if !self.pace.may_go_on() {
                break;
            }
            let start = Instant::now();
            let mut held = Vec::new();
            let buffer = &mut self.buffer;
            let enough = self
                .known
                .get(&namespace.inode)
                .and_then(Known::enough_of_v4);
            let errors = self.sockets.each(&[*namespace], |_, socket| {
                dump(
                    socket,
                    buffer,
                    (namespace.inode, enough),
                    &mut held,
                    &mut outcome.walk,
                )
            });
            self.pace.spend(start.elapsed());
            if !errors.is_empty() {
                outcome.walk.add_errors(errors);
                continue;
            }
            outcome.walk.namespaces += 1;
            let others: usize = self
                .known
                .iter()
                .filter(|(inode, _)| **inode != namespace.inode)
                .map(|(_, known)| known.held.len())
                .sum();
            let room = MOST_HELD.saturating_sub(others);
            outcome.beyond_limit += held.len().saturating_sub(room) as u64;
            held.truncate(room);
            held.shrink_to_fit();
            if let Some(known) = self.known.get_mut(&namespace.inode) {
                // Where IPv6 was passed over there was none before either.
                known.has_v6 = held.iter().any(|held| held.v6 != 0);
                known.held = held;
                known.dumped = self.cycle;
                known.dumps += 1;
            }
        }
    }
}

impl Pace {
    fn new(budget: Duration) -> Self {
        Self {
            budget_ns: nanos(budget),
            left_ns: 0,
        }
    }

    /// What an earlier cycle left is not saved up.
    fn begin_cycle(&mut self) {
        self.left_ns = self.left_ns.min(0).saturating_add(self.budget_ns);
    }

    fn may_go_on(&self) -> bool {
        self.left_ns >= 0
    }

    /// Time that must not use up all of the budget, however long it is.
    fn spend_on_the_side(&mut self, time: Duration) {
        self.left_ns = self
            .left_ns
            .saturating_sub(nanos(time).min(self.budget_ns / 2));
    }

    fn spend(&mut self, time: Duration) {
        self.left_ns = self.left_ns.saturating_sub(nanos(time).max(1));
    }
}

fn nanos(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

impl Known {
    /// How many IPv4 sockets make a look at IPv6 needless; `None` if it is needed anyhow.
    fn enough_of_v4(&self) -> Option<u64> {
        let v6_unlikely = !self.has_v6 && !self.dumps.is_multiple_of(V6_EVERY);
        self.expected.filter(|_| v6_unlikely)
    }

    /// How much a dump is needed: the sockets it would correct, times the cycles since the last
    /// one. 0: none.
    fn urgency(&self, cycle: u64) -> u64 {
        let held = self.held.len() as u64;
        let wrong = match self.expected {
            _ if !self.weighed => return 0,
            Some(0) => return 0,
            // As many may be others by now.
            Some(expected) => expected.abs_diff(held) + 1,
            None => held + 1,
        };
        wrong.saturating_mul(cycle.saturating_sub(self.dumped))
    }
}

impl Held {
    fn record(&self, netns: u32) -> SockRecord {
        let mut record = SockRecord {
            local_addr: self.local_addr,
            remote_addr: self.remote_addr,
            netns,
            min_rtt_us: u32::MAX,
            local_port: self.local_port,
            remote_port: self.remote_port,
            state: tcp_state::TIME_WAIT,
            kind: SockKind::Live as u8,
            v6: self.v6,
            ..SockRecord::default()
        };
        record.id = tuple_id(&record);
        record
    }
}

/// Dumps both families, or IPv4 alone if that shows at least `enough`. FIN_WAIT2 is asked for as
/// well: a closed socket waits for the peer's FIN as a TIME_WAIT bucket of that substate, and the
/// kernel's count includes it.
fn dump(
    socket: &mut DiagSocket,
    buffer: &mut DumpBuffer,
    (netns, enough): (u32, Option<u64>),
    held: &mut Vec<Held>,
    outcome: &mut Outcome,
) -> Result<(), SourceError> {
    for v6 in [false, true] {
        if v6 && enough.is_some_and(|enough| held.len() as u64 >= enough) {
            break;
        }
        let request = Request {
            v6,
            states: StateFlags::TIME_WAIT | StateFlags::FIN_WAIT2,
            extensions: ExtensionFlags::empty(),
        };
        let report = socket.dump(&request, buffer, |payload| {
            match diag_message::parse(payload, netns, IdMode::Tuple) {
                Ok(Answer::TimeWait(record)) => held.push(Held {
                    local_addr: record.local_addr,
                    remote_addr: record.remote_addr,
                    local_port: record.local_port,
                    remote_port: record.remote_port,
                    v6: record.v6,
                }),
                // A living socket in FIN_WAIT2, which comes without the tcp_info not asked for.
                Ok(Answer::Socket(_)) | Err(diag_message::Refusal::NoInfo) => {}
                Err(_) => outcome.malformed += 1,
            }
        })?;
        outcome.malformed += report.malformed;
        outcome.interrupted += u64::from(report.interrupted);
    }
    Ok(())
}

#[cfg(test)]
#[path = "time_wait_tests.rs"]
mod tests;
