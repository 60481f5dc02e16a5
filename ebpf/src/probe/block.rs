//! Requests to disks as they are done.
//!
//! `block_rq_complete` fires once per part of a request that is done, and the request itself holds
//! when it was queued and when the driver got it (`start_time_ns`, `io_start_time_ns`, ns of
//! `CLOCK_MONOTONIC`): no start needs to be remembered. Devices without requests (dm, md, zram)
//! have only bios, whose start is.

pub mod process;

use aya_ebpf::helpers::generated::bpf_ktime_get_ns;

use crate::{
    bucket,
    offsets::{ABSENT, at, set},
    probe::{
        load::{global, member, pointer},
        shared::{Shared32, Shared64},
    },
    wire::{BioStart, CGROUP_FOLDED, CGROUP_WRITEBACK, DiskKey, DiskOp, DiskSlot},
};

/// `REQ_OP_MASK`.
const OP_MASK: u32 = 0xFF;
/// Id of the root of every hierarchy.
const ROOT: u64 = 1;
/// Longer than this nothing takes, ns (71 min): a time stamp that was never set.
const STALE: u64 = (u32::MAX as u64) * 1_000;
/// How often a raised maximum is looked at again.
const ATTEMPTS: usize = 3;

/// The maps of one kind of slots.
pub trait SlotMaps {
    /// What a slot is given to.
    type Key;
    /// What it holds.
    type Slot;
    /// A slot.
    fn slot(&self, index: u32) -> Option<&Self::Slot>;
    /// Slot of a key.
    fn find(&self, key: &Self::Key) -> Option<u32>;
    /// Gives a key its slot; false if it has one or there is no room.
    fn insert(&self, key: &Self::Key, slot: u32) -> bool;
    /// Takes a slot nobody uses, from those left to folded keys or the others.
    fn take_free(&self, folded: bool) -> Option<u32>;
    /// Puts it back.
    fn put_free(&self, slot: u32, folded: bool);
}

/// One request that is done.
#[derive(Clone, Copy)]
pub struct Done {
    key: DiskKey,
    bytes: u64,
    failed: bool,
    /// It is whole: its times count.
    last: bool,
    io_ns: Option<u64>,
    service_ns: Option<u64>,
}

impl Done {
    /// Parts of it are still under way.
    #[inline(always)]
    pub fn goes_on(&self) -> bool {
        !self.last
    }
}

/// Looks at a request at `block_rq_complete`; `None` if it does not count.
///
/// # Safety
/// `rq` is a request known to the verifier.
#[inline(always)]
pub unsafe fn request(rq: *const u8, error: i32, bytes: u32) -> Option<Done> {
    // SAFETY: the request's own members.
    unsafe {
        let flags: u32 = member(rq, &at::RQ_CMD_FLAGS);
        let op = DiskOp::of_request(flags & OP_MASK)?;
        let failed = error != 0;
        // A write with a barrier is done a second time, without bytes; an empty barrier is counted
        // as the flush that serves it.
        if bytes == 0 && op as u32 != DiskOp::Flush as u32 && !failed {
            return None;
        }
        let dev = disk(rq)?;
        let left: u32 = member(rq, &at::RQ_DATA_LEN);
        let last = bytes >= left;
        let (mut io_ns, mut service_ns) = (None, None);
        // A flush is a request of the queue's own, stamped each time (`blk_rq_init()`).
        if last && (op as u32 == DiskOp::Flush as u32 || timed(rq)) {
            let now = bpf_ktime_get_ns();
            io_ns = since(now, member(rq, &at::RQ_START));
            service_ns = since(now, member(rq, &at::RQ_IO_START));
        }
        let cgroup = charged(pointer(rq, &at::RQ_BIO), op, flags);
        Some(Done {
            key: DiskKey {
                cgroup,
                dev,
                op: op as u32,
            },
            bytes: u64::from(bytes),
            failed,
            last,
            io_ns,
            service_ns,
        })
    }
}

/// Whether the request was stamped when it was allocated. Without accounting
/// (`/sys/block/DISK/queue/iostats` 0) it carries the times of its last use.
///
/// # Safety
/// As for [`request`].
#[inline(always)]
unsafe fn timed(rq: *const u8) -> bool {
    let bit = global(&set::RQF_IO_STAT);
    if bit == ABSENT {
        return true;
    }
    // SAFETY: the request's own member.
    let flags: u32 = unsafe { member(rq, &at::RQ_FLAGS) };
    flags & bit != 0
}

#[inline(always)]
fn since(now: u64, then: u64) -> Option<u64> {
    let ns = now.wrapping_sub(then);
    // One that lies ahead is no less wrong: the difference then wraps around.
    (then != 0 && ns < STALE).then_some(ns)
}

/// Number of the whole disk.
///
/// # Safety
/// As for [`request`].
#[inline(always)]
unsafe fn disk(rq: *const u8) -> Option<u32> {
    // SAFETY: the request's queue and its disk (from 5.15), or the request's own (up to 5.16).
    unsafe {
        let disk = if global(&at::QUEUE_DISK) == ABSENT {
            pointer(rq, &at::RQ_DISK)
        } else {
            pointer(pointer(rq, &at::RQ_QUEUE), &at::QUEUE_DISK)
        };
        number(disk)
    }
}

/// # Safety
/// `disk` is a `struct gendisk` known to the verifier, or null.
#[inline(always)]
unsafe fn number(disk: *const u8) -> Option<u32> {
    if disk.is_null() {
        return None;
    }
    // SAFETY: promised by the caller.
    unsafe {
        let major: u32 = member(disk, &at::DISK_MAJOR);
        let minor: u32 = member(disk, &at::DISK_FIRST_MINOR);
        Some(major << 20 | minor)
    }
}

