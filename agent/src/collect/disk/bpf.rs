//! Times of requests, from histograms that programs fill.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use aya::maps::{HashMap, MapData, PerCpuArray};
use hostlens_ebpf::wire::{
    BIOS, BioStart, DISK_SLOTS, DISK_SLOTS_FOLDED, DISK_SLOTS_SHARED, DiskKey, DiskSlot,
};

use super::{
    DiskSample,
    process::DiskProcesses,
    slots::{KeyedSlots, SlotNames, times},
};
use crate::{
    clock::Moment,
    collect::counts::swap,
    kernel::{Kernel, LoadedObject, objects},
    model::{MapFill, ProgramStatus},
};

/// A bio remembered for so long will not be done under its address.
const BIO_PATIENCE: Duration = Duration::from_secs(120);
const TIMES: &str = "DISK_TIMES";
const NAMES: SlotNames = SlotNames {
    slots: TIMES,
    slot_of: "DISK_SLOT_OF",
    free: &[
        ("DISK_FREE", 1 + DISK_SLOTS_SHARED),
        ("DISK_FREE_FOLDED", DISK_SLOTS),
    ],
};
const BARE_PROGRAMS: [&str; 2] = ["bio_done", "bio_queued"];

/// The source.
pub struct DiskBpf {
    slots: KeyedSlots<DiskKey, DiskSlot>,
    bios: HashMap<MapData, u64, BioStart>,
    lost: PerCpuArray<MapData, u64>,
    /// Requests that found no slot at all.
    unplaced: u64,
    bios_waiting: u64,
    /// Whether devices without requests are watched, once there are some.
    bare: Option<Result<(), String>>,
    // Last: programs stay attached until everything that uses them is gone.
    object: LoadedObject,
}

impl DiskBpf {
    /// Loads and attaches the programs.
    ///
    /// # Errors
    /// One line saying what this kernel lacks or refused, and the programs' states.
    pub fn start(kernel: &Kernel) -> Result<Self, (String, Vec<ProgramStatus>)> {
        if kernel.globals().lacks(&["QUEUE_DISK"]).is_some()
            && kernel.globals().lacks(&["RQ_DISK"]).is_some()
        {
            let why = "this kernel's requests do not tell their disk".to_owned();
            return Err((why, Vec::new()));
        }
        let mut object = kernel
            .load(&objects::BLOCK, &[])
            .map_err(|error| (error.to_string(), Vec::new()))?;
        if let Some(why) = object.refusal("disk_done") {
            return Err((why, object.programs()));
        }
        Self::take_maps(&mut object)
            .map_err(|error| (format!("{error:#}"), object.programs()))
            .map(|maps| maps(object))
    }

    fn take_maps(
        object: &mut LoadedObject,
    ) -> anyhow::Result<impl FnOnce(LoadedObject) -> Self + use<>> {
        let slots = KeyedSlots::take(object, &NAMES)?;
        let bios = object.hash("BIO_STARTS")?;
        let lost = object.per_cpu("DISK_LOST")?;
        Ok(move |object| Self {
            slots,
            bios,
            lost,
            unplaced: 0,
            bios_waiting: 0,
            bare: None,
            object,
        })
    }

    /// Tells processes apart from now on.
    ///
    /// # Errors
    /// One line saying what this kernel lacks or refused.
    pub fn processes(&mut self) -> Result<DiskProcesses, String> {
        DiskProcesses::start(&mut self.object)
    }

    /// Watches devices without requests from now on.
    pub fn watch_bare(&mut self) {
        if self.bare.is_none() {
            let attached = BARE_PROGRAMS
                .iter()
                .try_for_each(|program| self.object.attach(program));
            self.bare = Some(attached);
        }
    }

    /// Why devices without requests are not watched, though there are some.
    pub fn bare_refusal(&self) -> Option<&str> {
        self.bare.as_ref()?.as_ref().err().map(String::as_str)
    }

    /// Whether devices without requests are watched.
    pub fn watches_bare(&self) -> bool {
        matches!(self.bare, Some(Ok(())))
    }

    /// Hands over what was done since the last call and takes slots back from keys that have been
    /// idle.
    pub fn take(&mut self, now: Moment, mut sink: impl FnMut(&DiskSample)) {
        let unplaced = &mut self.unplaced;
        self.slots.empty(now, |key, slot| {
            if let Some(key) = key {
                return hand_over(key, slot, &mut sink);
            }
            let nobody = sample(DiskKey::default(), slot);
            *unplaced += nobody.io.count() + nobody.untimed;
            true
        });
        self.forget_bios(now);
        self.object.flush_log();
    }

