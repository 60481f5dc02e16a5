//! Attempts noted by the programs, and which of them came to nothing.

use std::net::{IpAddr, Ipv6Addr};

use aya::maps::{HashMap, MapData, PerCpuArray, RingBuf};
use hostlens_ebpf::wire::{
    self, ATTEMPTS, AttemptRecord, Direction, SockFlags, SockKind, SockRecord, UNKNOWN_U32,
    tcp_state,
};
use rustc_hash::FxHashMap;

use super::{
    route::Routes,
    thread::{Place, has_ended, place},
};
use crate::{
    clock::Moment,
    collect::{TcpSink, tcp::netns::Namespace},
    kernel::{Kernel, LoadedObject, objects},
    model::{MapFill, ProgramStatus},
};

/// Attempts are looked at this often, ns.
const SWEEP_NS: u64 = 250_000_000;
/// Each one not before it is so old, ns.
const AGE_NS: u64 = 100_000_000;
/// Entries of threads that have ended are removed in every so many sweeps.
const CLEAN_EVERY: u64 = 20;
/// Routes asked for between two calls at most.
const ASK: u32 = 64;
const MAP: &str = "ATTEMPTS";

/// The source.
pub struct ConnectBpf {
    attempts: HashMap<MapData, u64, AttemptRecord>,
    replaced: RingBuf<MapData>,
    lost: PerCpuArray<MapData, u64>,
    /// Attempts already told of and still in the map: when they began, by thread. Only the thread
    /// replaces an entry, and entries of living threads stay, so none is taken for another.
    told: FxHashMap<u64, u64>,
    routes: Routes,
    asked: u32,
    swept_ns: u64,
    sweeps: u64,
    held: u64,
    malformed: u64,
    partial: Option<String>,
    // Last: programs stay attached until everything that uses them is gone.
    object: LoadedObject,
}

impl ConnectBpf {
    /// Loads and attaches the programs.
    ///
    /// # Errors
    /// One line saying what this kernel lacks or refused, and the programs' states.
    pub fn start(kernel: &Kernel) -> Result<Self, (String, Vec<ProgramStatus>)> {
        let mut object = kernel
            .load(&objects::CONNECT, &[])
            .map_err(|error| (error.to_string(), Vec::new()))?;
        for program in ["connect_begun", "connect_v4", "connect_v6"] {
            if let Some(why) = object.refusal(program) {
                return Err((why, object.programs()));
            }
        }
        match maps(&mut object) {
            Ok((attempts, replaced, lost)) => Ok(Self {
                attempts,
                replaced,
                lost,
                told: FxHashMap::default(),
                routes: Routes::default(),
                asked: 0,
                swept_ns: 0,
                sweeps: 0,
                held: 0,
                malformed: 0,
                partial: kernel.partial_cgroup().map(str::to_owned),
                object,
            }),
            Err(error) => Err((format!("{error:#}"), object.programs())),
        }
    }

    /// Hands the attempts that came to nothing since the last call to the sink, some time after
    /// they did. `namespaces` lead to the routes.
    pub fn drain(&mut self, at: Moment, namespaces: &[Namespace], sink: &mut dyn TcpSink) {
        self.asked = 0;
        self.take_replaced(at, namespaces, sink);
        if at.mono_ns.saturating_sub(self.swept_ns) >= SWEEP_NS {
            self.swept_ns = at.mono_ns;
            self.sweep(at, namespaces, sink);
            // What was told of and replaced during the sweep is struck off by its record.
            self.take_replaced(at, namespaces, sink);
        }
        self.object.flush_log();
    }

    /// Attempts that were followed by another of the same thread.
    fn take_replaced(&mut self, at: Moment, namespaces: &[Namespace], sink: &mut dyn TcpSink) {
        let mut failed = Vec::new();
        while let Some(item) = self.replaced.next() {
            match wire::read::<AttemptRecord>(&item) {
                Some(attempt) => failed.push(attempt),
                None => self.malformed += 1,
            }
        }
        for attempt in failed {
            if self.told.get(&attempt.thread) == Some(&attempt.began_ns) {
                self.told.remove(&attempt.thread);
            } else {
                self.tell(&attempt, at, namespaces, sink);
            }
        }
    }

