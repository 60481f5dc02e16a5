//! Memory of processes from `/proc/PID/statm` and `/proc/PID/status`.
//!
//! Since 6.2 the kernel keeps page counts per CPU, and what a walk over tasks sees of them is 0
//! for small processes. These two files add the parts up. `statm` costs 7 µs, `status`, which
//! alone has the split, twice that: it is read only when `statm` changed.

use std::{
    io,
    path::Path,
    time::{Duration, Instant},
};

use rustc_hash::FxHashMap;

use crate::model::ProcessId;
use crate::{
    collect::proc_file::{self, ProcReader, leading_number, line_value},
    model::Memory,
};

/// Every so many readings `status` is read whatever `statm` says: pages swapped out while as many
/// are swapped in change nothing there.
const FULL_EVERY: u32 = 12;

/// A process not asked for in so many calls is forgotten; the next reading is then a full one.
const KEEP_CALLS: u64 = 256;

/// What one call did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryOutcome {
    /// Processes read in full.
    pub read: u64,
    /// Processes found unchanged.
    pub unchanged: u64,
    /// Processes that ended before they were read.
    pub gone: u64,
    /// Processes that were not readable or made no sense.
    pub failed: u64,
    /// Processes left for a later call, as the budget was spent.
    pub pending: u64,
    /// Of these, processes that were never read.
    pub never_read: u64,
}

/// Reads memory of processes and remembers the last reading of each.
pub struct MemoryReader {
    proc: ProcReader,
    known: FxHashMap<ProcessId, Reading>,
    order: Vec<(u64, u32)>,
    call: u64,
}

/// The last reading of one process.
#[derive(Clone, Copy)]
struct Reading {
    statm: Statm,
    memory: Memory,
    /// Readings by `statm` alone since the last full one.
    unchanged: u32,
    /// Call of the last reading of any kind.
    read_at: u64,
    /// Call in which it was last asked for.
    asked_at: u64,
}

/// The fields of `/proc/PID/statm` that memory in use shows in, pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statm {
    /// Address space.
    pub size: u64,
    /// Resident pages.
    pub resident: u64,
    /// Resident pages of files and shared memory.
    pub shared: u64,
}

impl Default for MemoryReader {
    fn default() -> Self {
        Self::new(&proc_file::proc_root())
    }
}

impl MemoryReader {
    /// Reads below `proc`.
    pub fn new(proc: &Path) -> Self {
        Self {
            proc: ProcReader::new(proc),
            known: FxHashMap::default(),
            order: Vec::new(),
            call: 0,
        }
    }

    /// Reads as many of these processes as `budget` allows (at least one), those not read for the
    /// longest time first, and hands each reading on.
    ///
    /// `ids` must come from the current cycle's walk: the files are found by pid alone. The pid of
    /// a process that died since then reaches another one only after the kernel has gone through
    /// all other pids, which takes far longer than a cycle; checking the start time would mean to
    /// read `stat`, which costs more than all the rest.
    pub fn read_within(
        &mut self,
        ids: &[ProcessId],
        budget: Duration,
        mut each: impl FnMut(ProcessId, Memory),
    ) -> MemoryOutcome {
        let start = Instant::now();
        self.call += 1;
        let mut order = std::mem::take(&mut self.order);
        order.clear();
        for (at, id) in (0u32..).zip(ids) {
            let read_at = self.known.get_mut(id).map_or(0, |known| {
                known.asked_at = self.call;
                known.read_at
            });
            order.push((read_at, at));
        }
        order.sort_unstable();
        let mut outcome = MemoryOutcome::default();
        for (done, &(read_at, at)) in order.iter().enumerate() {
            if done > 0 && start.elapsed() >= budget {
                outcome.pending += 1;
                outcome.never_read += u64::from(read_at == 0);
                continue;
            }
            let Some(&id) = ids.get(at as usize) else {
                continue;
            };
            match self.read(id) {
                Ok((memory, full)) => {
                    if full {
                        outcome.read += 1;
                    } else {
                        outcome.unchanged += 1;
                    }
                    each(id, memory);
                }
                Err(error) => {
                    self.known.remove(&id);
                    if proc_file::is_gone(&error) {
                        outcome.gone += 1;
                    } else {
                        outcome.failed += 1;
                    }
                }
            }
        }
        self.order = order;
        if self.call.is_multiple_of(KEEP_CALLS) {
            let oldest = self.call - KEEP_CALLS;
            self.known.retain(|_, known| known.asked_at >= oldest);
            self.known.shrink_to_fit();
            self.order.shrink_to(self.known.len());
        }
        outcome
    }

    /// The last reading of a process, however old.
    pub fn last(&self, id: ProcessId) -> Option<Memory> {
        self.known.get(&id).map(|reading| reading.memory)
    }

    /// Forgets a process that has ended.
    pub fn forget(&mut self, id: ProcessId) {
        self.known.remove(&id);
    }

    /// Reads one process; true if in full.
    fn read(&mut self, id: ProcessId) -> io::Result<(Memory, bool)> {
        let statm = parse_statm(self.proc.read_once(id.tgid, "statm")?).ok_or_else(nonsense)?;
        if let Some(known) = self.known.get_mut(&id) {
            known.read_at = self.call;
            if known.statm == statm && known.unchanged < FULL_EVERY {
                known.unchanged += 1;
                return Ok((known.memory, false));
            }
        }
        let memory = parse_status(self.proc.read_once(id.tgid, "status")?).ok_or_else(nonsense)?;
        self.known.insert(
            id,
            Reading {
                statm,
                memory,
                unchanged: 0,
                read_at: self.call,
                asked_at: self.call,
            },
        );
        Ok((memory, true))
    }
}

fn nonsense() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

/// Reads `/proc/PID/statm`.
pub fn parse_statm(text: &[u8]) -> Option<Statm> {
    let mut numbers = text.split(|byte| *byte == b' ').map(leading_number);
    Some(Statm {
        size: numbers.next()??,
        resident: numbers.next()??,
        shared: numbers.next()??,
    })
}

/// Reads the memory lines of `/proc/PID/status`, bytes. All zero for a process that has no address
/// space (kernel thread, zombie): there the lines are missing. `None` if this is no `status` at all
/// or of a kernel before 4.5, which has no split.
pub fn parse_status(text: &[u8]) -> Option<Memory> {
    // The name comes first, and the kernel escapes newlines in it.
    text.starts_with(b"Name:").then_some(())?;
    if line_value(text, b"VmRSS:").is_none() {
        return Some(Memory::default());
    }
    let bytes = |key| {
        let value = line_value(text, key)?;
        leading_number(value.strip_suffix(b"kB")?)?.checked_mul(1024)
    };
    Some(Memory {
        anon: bytes(b"RssAnon:")?,
        file: bytes(b"RssFile:")?,
        shmem: bytes(b"RssShmem:")?,
        swap: bytes(b"VmSwap:")?,
    })
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
