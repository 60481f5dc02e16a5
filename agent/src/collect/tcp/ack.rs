//! Round-trip times of every acknowledgement, from histograms that programs fill
//! (`--rtt-source ack`).

use std::sync::atomic::Ordering::Relaxed;

use hostlens_ebpf::wire::{Direction, RTT_FOLDED, RTT_GROUPS, RttSlot};

use super::slots::{GroupSlots, SlotNames};
use crate::{
    clock::Moment,
    collect::{
        RttSink,
        counts::{counts, swap},
    },
    kernel::LoadedObject,
    model::{MapFill, SampleCounts},
};

/// Programs that run in this mode only.
pub const PROGRAMS: [&str; 2] = ["tcp_acked", "tcp_acked_last"];
/// Maps that are made as small as can be where those programs are not used.
pub const MAPS: [&str; 3] = [NAMES.slots, NAMES.slot_of, NAMES.free];

const NAMES: SlotNames = SlotNames {
    slots: "RTT_HISTOGRAMS",
    slot_of: "RTT_SLOT_OF",
    free: "RTT_FREE",
    folded: RTT_FOLDED,
    groups: RTT_GROUPS,
};

/// The source.
pub struct AckHistograms {
    slots: GroupSlots<RttSlot>,
    lost: u64,
}

impl AckHistograms {
    /// Takes the maps of an object whose programs are attached; histograms begin to fill.
    ///
    /// # Errors
    /// A map is missing or of another type.
    pub fn start(object: &mut LoadedObject) -> anyhow::Result<Self> {
        Ok(Self {
            slots: GroupSlots::take(object, &NAMES)?,
            lost: 0,
        })
    }

    /// Hands what was measured since the last call to the sink, and takes slots back from groups
    /// that have been idle.
    pub fn take(&mut self, now: Moment, sink: &mut dyn RttSink) {
        let directions = [Direction::Inbound, Direction::Outbound];
        for (slot, direction) in self.slots.folded().iter().zip(directions) {
            let samples = samples(slot);
            self.lost += samples.count() + u64::from(swap(&slot.lost));
            if !samples.is_empty() {
                sink.rtt_elsewhere(direction, &samples);
            }
        }
        self.slots.empty(now, |key, slot| {
            let samples = samples(slot);
            if !samples.is_empty() {
                sink.rtt(key, &samples);
            }
            !samples.is_empty()
        });
    }

    /// Samples whose group found no room, and sockets without memory to remember them in.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// How many groups have a slot.
    pub fn fill(&self) -> MapFill {
        self.slots.fill()
    }
}

/// Takes the samples out of a slot.
fn samples(slot: &RttSlot) -> SampleCounts {
    let counts = counts(&slot.counts);
    if counts.is_empty() {
        return SampleCounts::default();
    }
    // Sum and maximum of a sample that is being added may come with the next one's.
    let max_us = slot.max_us.swap(0, Relaxed);
    let sum_us = slot.sum_us.swap(0, Relaxed);
    SampleCounts::of(counts, sum_us * 1_000, u64::from(max_us) * 1_000)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use hostlens_ebpf::wire::RttKey;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_slot_is_emptied_exactly_once() {
        // SAFETY: all-zero bytes are an empty slot.
        let slot: RttSlot = unsafe { std::mem::zeroed() };
        let bucket = hostlens_ebpf::bucket::slot(1_500_000);
        slot.counts[bucket].store(3, Relaxed);
        slot.sum_us.store(4_500, Relaxed);
        slot.max_us.store(1_500, Relaxed);
        let taken = samples(&slot);
        assert_eq!(taken.count(), 3);
        assert_eq!(taken.quantile(1.0), Some(0.0015));
        let p50 = taken.quantile(0.5).unwrap();
        assert!((p50 / 0.0015 - 1.0).abs() < 0.045, "{p50}");
        assert!(samples(&slot).is_empty());
    }

    proptest! {
        #[test]
        fn keys_survive_as_words(remote in any::<[u8; 16]>(), listen in any::<[u8; 16]>(), port in any::<u16>()) {
            let key = RttKey { remote, listen, port, direction: 1, beyond: 0, reserved: [0; 4] };
            prop_assert_eq!(RttKey::of_words(key.words()), key);
        }
    }
}
