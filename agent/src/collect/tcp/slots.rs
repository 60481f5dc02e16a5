//! Slots that programs give to groups of connections and fill, and that user space empties.
//!
//! A group's slot is taken back in two steps, a cycle apart, as events under way may still add to
//! it: what they added in between is still handed over under the group's key.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use anyhow::Context as _;
use aya::maps::{HashMap, MapData, Queue};
use hostlens_ebpf::wire::{GroupSlot, RttKey};

use crate::{
    clock::Moment,
    kernel::{LoadedObject, SharedSlot, SharedSlots},
    model::MapFill,
};

/// A group without a sample for so long gives its slot to others.
const IDLE: Duration = Duration::from_secs(60);

/// The maps of one kind of slots.
pub(super) struct SlotNames {
    /// The slots themselves.
    pub slots: &'static str,
    /// Slot of each group.
    pub slot_of: &'static str,
    /// Slots nobody uses.
    pub free: &'static str,
    /// How many slots come before those of groups.
    pub folded: usize,
    /// How many groups there may be.
    pub groups: usize,
}

/// What a slot of a group is to us.
#[derive(Clone, Copy)]
enum Use {
    /// Nobody's, as far as we have seen.
    Free,
    /// A group's, with its last sample.
    Group(Moment),
    /// Taken from its group: free after the next look.
    Leaving,
}

/// All slots of one kind.
pub(super) struct GroupSlots<S: SharedSlot> {
    names: &'static SlotNames,
    slots: SharedSlots<S>,
    uses: Vec<Use>,
    slot_of: HashMap<MapData, RttKey, u32>,
    free: Queue<MapData, u32>,
}

impl<S: SharedSlot + GroupSlot> GroupSlots<S> {
    /// Takes the maps out of an object and fills the queue.
    ///
    /// # Errors
    /// A map is missing or of another type.
    pub fn take(object: &mut LoadedObject, names: &'static SlotNames) -> anyhow::Result<Self> {
        let count = names.folded + names.groups;
        let slots = object
            .map(names.slots)
            .with_context(|| format!("no map {}", names.slots))?;
        let slots = SharedSlots::map(slots, count)?;
        let mut free: Queue<MapData, u32> = Queue::try_from(object.take(names.free)?)?;
        for slot in names.folded..count {
            free.push(slot as u32, 0)?;
        }
        Ok(Self {
            names,
            slots,
            uses: vec![Use::Free; names.groups],
            slot_of: object.hash(names.slot_of)?,
            free,
        })
    }

    /// The slots of what found no room.
    pub fn folded(&self) -> &[S] {
        let slots = self.slots.all();
        slots.get(..self.names.folded).unwrap_or(slots)
    }

    /// Has the slot of each group emptied by `hand_over`, which says whether there was anything,
    /// and takes slots back from groups that have been idle.
    pub fn empty(&mut self, now: Moment, mut hand_over: impl FnMut(&RttKey, &S) -> bool) {
        let folded = self.names.folded;
        let slots = self.slots.all().iter().enumerate().skip(folded);
        for ((index, slot), held) in slots.zip(&mut self.uses) {
            if slot.used().load(Relaxed) == 0 {
                continue;
            }
            let words = slot.key();
            let key = RttKey::of_words(std::array::from_fn(|word| {
                words.get(word).map_or(0, |word| word.load(Relaxed))
            }));
            let busy = hand_over(&key, slot);
            *held = match *held {
                Use::Group(last) if !busy && now.since(last) >= IDLE => {
                    // Whatever the answer, it can no longer be found there.
                    let _ = self.slot_of.remove(&key);
                    slot.generation().fetch_add(1, Relaxed);
                    Use::Leaving
                }
                Use::Group(last) if !busy => Use::Group(last),
                Use::Free | Use::Group(_) => Use::Group(now),
                Use::Leaving => {
                    // Who remembered it in between looks its group up again.
                    slot.generation().fetch_add(1, Relaxed);
                    slot.used().store(0, Relaxed);
                    // There is room for all slots.
                    let _ = self.free.push(index as u32, 0);
                    Use::Free
                }
            };
        }
    }

    /// How many groups have a slot.
    pub fn fill(&self) -> MapFill {
        let held = self.uses.iter().filter(|held| !matches!(held, Use::Free));
        MapFill {
            map: self.names.slots,
            used: held.count() as u64,
            capacity: self.names.groups as u64,
        }
    }
}
