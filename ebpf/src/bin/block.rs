//! Requests to disks: how long each took, by disk, operation and cgroup. One program for all disks
//! with requests; two more for those without, and two that tell processes apart.
#![no_std]
#![no_main]
#![allow(
    missing_docs,
    reason = "the attribute macros drop the doc comments of entry points"
)]

use aya_ebpf::{
    bindings::{BPF_ANY, BPF_NOEXIST},
    btf_maps::{Array, HashMap, PerCpuArray, Queue},
    macros::{btf_map, btf_tracepoint},
    programs::BtfTracePointContext,
};
use hostlens_ebpf::{
    probe::block,
    wire::{
        self, BIOS, BioStart, DISK_PROCESS_SLOTS, DISK_SLOTS, DISK_SLOTS_FOLDED, DISK_SLOTS_SHARED,
        DiskKey, DiskProcessKey, DiskProcessSlot, DiskSlot, DiskStart,
    },
};

const BPF_F_MMAPABLE: usize = 1 << 10;
const BPF_F_NO_PREALLOC: usize = 1;

/// What was measured, mapped by user space.
#[btf_map]
static DISK_TIMES: Array<DiskSlot, DISK_SLOTS, BPF_F_MMAPABLE> = Array::new();

/// Slot of each key. All its memory is there from the start: an event can't fail to get some.
#[btf_map]
static DISK_SLOT_OF: HashMap<DiskKey, u32, DISK_SLOTS> = HashMap::new();

/// Slots nobody uses.
#[btf_map]
static DISK_FREE: Queue<u32, DISK_SLOTS_SHARED> = Queue::new();

/// Those left to disks and operations whose cgroups found none.
#[btf_map]
static DISK_FREE_FOLDED: Queue<u32, DISK_SLOTS_FOLDED> = Queue::new();

/// Bios under way at devices without requests, by address.
#[btf_map]
static BIO_STARTS: HashMap<u64, BioStart, BIOS, BPF_F_NO_PREALLOC> = HashMap::new();

/// Bios that found no room.
#[btf_map]
static DISK_LOST: PerCpuArray<u64, 1> = PerCpuArray::new();

/// Times of the requests of processes, mapped by user space.
#[btf_map]
static DISK_PROCESS_TIMES: Array<DiskProcessSlot, DISK_PROCESS_SLOTS, BPF_F_MMAPABLE> =
    Array::new();

/// Slot of each process and operation.
#[btf_map]
static DISK_PROCESS_SLOT_OF: HashMap<DiskProcessKey, u32, DISK_PROCESS_SLOTS> = HashMap::new();

/// Slots of processes that nobody uses.
#[btf_map]
static DISK_PROCESS_FREE: Queue<u32, DISK_PROCESS_SLOTS> = Queue::new();

/// Requests of processes under way, by address.
#[btf_map]
static DISK_STARTS: HashMap<u64, DiskStart, { wire::DISK_STARTS }, BPF_F_NO_PREALLOC> =
    HashMap::new();

/// Requests of processes that found no room.
#[btf_map]
static DISK_STARTS_LOST: PerCpuArray<u64, 1> = PerCpuArray::new();

struct Maps;

impl block::SlotMaps for Maps {
    type Key = DiskKey;
    type Slot = DiskSlot;

    #[inline(always)]
    fn slot(&self, index: u32) -> Option<&DiskSlot> {
        DISK_TIMES.get(index)
    }

    #[inline(always)]
    fn find(&self, key: &DiskKey) -> Option<u32> {
        // SAFETY: entries are written once, before they can be found.
        unsafe { DISK_SLOT_OF.get(key) }.copied()
    }

    #[inline(always)]
    fn insert(&self, key: &DiskKey, slot: u32) -> bool {
        DISK_SLOT_OF
            .insert(key, slot, u64::from(BPF_NOEXIST))
            .is_ok()
    }

    #[inline(always)]
    fn take_free(&self, folded: bool) -> Option<u32> {
        let free = if folded {
            DISK_FREE_FOLDED.pop()
        } else {
            DISK_FREE.pop()
        };
        free.ok().flatten()
    }

    #[inline(always)]
    fn put_free(&self, slot: u32, folded: bool) {
        // It was taken from there: there is room.
        let _ = if folded {
            DISK_FREE_FOLDED.push(slot, 0)
        } else {
            DISK_FREE.push(slot, 0)
        };
    }
}

