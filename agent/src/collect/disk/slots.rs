//! Slots that programs fill and user space empties, each given to one key.
//!
//! A key's slot is taken back in two steps, a cycle apart, as events under way may still add to
//! it: what they added in between is still handed over under its key.

use std::{
    hash::Hash,
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use anyhow::Context as _;
use aya::{
    Pod,
    maps::{HashMap, MapData, Queue},
};
use rustc_hash::FxHashMap;

use crate::{
    clock::Moment,
    collect::counts::counts as taken,
    kernel::{LoadedObject, SharedSlot, SharedSlots},
    model::SampleCounts,
};

/// A key without a request for so long gives its slot to others.
const IDLE: Duration = Duration::from_secs(60);

/// The maps of one kind of slots.
pub(super) struct SlotNames {
    /// The slots themselves.
    pub slots: &'static str,
    /// Slot of each key.
    pub slot_of: &'static str,
    /// Slots nobody uses, by the first slot beyond those of each queue, ascending.
    pub free: &'static [(&'static str, usize)],
}

/// All slots of one kind.
pub(super) struct KeyedSlots<K: Pod, S: SharedSlot> {
    slots: SharedSlots<S>,
    slot_of: HashMap<MapData, K, u32>,
    free: Vec<(usize, Queue<MapData, u32>)>,
    /// When each key last had a request.
    used: FxHashMap<K, (u32, Moment)>,
    leaving: Vec<(K, u32)>,
}

impl<K: Pod + Eq + Hash, S: SharedSlot> KeyedSlots<K, S> {
    /// Takes the maps out of an object and fills the queues. The first slot belongs to nobody.
    ///
    /// # Errors
    /// A map is missing or of another type.
    pub fn take(object: &mut LoadedObject, names: &SlotNames) -> anyhow::Result<Self> {
        let count = names.free.last().map_or(1, |(_, end)| *end);
        let slots = object
            .map(names.slots)
            .with_context(|| format!("no map {}", names.slots))?;
        let slots = SharedSlots::map(slots, count)?;
        let mut free = Vec::new();
        let mut begin = 1;
        for &(name, end) in names.free {
            let mut queue = Queue::try_from(object.take(name)?)?;
            for slot in begin..end {
                queue.push(slot as u32, 0)?;
            }
            free.push((end, queue));
            begin = end;
        }
        Ok(Self {
            slots,
            slot_of: object.hash(names.slot_of)?,
            free,
            used: FxHashMap::default(),
            leaving: Vec::new(),
        })
    }

    /// Has each slot in use emptied by `hand_over`, which says whether there was anything, and
    /// takes slots back from keys that have been idle. Without a key: what found no slot.
    pub fn empty(&mut self, now: Moment, mut hand_over: impl FnMut(Option<K>, &S) -> bool) {
        let Self {
            slots,
            slot_of,
            free,
            used,
            leaving,
        } = self;
        let slots = slots.all();
        if let Some(nobody) = slots.first() {
            hand_over(None, nobody);
        }
        for (key, index) in leaving.drain(..) {
            if let Some(slot) = slots.get(index as usize) {
                hand_over(Some(key), slot);
            }
            let mut queues = free.iter_mut();
            if let Some((_, queue)) = queues.find(|(end, _)| (index as usize) < *end) {
                // There is room for all slots.
                let _ = queue.push(index, 0);
            }
        }
        // A key that comes meanwhile may be missed; it is there the next time.
        for (key, index) in slot_of.iter().flatten() {
            let Some(slot) = slots.get(index as usize) else {
                continue;
            };
            let busy = hand_over(Some(key), slot);
            let last = used.entry(key).or_insert((index, now));
            if busy {
                *last = (index, now);
            }
        }
        used.retain(|key, (index, last)| {
            let idle = now.since(*last) >= IDLE;
            if idle {
                // Whatever the answer, it can no longer be found there.
                let _ = slot_of.remove(key);
                leaving.push((*key, *index));
            }
            !idle
        });
    }

    /// How many slots are in use.
    pub fn used(&self) -> usize {
        self.used.len() + self.leaving.len()
    }
}

/// Takes the times out of a slot.
pub(super) fn times(counts: &[AtomicU32], sum_ns: &AtomicU64, max_us: &AtomicU32) -> SampleCounts {
    let counts = taken(counts);
    if counts.is_empty() {
        return SampleCounts::default();
    }
    // Sum and maximum of a request that is being added may come with the next one's.
    let max_us = max_us.swap(0, Relaxed);
    SampleCounts::of(counts, sum_ns.swap(0, Relaxed), u64::from(max_us) * 1_000)
}