/// The cgroup a bio is charged to.
///
/// # Safety
/// `bio` is a `struct bio` known to the verifier, or null.
#[inline(always)]
unsafe fn charged(bio: *const u8, op: DiskOp, flags: u32) -> u64 {
    if bio.is_null() {
        return ROOT;
    }
    // SAFETY: each is a pointer inside the one before; a fault reads as null.
    let cgroup = unsafe {
        let blkg = pointer(bio, &at::BIO_BLKG);
        if blkg.is_null() {
            return ROOT;
        }
        let blkcg = pointer(blkg, &at::BLKG_BLKCG);
        if blkcg.is_null() {
            return ROOT;
        }
        let cgroup = pointer(blkcg, &at::BLKCG_CGROUP);
        if cgroup.is_null() {
            return ROOT;
        }
        let node = pointer(cgroup, &at::CGROUP_KN);
        if node.is_null() {
            return ROOT;
        }
        member::<u64>(node, &at::KERNFS_NODE_ID)
    };
    if cgroup > ROOT {
        return cgroup;
    }
    if !waited_for(op, flags) {
        // Nobody waits for it and nobody is charged.
        return CGROUP_WRITEBACK;
    }
    ROOT
}

/// Whether somebody waits for a request, as the flags of writes tell.
#[inline(always)]
fn waited_for(op: DiskOp, flags: u32) -> bool {
    let sync = global(&set::REQ_SYNC);
    op as u32 != DiskOp::Write as u32 || sync == ABSENT || flags & sync != 0
}

/// Number of a bio's disk if that has no requests; `None` if it has.
///
/// # Safety
/// `bio` is a `struct bio` known to the verifier.
#[inline(always)]
unsafe fn bare(bio: *const u8) -> Option<u32> {
    // SAFETY: each is a pointer inside the one before.
    unsafe {
        let device = pointer(bio, &at::BIO_BDEV);
        if device.is_null() {
            return None;
        }
        let disk = pointer(device, &at::BDEV_DISK);
        if disk.is_null() {
            return None;
        }
        let queue = pointer(disk, &at::DISK_QUEUE);
        if queue.is_null() || !pointer(queue, &at::QUEUE_MQ_OPS).is_null() {
            return None;
        }
        number(disk)
    }
}

/// What to remember of a bio at `block_bio_queue`; `None` if its device has requests.
///
/// # Safety
/// `bio` is a `struct bio` known to the verifier.
#[inline(always)]
pub unsafe fn queued(bio: *const u8) -> Option<BioStart> {
    // SAFETY: promised by the caller.
    unsafe {
        bare(bio)?;
        Some(BioStart {
            at_ns: bpf_ktime_get_ns(),
            bytes: u64::from(member::<u32>(bio, &at::BIO_SIZE)),
        })
    }
}

/// A bio at `block_bio_complete`, with what was remembered of it.
///
/// # Safety
/// As for [`queued`].
#[inline(always)]
pub unsafe fn completed(bio: *const u8, start: BioStart) -> Option<Done> {
    // SAFETY: promised by the caller.
    unsafe {
        let dev = bare(bio)?;
        let flags: u32 = member(bio, &at::BIO_OPF);
        let op = DiskOp::of_request(flags & OP_MASK)?;
        let op = if start.bytes == 0 { DiskOp::Flush } else { op };
        Some(Done {
            key: DiskKey {
                cgroup: charged(bio, op, flags),
                dev,
                op: op as u32,
            },
            bytes: start.bytes,
            failed: member::<u8>(bio, &at::BIO_STATUS) != 0,
            last: true,
            io_ns: since(bpf_ktime_get_ns(), start.at_ns),
            service_ns: None,
        })
    }
}

/// Adds a request to its slot.
#[inline(always)]
pub fn count(maps: &impl SlotMaps<Key = DiskKey, Slot = DiskSlot>, done: &Done) {
    let index = place(maps, &done.key);
    let Some(slot) = maps.slot(index) else { return };
    slot.bytes.add(done.bytes);
    if done.failed {
        slot.errors.add(1);
    }
    if !done.last {
        return;
    }
    match done.io_ns {
        Some(ns) => add_time(&slot.io, &slot.io_sum_ns, &slot.io_max_us, ns),
        None => slot.untimed.add(1),
    }
    if let Some(ns) = done.service_ns {
        add_time(
            &slot.service,
            &slot.service_sum_ns,
            &slot.service_max_us,
            ns,
        );
    }
}

#[inline(always)]
fn add_time(counts: &[Shared32; bucket::COUNT], sum_ns: &Shared64, max_us: &Shared32, ns: u64) {
    if let Some(count) = counts.get(bucket::slot(ns)) {
        count.add(1);
    }
    sum_ns.add(ns);
    let us = (ns / 1_000) as u32;
    for _ in 0..ATTEMPTS {
        if max_us.get() >= us {
            break;
        }
        max_us.set(us);
    }
}

/// Slot of a key: its own, else that of its disk and operation, else the one of nobody.
#[inline(always)]
fn place(maps: &impl SlotMaps<Key = DiskKey>, key: &DiskKey) -> u32 {
    if let Some(index) = own(maps, key, false) {
        return index;
    }
    let folded = DiskKey {
        cgroup: CGROUP_FOLDED,
        ..*key
    };
    own(maps, &folded, true).unwrap_or(0)
}

#[inline(always)]
fn own<M: SlotMaps>(maps: &M, key: &M::Key, folded: bool) -> Option<u32> {
    if let Some(index) = maps.find(key) {
        return Some(index);
    }
    let index = maps.take_free(folded)?;
    if maps.insert(key, index) {
        return Some(index);
    }
    // Another CPU was faster.
    maps.put_free(index, folded);
    maps.find(key)
}
