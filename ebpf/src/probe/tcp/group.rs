//! The slot of a group of connections: found once and remembered, until user space takes it back.

use crate::{
    bucket,
    probe::shared::{Shared32, Shared64},
    wire::{GroupSlot, RttKey},
};

/// How often a raised maximum is looked at again.
const ATTEMPTS: usize = 3;

/// The maps of one kind of slots.
pub trait GroupMaps {
    /// What a group fills.
    type Slot: GroupSlot;
    /// Number of the first slot that may be a group's: before it, what found no room.
    const FOLDED: u32;
    /// A slot.
    fn slot(&self, index: u32) -> Option<&Self::Slot>;
    /// Slot of a group.
    fn find(&self, key: &RttKey) -> Option<u32>;
    /// Gives a group its slot; false if it has one or there is no room.
    fn insert(&self, key: &RttKey, slot: u32) -> bool;
    /// Takes a slot nobody uses.
    fn take_free(&self) -> Option<u32>;
    /// Puts it back.
    fn put_free(&self, slot: u32);
}

/// What a socket remembers of its group's slot.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Remembered {
    /// Its number when last looked up; among those of what found no room: none.
    pub slot: u32,
    /// Its generation then.
    pub generation: u32,
}

/// The slot of a group, a new one if it has none; `folded` if there is none left.
#[inline(always)]
pub fn slot<'a, M: GroupMaps>(
    maps: &'a M,
    remembered: &mut Remembered,
    key: &RttKey,
    folded: u32,
) -> Option<&'a M::Slot> {
    let index = remembered.slot;
    if index >= M::FOLDED
        && let Some(slot) = maps.slot(index)
        && slot.generation().get() == remembered.generation
    {
        return Some(slot);
    }
    let index = match give(maps, key) {
        Some(index) => index,
        None => folded,
    };
    let slot = maps.slot(index)?;
    remembered.slot = index;
    remembered.generation = slot.generation().get();
    Some(slot)
}

/// Slot of a group, a new one if it has none.
#[inline(always)]
fn give<M: GroupMaps>(maps: &M, key: &RttKey) -> Option<u32> {
    if let Some(index) = maps.find(key) {
        return Some(index);
    }
    let index = maps.take_free()?;
    let slot = maps.slot(index)?;
    let words = key.words();
    let into = slot.key();
    into[0].set(words[0]);
    into[1].set(words[1]);
    into[2].set(words[2]);
    into[3].set(words[3]);
    into[4].set(words[4]);
    if maps.insert(key, index) {
        slot.used().set(1);
        return Some(index);
    }
    // Another CPU was faster.
    maps.put_free(index);
    maps.find(key)
}

/// Adds a sample to a histogram.
#[inline(always)]
pub fn count(counts: &[Shared32; bucket::COUNT], max_us: &Shared32, ns: u64) {
    if let Some(count) = counts.get(bucket::slot(ns)) {
        count.add(1);
    }
    let us = if ns / 1_000 > u64::from(u32::MAX) {
        u32::MAX
    } else {
        (ns / 1_000) as u32
    };
    for _ in 0..ATTEMPTS {
        if max_us.get() >= us {
            break;
        }
        max_us.set(us);
    }
}

/// As [`count`], with the sum in ns.
#[inline(always)]
pub fn count_ns(counts: &[Shared32; bucket::COUNT], sum_ns: &Shared64, max_us: &Shared32, ns: u64) {
    sum_ns.add(ns);
    count(counts, max_us, ns);
}
