//! Times to first byte, from histograms that programs fill while they are attached.

use std::sync::atomic::Ordering::Relaxed;

use anyhow::Context as _;
use aya::maps::{Array, MapData, PerCpuArray};
use hostlens_ebpf::wire::{
    Excluded, ListenKey, RttKey, TURN_FOLDED, TURN_GROUPS, TurnCost, TurnGroup, TurnSlot, TurnTimes,
};

use super::slots::{GroupSlots, SlotNames};
use crate::{
    clock::Moment,
    collect::{
        TurnSamples, TurnSink,
        counts::{counts, swap},
    },
    kernel::LoadedObject,
    model::{MapFill, SampleCounts},
};

/// Programs that are attached on demand. The one that sees most comes last: what it begins with,
/// the others are there to go on with.
pub const PROGRAMS: [&str; 3] = ["tcp_turn_last", "tcp_turn_read", "tcp_turn"];

const NAMES: SlotNames = SlotNames {
    slots: "TURN_HISTOGRAMS",
    slot_of: "TURN_SLOT_OF",
    free: "TURN_FREE",
    folded: TURN_FOLDED,
    groups: TURN_GROUPS,
};
const FOLDED: [TurnGroup; TURN_FOLDED] =
    [TurnGroup::Listener, TurnGroup::Inbound, TurnGroup::Outbound];

/// What the programs fill.
pub struct Turns {
    slots: GroupSlots<TurnSlot>,
    cost: PerCpuArray<MapData, TurnCost>,
    /// Runs at the last look: without another there is nothing new.
    runs: u64,
    lost: u64,
}

impl Turns {
    /// Takes the maps of an object; nothing is attached yet.
    ///
    /// # Errors
    /// One line saying which map is missing or of another type.
    pub fn start(object: &mut LoadedObject) -> Result<Self, String> {
        Self::of(object).map_err(|error| format!("{error:#}"))
    }

    fn of(object: &mut LoadedObject) -> anyhow::Result<Self> {
        Ok(Self {
            slots: GroupSlots::take(object, &NAMES)?,
            cost: object.per_cpu("TURN_COST")?,
            runs: 0,
            lost: 0,
        })
    }

    /// Hands the turns since the last call to the sink, and takes slots back from groups that have
    /// been idle. Also while the programs are detached: of what is left over.
    pub fn take(&mut self, now: Moment, sink: &mut dyn TurnSink) {
        let runs = self.cost().runs;
        if runs == self.runs && self.slots.fill().used == 0 {
            return;
        }
        self.runs = runs;
        for (slot, group) in self.slots.folded().iter().zip(FOLDED) {
            let turns = turns(slot);
            self.lost += turns.first.count() + u64::from(swap(&slot.lost));
            self.lost += turns.excluded.iter().copied().map(u64::from).sum::<u64>();
            if turns != TurnSamples::default() {
                sink.elsewhere(group, &turns);
            }
        }
        self.slots.empty(now, |key, slot| {
            let turns = turns(slot);
            let any = turns != TurnSamples::default();
            if any && key.direction == TurnGroup::Listener as u8 {
                sink.listener(&listener(key), &turns);
            } else if any {
                sink.response(key, &turns);
            }
            any
        });
    }

    /// What the programs said of themselves so far, all CPUs together.
    pub fn cost(&self) -> TurnCost {
        let mut sum = TurnCost::default();
        if let Ok(cpus) = self.cost.get(&0, 0) {
            for cost in cpus.iter() {
                sum.runs += cost.runs;
                sum.timed += cost.timed;
                sum.timed_ns += cost.timed_ns;
            }
        }
        sum
    }

    /// Turns whose group found no room, and sockets without memory to remember them in.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// How many groups have a slot.
    pub fn fill(&self) -> MapFill {
        self.slots.fill()
    }
}

/// Why the programs cannot run; `None` if they can.
pub(super) fn refusal(object: &LoadedObject) -> Option<String> {
    PROGRAMS.iter().find_map(|program| object.refusal(program))
}

/// Begins a new time of watching; sockets remembered from an earlier one begin anew.
pub(super) fn attach(object: &mut LoadedObject) -> Result<(), String> {
    let raised = raise_era(object).map_err(|error| format!("{error:#}"));
    let attached = raised.and_then(|()| {
        PROGRAMS
            .iter()
            .try_for_each(|program| object.attach(program))
    });
    if attached.is_err() {
        detach(object);
    }
    attached
}

/// Ends it.
pub(super) fn detach(object: &mut LoadedObject) {
    for program in PROGRAMS.iter().rev() {
        object.detach(program);
    }
}

fn raise_era(object: &mut LoadedObject) -> anyhow::Result<()> {
    let map = object.map_mut("TURN_ERA").context("no map TURN_ERA")?;
    let mut era: Array<&mut MapData, u32> = Array::try_from(map)?;
    let next = era.get(&0, 0)?.wrapping_add(1).max(1);
    Ok(era.set(0, next, 0)?)
}

/// Takes what has gathered out of a slot.
fn turns(slot: &TurnSlot) -> TurnSamples {
    let mut excluded = [0; Excluded::COUNT];
    for (into, count) in excluded.iter_mut().zip(&slot.excluded) {
        *into = swap(count);
    }
    TurnSamples {
        first: times(&slot.first),
        second: times(&slot.second),
        excluded,
    }
}

fn times(times: &TurnTimes) -> SampleCounts {
    let counts = counts(&times.counts);
    if counts.is_empty() {
        return SampleCounts::default();
    }
    // Sum and maximum of a turn that is being added may come with the next one's.
    let max_us = times.max_us.swap(0, Relaxed);
    SampleCounts::of(
        counts,
        times.sum_ns.swap(0, Relaxed),
        u64::from(max_us) * 1_000,
    )
}

/// The listener a key of [`TurnGroup::Listener`] stands for.
fn listener(key: &RttKey) -> ListenKey {
    let [a, b, c, d, ..] = key.remote;
    ListenKey {
        addr: key.listen,
        netns: u32::from_ne_bytes([a, b, c, d]),
        port: key.port,
        reserved: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_emptied_exactly_once() {
        // SAFETY: all-zero bytes are an empty slot.
        let slot: TurnSlot = unsafe { std::mem::zeroed() };
        slot.first.counts[hostlens_ebpf::bucket::slot(5_200_000)].store(3, Relaxed);
        slot.first.sum_ns.store(15_600_000, Relaxed);
        slot.first.max_us.store(5_250, Relaxed);
        slot.excluded[Excluded::Push as usize].store(2, Relaxed);
        let taken = turns(&slot);
        assert_eq!(taken.first.count(), 3);
        assert_eq!(taken.first.quantile(1.0), Some(0.00525));
        assert!(taken.second.is_empty());
        assert_eq!(taken.excluded, [0, 2, 0, 0, 0]);
        assert_eq!(turns(&slot), TurnSamples::default());
    }

    #[test]
    fn a_listener_is_told_with_its_namespace() {
        let mut key = RttKey {
            listen: [7; 16],
            port: 80,
            ..RttKey::default()
        };
        key.remote[..4].copy_from_slice(&4_026_531_840u32.to_ne_bytes());
        let listener = listener(&key);
        assert_eq!((listener.netns, listener.port), (4_026_531_840, 80));
        assert_eq!(listener.addr, [7; 16]);
    }
}
