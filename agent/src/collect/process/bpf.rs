//! Processes through kernel programs: one walk over all tasks, the final records of processes
//! that end in between, and the arguments of interpreters.

use aya::maps::{MapData, PerCpuArray, RingBuf};
use hostlens_ebpf::wire::{self, ExecRecord, TaskKind, TaskRecord, TaskTotals, ThreadRecord};

use super::names::NameResolver;
use crate::{
    collect::ProcessSink,
    kernel::{Kernel, LoadedObject, RingBytes, Target, WalkError, Walker, objects},
    model::{MapFill, ProgramStatus},
};

/// Events in flight: enough for 2,700 processes that end between two polls.
pub const RING_BYTES: u32 = 1 << 19;

/// The source. Walk and ends are independent: each serves where the other is refused.
pub struct ProcessBpf {
    walker: Option<Walker>,
    events: Option<RingBuf<MapData>>,
    overflow: Option<PerCpuArray<MapData, TaskTotals>>,
    exec_lost: Option<PerCpuArray<MapData, u64>>,
    malformed: u64,
    fill: MapFill,
    // Last: programs stay attached until everything that uses them is gone.
    object: LoadedObject,
}

impl ProcessBpf {
    /// Loads and attaches the programs.
    ///
    /// # Errors
    /// One line saying why the object as a whole cannot be used.
    pub fn start(kernel: &Kernel, ring_bytes: u32) -> Result<Self, String> {
        let rings = [RingBytes {
            map: "TASK_EVENTS",
            bytes: ring_bytes,
        }];
        let mut object = kernel
            .load(&objects::TASKS, &rings)
            .map_err(|error| error.to_string())?;
        let walker = match object.iterator("task_walk") {
            Some(program) => Some(
                Walker::link(program, Target::All)
                    .map_err(|error| format!("cannot link task_walk: {error}"))?,
            ),
            None => None,
        };
        let describe = |error: anyhow::Error| format!("{error:#}");
        let (events, overflow) = if object.runs("task_freed") {
            let events = object.ring("TASK_EVENTS").map_err(describe)?;
            let overflow = object.per_cpu("TASK_OVERFLOW").map_err(describe)?;
            (Some(events), Some(overflow))
        } else {
            (None, None)
        };
        let exec_lost = match object.runs("task_executed") {
            true => Some(object.per_cpu("EXEC_LOST").map_err(describe)?),
            false => None,
        };
        Ok(Self {
            walker,
            events,
            overflow,
            exec_lost,
            malformed: 0,
            fill: MapFill {
                map: "TASK_EVENTS",
                used: 0,
                capacity: u64::from(ring_bytes),
            },
            object,
        })
    }

    /// Whether living processes can be walked; why not.
    pub fn walks(&self) -> Result<(), String> {
        match self.object.refusal("task_walk") {
            None => Ok(()),
            Some(why) => Err(why),
        }
    }

    /// Whether final records arrive; why not.
    pub fn ends(&self) -> Result<(), String> {
        match self.object.refusal("task_freed") {
            None => Ok(()),
            Some(why) => Err(why),
        }
    }

    /// Hands every living process and thread to the sink.
    ///
    /// # Errors
    /// The walk broke off; what came before was delivered.
    pub fn walk(
        &mut self,
        sink: &mut dyn ProcessSink,
        names: &mut NameResolver,
    ) -> Result<(), WalkError> {
        let Some(walker) = &mut self.walker else {
            return Ok(());
        };
        let mut malformed = 0;
        let walked = walker.walk(|bytes| {
            let mut at = 0;
            while let Some(kind) = wire::read_kind(&bytes[at..]) {
                if kind == TaskKind::Process as u32 {
                    let Some(record) = wire::read::<TaskRecord>(&bytes[at..]) else {
                        break;
                    };
                    sink.process(&record, names);
                    at += size_of::<TaskRecord>();
                } else if kind == TaskKind::Thread as u32 {
                    let Some(record) = wire::read::<ThreadRecord>(&bytes[at..]) else {
                        break;
                    };
                    sink.thread(&record);
                    at += size_of::<ThreadRecord>();
                } else {
                    // Records follow each other without marks: the rest of the buffer is lost.
                    malformed += 1;
                    return bytes.len();
                }
            }
            at
        });
        self.malformed += malformed;
        walked
    }

    /// Hands what came in since the last call to the sink, then the totals of final records that
    /// found no room.
    pub fn drain(&mut self, sink: &mut dyn ProcessSink, names: &mut NameResolver) {
        let Some(events) = &mut self.events else {
            return;
        };
        let mut bytes = 0;
        while let Some(item) = events.next() {
            bytes += item.len() as u64 + 8;
            let known = match wire::read_kind(&item) {
                Some(kind) if kind == TaskKind::Final as u32 => {
                    wire::read::<TaskRecord>(&item).map(|record| sink.process(&record, names))
                }
                Some(kind) if kind == TaskKind::Exec as u32 => {
                    wire::read::<ExecRecord>(&item).map(|record| names.remember(&record))
                }
                _ => None,
            };
            if known.is_none() {
                self.malformed += 1;
            }
        }
        self.fill.used = bytes;
        if let Some(overflow) = &self.overflow {
            sink.lost(&totals(overflow));
        }
    }

    /// Execve records that found no room: those scripts are shown under their interpreter.
    pub fn exec_lost(&self) -> u64 {
        self.exec_lost
            .as_ref()
            .and_then(|map| map.get(&0, 0).ok())
            .map_or(0, |values| values.iter().sum())
    }

    /// Records that could not be decoded.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// Bytes found in the ring buffer at the last poll.
    pub fn fill(&self) -> MapFill {
        self.fill
    }

    /// State of the programs.
    pub fn programs(&self) -> Vec<ProgramStatus> {
        self.object.programs()
    }
}

fn totals(map: &PerCpuArray<MapData, TaskTotals>) -> TaskTotals {
    let mut total = TaskTotals::default();
    let Ok(values) = map.get(&0, 0) else {
        return total;
    };
    for value in values.iter() {
        total.processes += value.processes;
        total.counters += value.counters;
    }
    total
}
