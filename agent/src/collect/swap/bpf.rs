//! Swap I/O as kernel programs charge it.

use aya::maps::{Array, HashMap, MapData, PerCpuArray};
use hostlens_ebpf::wire::{SWAP_OWNERS, SwapBytes, SwapDevices, SwapKey, SwapOwner};
use rustc_hash::FxHashMap;

use super::{SwapParty, SwapTransfer};
use crate::{
    kernel::{Kernel, LoadedObject, Table, objects},
    model::{MapFill, ProgramStatus},
};

const QUEUED: &str = "swap_queued";
const RECLAIMED: &str = "swap_reclaimed";
/// Reads in a row without a change after which an entry goes: its owner may have ended.
const IDLE: u8 = 3;

/// An entry as it was read last.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    bytes: SwapBytes,
    idle: u8,
}

/// What swap I/O written is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutFrom {
    /// Requests: exactly what is written.
    Requests,
    /// What reclaim says: also what zswap takes and pages of zeros, which nobody writes.
    Reclaim,
}

/// The source. Its programs are attached only between [`SwapBpf::attach`] and
/// [`SwapBpf::detach`].
pub struct SwapBpf {
    owners: HashMap<MapData, SwapKey, SwapBytes>,
    entries: Table,
    lost: PerCpuArray<MapData, [u64; 3]>,
    devices: Array<MapData, SwapDevices>,
    known: FxHashMap<SwapKey, Known>,
    out_from: OutFrom,
    malformed: u64,
    // Last: programs stay attached until everything that uses them is gone.
    object: LoadedObject,
}

impl SwapBpf {
    /// Loads the programs.
    ///
    /// # Errors
    /// One line saying what this kernel lacks or refused, and the programs' states.
    pub fn load(kernel: &Kernel) -> Result<Self, (String, Vec<ProgramStatus>)> {
        let mut object = kernel
            .load(&objects::SWAP, &[])
            .map_err(|error| (error.to_string(), Vec::new()))?;
        if let Some(why) = object.refusal(QUEUED) {
            return Err((why, object.programs()));
        }
        match Self::maps(&mut object) {
            Ok((entries, owners, lost, devices)) => Ok(Self {
                owners,
                entries,
                lost,
                devices,
                known: FxHashMap::default(),
                out_from: OutFrom::Requests,
                malformed: 0,
                object,
            }),
            Err(error) => Err((format!("{error:#}"), object.programs())),
        }
    }

    #[expect(clippy::type_complexity, reason = "taken apart where it is called")]
    fn maps(
        object: &mut LoadedObject,
    ) -> anyhow::Result<(
        Table,
        HashMap<MapData, SwapKey, SwapBytes>,
        PerCpuArray<MapData, [u64; 3]>,
        Array<MapData, SwapDevices>,
    )> {
        let map = object
            .map("SWAP_OWNERS")
            .ok_or_else(|| anyhow::anyhow!("no map SWAP_OWNERS"))?;
        let entries = Table::new(map, size_of::<SwapBytes>())?;
        Ok((
            entries,
            object.hash("SWAP_OWNERS")?,
            object.per_cpu("SWAP_LOST")?,
            Array::try_from(object.take("SWAP_DEVICES")?)?,
        ))
    }

    /// Starts to charge what goes to these devices and comes from them. May be called again when
    /// they change.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn attach(&mut self, devices: SwapDevices) -> anyhow::Result<()> {
        self.devices.set(0, devices, 0)?;
        self.object.attach(QUEUED).map_err(anyhow::Error::msg)
    }

    /// Stops.
    pub fn detach(&mut self) {
        self.object.detach(QUEUED);
        self.object.detach(RECLAIMED);
        self.out_from = OutFrom::Requests;
    }

    /// Takes what is written from reclaim from now on, as no requests are seen.
    ///
    /// # Errors
    /// This kernel cannot.
    pub fn watch_reclaim(&mut self) -> anyhow::Result<()> {
        self.object.attach(RECLAIMED).map_err(anyhow::Error::msg)?;
        self.out_from = OutFrom::Reclaim;
        Ok(())
    }

    /// What writes are taken from.
    pub fn out_from(&self) -> OutFrom {
        self.out_from
    }

    /// Hands over what was moved since the last call, by owner.
    pub fn read(&mut self, mut take: impl FnMut(SwapTransfer)) {
        let mut idle = Vec::new();
        let mut malformed = 0;
        let out_from = self.out_from;
        let mut moved = |key: &SwapKey, before: SwapBytes, now: SwapBytes| {
            let Some(party) = party(key) else {
                malformed += 1;
                return;
            };
            let written = |bytes: SwapBytes| match out_from {
                OutFrom::Requests => bytes.out_bytes,
                OutFrom::Reclaim => bytes.reclaimed_bytes,
            };
            take(SwapTransfer {
                party,
                in_bytes: now.in_bytes.saturating_sub(before.in_bytes),
                out_bytes: written(now).saturating_sub(written(before)),
            });
        };
        // An entry that cannot be read stays for the next time.
        for (key, bytes) in self.owners.iter().flatten() {
            let known = self.known.entry(key).or_default();
            if known.bytes == bytes {
                known.idle += 1;
                if known.idle >= IDLE {
                    idle.push(key);
                }
            } else {
                moved(&key, known.bytes, bytes);
                *known = Known { bytes, idle: 0 };
            }
        }
        for key in idle {
            let Some(known) = self.known.remove(&key) else {
                continue;
            };
            match self.entries.take::<SwapKey, SwapBytes>(&key) {
                Ok(Some(bytes)) if bytes != known.bytes => moved(&key, known.bytes, bytes),
                Ok(_) => {}
                // Before 5.14 what comes in this very moment is not seen.
                Err(_) => {
                    if self.entries.remove(&key).is_err() {
                        self.known.insert(key, Known { idle: 0, ..known });
                    }
                }
            }
        }
        self.malformed += malformed;
        self.object.flush_log();
    }

    /// Bytes that found no room, in and out.
    pub fn lost(&self) -> (u64, u64) {
        let Ok(counts) = self.lost.get(&0, 0) else {
            return (0, 0);
        };
        counts.iter().fold((0, 0), |sum, [read, written, _]| {
            (sum.0 + read, sum.1 + written)
        })
    }

    /// Entries with an owner nobody knows.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// Owners held at the last call.
    pub fn fill(&self) -> MapFill {
        MapFill {
            map: "SWAP_OWNERS",
            used: self.known.len() as u64,
            capacity: SWAP_OWNERS as u64,
        }
    }

    /// State of the programs.
    pub fn programs(&self) -> Vec<ProgramStatus> {
        self.object.programs()
    }
}

fn party(key: &SwapKey) -> Option<SwapParty> {
    Some(match SwapOwner::of(key.owner)? {
        SwapOwner::Process => SwapParty::Process {
            tgid: key.tgid,
            start_ns: key.id,
        },
        SwapOwner::Exited => SwapParty::Exited,
        SwapOwner::Mapless => SwapParty::Mapless { cgroup: key.id },
        SwapOwner::Ksm => SwapParty::Ksm,
        SwapOwner::Kernel => SwapParty::Kernel,
    })
}