    /// Bios that were split or handed on end under another address.
    fn forget_bios(&mut self, now: Moment) {
        if !self.watches_bare() {
            return;
        }
        let patience = BIO_PATIENCE.as_nanos() as u64;
        let mut old = Vec::new();
        self.bios_waiting = 0;
        for (bio, start) in self.bios.iter().flatten() {
            self.bios_waiting += 1;
            if now.mono_ns.saturating_sub(start.at_ns) > patience {
                old.push(bio);
            }
        }
        for bio in old {
            // Gone already is as good.
            let _ = self.bios.remove(&bio);
        }
    }

    /// Requests and bios that found no room.
    pub fn lost(&self) -> u64 {
        let counts = self.lost.get(&0, 0);
        self.unplaced + counts.map_or(0, |counts| counts.iter().sum::<u64>())
    }

    /// How many keys have a slot, and how many bios are waited for.
    pub fn fill(&self) -> [MapFill; 2] {
        [
            MapFill {
                map: TIMES,
                used: self.slots.used() as u64,
                capacity: (DISK_SLOTS_SHARED + DISK_SLOTS_FOLDED) as u64,
            },
            MapFill {
                map: "BIO_STARTS",
                used: self.bios_waiting,
                capacity: BIOS as u64,
            },
        ]
    }

    /// State of the programs.
    pub fn programs(&self) -> Vec<ProgramStatus> {
        self.object.programs()
    }
}

/// Hands over what a slot holds; whether there was anything.
fn hand_over(key: DiskKey, slot: &DiskSlot, sink: &mut impl FnMut(&DiskSample)) -> bool {
    let sample = sample(key, slot);
    let empty = DiskSample {
        key,
        ..DiskSample::default()
    };
    let any = sample != empty;
    if any {
        sink(&sample);
    }
    any
}

/// Takes what has gathered out of a slot.
fn sample(key: DiskKey, slot: &DiskSlot) -> DiskSample {
    DiskSample {
        key,
        io: times(&slot.io, &slot.io_sum_ns, &slot.io_max_us),
        service: times(&slot.service, &slot.service_sum_ns, &slot.service_max_us),
        untimed: u64::from(swap(&slot.untimed)),
        bytes: match slot.bytes.load(Relaxed) {
            0 => 0,
            _ => slot.bytes.swap(0, Relaxed),
        },
        errors: u64::from(swap(&slot.errors)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::{fs::File, io::Write as _, time::Instant};

    use hostlens_ebpf::wire::DiskOp;

    use super::*;
    use crate::collect::disk::diskstats::DiskReader;

    #[test]
    fn a_slot_is_emptied_exactly_once() {
        // SAFETY: all-zero bytes are an empty slot.
        let slot: DiskSlot = unsafe { std::mem::zeroed() };
        slot.io[hostlens_ebpf::bucket::slot(5_200_000)].store(3, Relaxed);
        slot.io_sum_ns.store(15_600_000, Relaxed);
        slot.io_max_us.store(5_250, Relaxed);
        slot.bytes.store(12_288, Relaxed);
        let key = DiskKey::default();
        let taken = sample(key, &slot);
        assert_eq!((taken.io.count(), taken.bytes), (3, 12_288));
        assert!(taken.service.is_empty());
        let mut handed = 0;
        assert!(!hand_over(key, &slot, &mut |_| handed += 1));
        assert_eq!(handed, 0);
    }

    /// What a file of ours makes its disk write is seen, in bytes and in time.
    #[test]
    fn writes_of_ours_are_seen() {
        // SAFETY: no arguments.
        if unsafe { libc::geteuid() } != 0 {
            println!("SKIP: loading programs needs root");
            return;
        }
        let kernel = Kernel::probe(false).unwrap();
        let mut source = DiskBpf::start(&kernel).unwrap_or_else(|(why, _)| unreachable!("{why}"));
        let mut reader = DiskReader::default();
        let before = reader.read().unwrap();
        let name = format!("target-{}.tmp", std::process::id());
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let mut file = File::create(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        file.write_all(&vec![7; 4 << 20]).unwrap();
        File::sync_all(&file).unwrap();
        let (mut bytes, mut timed, mut untimed) = (0, 0, 0);
        let begun = Instant::now();
        while bytes < 4 << 20 && begun.elapsed() < Duration::from_secs(10) {
            source.take(Moment::now(), |sample| {
                if sample.key.op == DiskOp::Write as u32 {
                    bytes += sample.bytes;
                    timed += sample.io.count();
                    untimed += sample.untimed;
                }
            });
        }
        let after = reader.read().unwrap();
        let written = |disks: &[crate::collect::disk::DiskStat]| -> u64 {
            disks.iter().filter_map(|disk| disk.bytes[1]).sum()
        };
        println!("{bytes} bytes, {timed} requests timed, {untimed} not");
        if written(&after) - written(&before) < 4 << 20 {
            println!("SKIP: files here are on no disk of this host");
            return;
        }
        assert!(bytes >= 4 << 20 && timed > 0 && untimed == 0);
    }
}
