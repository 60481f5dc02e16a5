//! Whose a request is: the process that made it, for as long as it waits for it.
//!
//! Only its start knows (`block_io_start`, from 6.5), so that is remembered under the request's
//! address. A request that is merged into another ends without a trace: the next one at its
//! address takes its place, or, if nobody waits for that, strikes it out.

use aya_ebpf::helpers::generated::bpf_ktime_get_ns;

use super::{Done, OP_MASK, SlotMaps, add_time, own, waited_for};
use crate::{
    offsets::at,
    probe::{current::Current, load::member},
    wire::{DiskOp, DiskProcessKey, DiskProcessSlot, DiskStart},
};

/// Who makes a request, at `block_io_start`; `None` if that is the kernel itself, or nobody waits
/// for it.
///
/// # Safety
/// `rq` is a request known to the verifier.
#[inline(always)]
pub unsafe fn started(rq: *const u8) -> Option<DiskStart> {
    // SAFETY: the request's own member.
    let flags: u32 = unsafe { member(rq, &at::RQ_CMD_FLAGS) };
    match DiskOp::of_request(flags & OP_MASK)? {
        op @ (DiskOp::Read | DiskOp::Write) if waited_for(op, flags) => {}
        _ => return None,
    }
    let task = Current::task();
    match task.tgid() {
        0 => None,
        tgid => Some(DiskStart {
            process_start_ns: task.process_start_ns(),
            // SAFETY: a helper without arguments.
            at_ns: unsafe { bpf_ktime_get_ns() },
            tgid,
            pad: 0,
        }),
    }
}

/// Adds a request that is whole to the slot of who made it.
#[inline(always)]
pub fn count(
    maps: &impl SlotMaps<Key = DiskProcessKey, Slot = DiskProcessSlot>,
    start: &DiskStart,
    done: &Done,
) {
    let Some(ns) = done.io_ns else { return };
    let key = DiskProcessKey {
        start_ns: start.process_start_ns,
        tgid: start.tgid,
        op: done.key.op,
    };
    let index = own(maps, &key, false).unwrap_or(0);
    if let Some(slot) = maps.slot(index) {
        add_time(&slot.io, &slot.io_sum_ns, &slot.io_max_us, ns);
    }
}