    fn sweep(&mut self, at: Moment, namespaces: &[Namespace], sink: &mut dyn TcpSink) {
        self.sweeps += 1;
        let clean = self.sweeps.is_multiple_of(CLEAN_EVERY);
        // An entry removed while the map is walked starts the walk again: remove afterwards.
        let entries: Vec<AttemptRecord> = self
            .attempts
            .iter()
            .filter_map(|entry| Some(entry.ok()?.1))
            .collect();
        self.held = entries.len() as u64;
        let crowded = entries.len() > ATTEMPTS / 2;
        for attempt in entries {
            if at.mono_ns.saturating_sub(attempt.began_ns) < AGE_NS {
                continue;
            }
            let thread = attempt.thread;
            let told = self.told.get(&thread) == Some(&attempt.began_ns);
            let over = if told {
                // A crowded map has more use for the room than for an attempt made this instant.
                crowded || (clean && has_ended(thread))
            } else {
                match place(thread, attempt.runtime_ns) {
                    Place::Unclear => continue,
                    found => {
                        self.tell(&attempt, at, namespaces, sink);
                        self.told.insert(thread, attempt.began_ns);
                        found == Place::Ended
                    }
                }
            };
            if over {
                let _ = self.attempts.remove(&thread);
                self.told.remove(&thread);
            }
        }
    }

    fn tell(
        &mut self,
        attempt: &AttemptRecord,
        at: Moment,
        namespaces: &[Namespace],
        sink: &mut dyn TcpSink,
    ) {
        let remote = Ipv6Addr::from(attempt.remote_addr).to_canonical();
        let error = self.error(attempt, remote, at, namespaces);
        sink.socket(&record(attempt, error));
    }

    /// The verdict on the route; 0 if there is one, or none was to be had.
    fn error(
        &mut self,
        attempt: &AttemptRecord,
        remote: IpAddr,
        at: Moment,
        namespaces: &[Namespace],
    ) -> u16 {
        let inode = attempt.netns;
        let known = namespaces.iter().find(|namespace| namespace.inode == inode);
        // The thread may live elsewhere than its process.
        let by_pid = Namespace {
            pids: vec![attempt.thread as u32, (attempt.thread >> 32) as u32],
            ..Namespace::of_pid(inode, 0)
        };
        let ways: Vec<Namespace> = match known {
            Some(known) if known.own => vec![known.clone()],
            known => known.cloned().into_iter().chain([by_pid]).collect(),
        };
        let ask = self.asked < ASK;
        self.asked += 1;
        let error = self.routes.error(inode, remote, at.mono_ns, ask, &ways);
        error.unwrap_or(0)
    }

    /// Attempts that found no room.
    pub fn lost(&self) -> u64 {
        let counts = self.lost.get(&0, 0);
        counts.map_or(0, |counts| counts.iter().sum())
    }

    /// Records that could not be decoded.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// Entries found in the last sweep.
    pub fn fill(&self) -> MapFill {
        MapFill {
            map: MAP,
            used: self.held,
            capacity: ATTEMPTS as u64,
        }
    }

    /// Why not all sockets of the host are seen; `None` if they are.
    pub fn partial(&self) -> Option<&str> {
        self.partial.as_deref()
    }

    /// State of the programs.
    pub fn programs(&self) -> Vec<ProgramStatus> {
        self.object.programs()
    }
}

type Maps = (
    HashMap<MapData, u64, AttemptRecord>,
    RingBuf<MapData>,
    PerCpuArray<MapData, u64>,
);

fn maps(object: &mut LoadedObject) -> anyhow::Result<Maps> {
    Ok((
        object.hash(MAP)?,
        object.ring("FAILED_ATTEMPTS")?,
        object.per_cpu("ATTEMPTS_LOST")?,
    ))
}

/// An attempt as the record of a socket that never was.
fn record(attempt: &AttemptRecord, error: u16) -> SockRecord {
    SockRecord {
        id: identity(attempt),
        born_ns: attempt.began_ns,
        ended_ns: attempt.began_ns,
        remote_addr: attempt.remote_addr,
        remote_port: attempt.remote_port,
        netns: attempt.netns,
        min_rtt_us: UNKNOWN_U32,
        owner_tgid: (attempt.thread >> 32) as u32,
        owner_start_ns: attempt.owner_start_ns,
        state: tcp_state::CLOSE,
        old_state: tcp_state::CLOSE,
        direction: Direction::Outbound as u8,
        kind: SockKind::Failed as u8,
        v6: attempt.v6,
        error,
        flags: SockFlags::LOCAL,
        ..SockRecord::default()
    }
}

/// A thread begins no two attempts in the same nanosecond; mixed by the finalizer of SplitMix64.
fn identity(attempt: &AttemptRecord) -> u64 {
    let mut x = attempt.began_ns.rotate_left(24) ^ attempt.thread;
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (x ^ (x >> 31)) | 1
}

#[cfg(test)]
#[path = "bpf_tests.rs"]
mod tests;
