//! Swap I/O, charged to whose pages they are. Attached only while swap is configured.
#![no_std]
#![no_main]
#![allow(
    missing_docs,
    reason = "the attribute macros drop the doc comments of entry points"
)]

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    btf_maps::{Array, HashMap, PerCpuArray},
    macros::{btf_map, btf_tracepoint},
    programs::BtfTracePointContext,
};
use hostlens_ebpf::{
    offsets::set,
    probe::{
        load::{add, global},
        swap,
    },
    wire::{SWAP_OWNERS as OWNERS, SwapBytes, SwapDevices, SwapKey},
};

/// Absolute sums; user space removes those that no longer move.
#[btf_map]
static SWAP_OWNERS: HashMap<SwapKey, SwapBytes, OWNERS> = HashMap::new();

/// What found no room there.
#[btf_map]
static SWAP_LOST: PerCpuArray<SwapBytes, 1> = PerCpuArray::new();

/// Devices that swap lies on; set before the programs are attached.
#[btf_map]
static SWAP_DEVICES: Array<SwapDevices, 1> = Array::new();

/// Adds to what is known of an owner.
#[inline(always)]
fn charge(key: &SwapKey, more: SwapBytes) {
    // A second look, as another CPU may have made the entry in between.
    for _ in 0..2 {
        if let Some(sum) = SWAP_OWNERS.get_ptr_mut(key) {
            // SAFETY: a value of a map.
            unsafe {
                if more.in_bytes != 0 {
                    add(&raw mut (*sum).in_bytes, more.in_bytes);
                }
                if more.out_bytes != 0 {
                    add(&raw mut (*sum).out_bytes, more.out_bytes);
                }
                if more.reclaimed_bytes != 0 {
                    add(&raw mut (*sum).reclaimed_bytes, more.reclaimed_bytes);
                }
            }
            return;
        }
        if SWAP_OWNERS
            .insert(key, more, u64::from(BPF_NOEXIST))
            .is_ok()
        {
            return;
        }
    }
    if let Some(lost) = SWAP_LOST.get_ptr_mut(0) {
        // SAFETY: a slot of this CPU.
        unsafe {
            (*lost).in_bytes += more.in_bytes;
            (*lost).out_bytes += more.out_bytes;
            (*lost).reclaimed_bytes += more.reclaimed_bytes;
        }
    }
}

/// A request is queued (before 5.11 a queue comes first: not supported).
#[btf_tracepoint(function = "block_bio_queue")]
pub fn swap_queued(ctx: BtfTracePointContext) -> i32 {
    if global(&set::BIO_ARGUMENT) != 0 {
        return 0;
    }
    let bio: *const u8 = ctx.arg(0);
    let Some(devices) = SWAP_DEVICES.get_ptr(0) else {
        return 0;
    };
    // SAFETY: the tracepoint's argument is a request; the list is a value of a map.
    unsafe {
        swap::request(bio, devices, |key, read, bytes| {
            let mut more = SwapBytes::default();
            if read {
                more.in_bytes = bytes;
            } else {
                more.out_bytes = bytes;
            }
            charge(key, more);
        });
    }
    0
}

/// Reclaim wrote a page: what there is where swap is written without requests.
#[btf_tracepoint(function = "mm_vmscan_write_folio")]
pub fn swap_reclaimed(ctx: BtfTracePointContext) -> i32 {
    if let Some((key, bytes)) = swap::reclaimed(ctx.arg(0)) {
        charge(
            &key,
            SwapBytes {
                reclaimed_bytes: bytes,
                ..SwapBytes::default()
            },
        );
    }
    0
}
