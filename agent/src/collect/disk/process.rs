//! Times of the requests that processes wait for, by process.

use std::time::Duration;

use aya::maps::{HashMap, MapData, PerCpuArray};
use hostlens_ebpf::wire::{
    DISK_PROCESS_SLOTS, DISK_STARTS, DiskProcessKey, DiskProcessSlot, DiskStart,
};

use super::slots::{KeyedSlots, SlotNames, times};
use crate::{
    clock::Moment,
    kernel::LoadedObject,
    model::{MapFill, SampleCounts},
};

/// Programs that run only if processes are to be told apart.
pub const PROGRAMS: [&str; 2] = ["disk_done_for", "disk_started"];
/// Maps that are made as small as can be where those programs are not used.
pub const MAPS: [&str; 4] = [TIMES, NAMES.slot_of, FREE, STARTS];

const TIMES: &str = "DISK_PROCESS_TIMES";
const FREE: &str = "DISK_PROCESS_FREE";
const STARTS: &str = "DISK_STARTS";
const NAMES: SlotNames = SlotNames {
    slots: TIMES,
    slot_of: "DISK_PROCESS_SLOT_OF",
    free: &[(FREE, DISK_PROCESS_SLOTS)],
};
/// A request remembered for so long was merged into another: none is under way for longer.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Requests of one process and operation that were done since the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskProcessSample {
    /// Process and operation.
    pub key: DiskProcessKey,
    /// From queued to done.
    pub io: SampleCounts,
}

/// The source. Programs belong to the object of [`super::bpf::DiskBpf`].
pub struct DiskProcesses {
    slots: KeyedSlots<DiskProcessKey, DiskProcessSlot>,
    starts: HashMap<MapData, u64, DiskStart>,
    lost: PerCpuArray<MapData, u64>,
    /// Requests that found no slot.
    unplaced: u64,
    waiting: u64,
}

impl DiskProcesses {
    pub(super) fn start(object: &mut LoadedObject) -> Result<Self, String> {
        if let Some(why) = PROGRAMS.iter().find_map(|program| object.refusal(program)) {
            return Err(why);
        }
        let source = Self::take_maps(object).map_err(|error| format!("{error:#}"))?;
        for program in PROGRAMS {
            object.attach(program)?;
        }
        Ok(source)
    }

    fn take_maps(object: &mut LoadedObject) -> anyhow::Result<Self> {
        Ok(Self {
            slots: KeyedSlots::take(object, &NAMES)?,
            starts: object.hash(STARTS)?,
            lost: object.per_cpu("DISK_STARTS_LOST")?,
            unplaced: 0,
            waiting: 0,
        })
    }

    /// Hands over what was done since the last call.
    pub fn take(&mut self, now: Moment, mut sink: impl FnMut(DiskProcessSample)) {
        let unplaced = &mut self.unplaced;
        self.slots.empty(now, |key, slot| {
            let io = times(&slot.io, &slot.io_sum_ns, &slot.io_max_us);
            match key {
                _ if io.is_empty() => return false,
                Some(key) => sink(DiskProcessSample { key, io }),
                None => *unplaced += io.count(),
            }
            true
        });
        self.forget(now);
    }

    /// Requests that were merged into others end under another address.
    fn forget(&mut self, now: Moment) {
        let patience = PATIENCE.as_nanos() as u64;
        let mut old = Vec::new();
        self.waiting = 0;
        for (request, start) in self.starts.iter().flatten() {
            self.waiting += 1;
            if now.mono_ns.saturating_sub(start.at_ns) > patience {
                old.push(request);
            }
        }
        for request in old {
            // Gone already is as good.
            let _ = self.starts.remove(&request);
        }
    }

    /// Requests that found no room.
    pub fn lost(&self) -> u64 {
        let counts = self.lost.get(&0, 0);
        self.unplaced + counts.map_or(0, |counts| counts.iter().sum::<u64>())
    }

    /// How many slots are in use, and how many requests are waited for.
    pub fn fill(&self) -> [MapFill; 2] {
        [
            MapFill {
                map: TIMES,
                used: self.slots.used() as u64,
                capacity: DISK_PROCESS_SLOTS as u64 - 1,
            },
            MapFill {
                map: STARTS,
                used: self.waiting,
                capacity: DISK_STARTS as u64,
            },
        ]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::{fs::File, io::Write as _, path::Path};

    use hostlens_ebpf::wire::DiskOp;

    use super::*;
    use crate::{collect::disk::bpf::DiskBpf, kernel::Kernel};

    /// Looks until something must have come.
    const LOOKS: usize = 1_000;

    /// Writes a file and waits for the disk; whether this process is then told of.
    fn told_of_a_write(source: &mut DiskProcesses, file: &mut File, now: Moment) -> bool {
        let mut told = 0;
        file.write_all(&[7; 65_536]).unwrap();
        File::sync_all(file).unwrap();
        for _ in 0..LOOKS {
            source.take(now, |sample| {
                let key = sample.key;
                if key.tgid == std::process::id() && key.op == DiskOp::Write as u32 {
                    assert!(key.start_ns > 0 && !sample.io.is_empty());
                    told += sample.io.count();
                }
            });
            if told > 0 {
                break;
            }
        }
        told > 0
    }

    /// What this process waits for is told under its id, and again once its slot was taken back.
    #[test]
    fn writes_of_ours_are_ours() {
        // SAFETY: no arguments.
        if unsafe { libc::geteuid() } != 0 {
            println!("SKIP: loading programs needs root");
            return;
        }
        let kernel = Kernel::probe(false).unwrap();
        if kernel.tracepoint_args("block_io_start").is_none() {
            println!("SKIP: this kernel has no tracepoint block_io_start");
            return;
        }
        let mut disks = DiskBpf::start(&kernel).unwrap_or_else(|(why, _)| unreachable!("{why}"));
        let mut source = disks.processes().unwrap();
        let name = format!("target-processes-{}.tmp", std::process::id());
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let mut file = File::create(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let mut now = Moment::now();
        if !told_of_a_write(&mut source, &mut file, now) {
            println!("SKIP: files here are on no disk of this host");
            return;
        }
        assert!(source.slots.used() > 0);
        // Each look is a minute after the one before; others may wait for disks meanwhile.
        let mut looks = 0;
        while source.slots.used() > 0 && looks < LOOKS {
            now = now.plus(Duration::from_secs(61));
            source.take(now, |_| {});
            looks += 1;
        }
        assert_eq!(source.slots.used(), 0, "after {looks} looks");
        assert!(told_of_a_write(&mut source, &mut file, now));
        assert_eq!(source.lost(), 0);
    }
}
