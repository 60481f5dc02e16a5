//! Iterator contexts (`struct bpf_iter__*`): slot 0 is the meta data, the objects follow.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_seq_write;

use crate::{offsets::at, probe::load::member};

/// Pointer in a slot of the context; null at the end of a walk.
///
/// # Safety
/// `ctx` is an iterator context with at least `slot + 1` slots; the verifier checks it.
#[inline(always)]
pub unsafe fn slot(ctx: *const c_void, slot: usize) -> *const u8 {
    // SAFETY: promised by the caller.
    unsafe { ctx.cast::<*const u8>().add(slot).read_volatile() }
}

/// Number of bytes written since the reader last came.
///
/// # Safety
/// `ctx` is an iterator context.
#[inline(always)]
pub unsafe fn written(ctx: *const c_void) -> u64 {
    // SAFETY: `struct bpf_iter_meta` starts with the sequence file, which the verifier knows.
    unsafe {
        let file = slot(ctx, 0).cast::<*const u8>().read_volatile();
        member(file, &at::SEQ_COUNT)
    }
}

/// Writes a record to the reader; too little room makes the kernel call again with more.
///
/// # Safety
/// `ctx` is an iterator context.
#[inline(always)]
pub unsafe fn emit<T: Copy>(ctx: *const c_void, record: &T) {
    // SAFETY: `struct bpf_iter_meta` starts with the sequence file; the record is plain data.
    unsafe {
        let meta = slot(ctx, 0);
        let file = meta.cast::<*mut u8>().read_volatile();
        bpf_seq_write(
            file.cast(),
            core::ptr::from_ref(record).cast(),
            size_of::<T>() as u32,
        );
    }
}