struct ProcessMaps;

impl block::SlotMaps for ProcessMaps {
    type Key = DiskProcessKey;
    type Slot = DiskProcessSlot;

    #[inline(always)]
    fn slot(&self, index: u32) -> Option<&DiskProcessSlot> {
        DISK_PROCESS_TIMES.get(index)
    }

    #[inline(always)]
    fn find(&self, key: &DiskProcessKey) -> Option<u32> {
        // SAFETY: entries are written once, before they can be found.
        unsafe { DISK_PROCESS_SLOT_OF.get(key) }.copied()
    }

    #[inline(always)]
    fn insert(&self, key: &DiskProcessKey, slot: u32) -> bool {
        DISK_PROCESS_SLOT_OF
            .insert(key, slot, u64::from(BPF_NOEXIST))
            .is_ok()
    }

    #[inline(always)]
    fn take_free(&self, _folded: bool) -> Option<u32> {
        DISK_PROCESS_FREE.pop().ok().flatten()
    }

    #[inline(always)]
    fn put_free(&self, slot: u32, _folded: bool) {
        // It was taken from there: there is room.
        let _ = DISK_PROCESS_FREE.push(slot, 0);
    }
}

#[inline(always)]
fn lost(counts: &PerCpuArray<u64, 1>) {
    if let Some(count) = counts.get_ptr_mut(0) {
        // SAFETY: a slot of this CPU.
        unsafe { *count += 1 };
    }
}

#[btf_tracepoint(function = "block_rq_complete")]
pub fn disk_done(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the tracepoint's first argument is a request.
    if let Some(done) = unsafe { block::request(ctx.arg(0), ctx.arg(1), ctx.arg(2)) } {
        block::count(&Maps, &done);
    }
    0
}

#[btf_tracepoint(function = "block_bio_queue")]
pub fn bio_queued(ctx: BtfTracePointContext) -> i32 {
    let bio: *const u8 = ctx.arg(0);
    // SAFETY: the tracepoint's only argument is a bio.
    if let Some(start) = unsafe { block::queued(bio) }
        && BIO_STARTS
            .insert(bio as u64, start, u64::from(BPF_ANY))
            .is_err()
    {
        lost(&DISK_LOST);
    }
    0
}

#[btf_tracepoint(function = "block_bio_complete")]
pub fn bio_done(ctx: BtfTracePointContext) -> i32 {
    let bio: *const u8 = ctx.arg(1);
    // SAFETY: the bio is at its end: nobody else has its entry.
    let Some(start) = (unsafe { BIO_STARTS.get(bio as u64) }).copied() else {
        return 0;
    };
    // It was just there.
    let _ = BIO_STARTS.remove(bio as u64);
    // SAFETY: the tracepoint's second argument is a bio.
    if let Some(done) = unsafe { block::completed(bio, start) } {
        block::count(&Maps, &done);
    }
    0
}

#[btf_tracepoint(function = "block_io_start")]
pub fn disk_started(ctx: BtfTracePointContext) -> i32 {
    let rq: *const u8 = ctx.arg(0);
    // SAFETY: the tracepoint's only argument is a request.
    match unsafe { block::process::started(rq) } {
        Some(start) => {
            if DISK_STARTS
                .insert(rq as u64, start, u64::from(BPF_ANY))
                .is_err()
            {
                lost(&DISK_STARTS_LOST);
            }
        }
        // Mostly there is none.
        None => drop(DISK_STARTS.remove(rq as u64)),
    }
    0
}

#[btf_tracepoint(function = "block_rq_complete")]
pub fn disk_done_for(ctx: BtfTracePointContext) -> i32 {
    let rq: *const u8 = ctx.arg(0);
    // SAFETY: nobody else has the entry of a request that is under way.
    let Some(start) = (unsafe { DISK_STARTS.get(rq as u64) }).copied() else {
        return 0;
    };
    // SAFETY: the tracepoint's first argument is a request.
    let done = unsafe { block::request(rq, ctx.arg(1), ctx.arg(2)) };
    if done.is_some_and(|done| done.goes_on()) {
        return 0;
    }
    // It was just there.
    let _ = DISK_STARTS.remove(rq as u64);
    if let Some(done) = done {
        block::process::count(&ProcessMaps, &start, &done);
    }
    0
}
