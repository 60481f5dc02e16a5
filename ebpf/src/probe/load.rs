//! Loads from kernel structures, at offsets the loader filled in: direct ones from BTF-typed
//! pointers, probed ones from mere addresses. And the one write that several CPUs may do at once.

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;

use crate::offsets::ABSENT;

/// Reads a global that user space may have set; never folded into its initial value.
#[inline(always)]
pub fn global(value: &'static u32) -> u32 {
    // SAFETY: a reference to a static is always readable.
    unsafe { core::ptr::from_ref(value).read_volatile() }
}

/// Loads a member; the default where this kernel lacks it.
///
/// # Safety
/// `base` is a kernel pointer the verifier knows by its BTF type and `offset` names a member of
/// that type as large as `T`: the verifier checks both and makes a fault read as zero.
#[inline(always)]
pub unsafe fn member<T: Copy + Default>(base: *const u8, offset: &'static u32) -> T {
    let offset = global(offset);
    if offset == ABSENT {
        return T::default();
    }
    // SAFETY: promised by the caller.
    unsafe { base.add(offset as usize).cast::<T>().read_volatile() }
}

/// Loads a pointer member; null where this kernel lacks it.
///
/// # Safety
/// As for [`member`].
#[inline(always)]
pub unsafe fn pointer(base: *const u8, offset: &'static u32) -> *const u8 {
    let offset = global(offset);
    if offset == ABSENT {
        return core::ptr::null();
    }
    // SAFETY: promised by the caller.
    unsafe {
        base.add(offset as usize)
            .cast::<*const u8>()
            .read_volatile()
    }
}

/// Loads four words, as an IPv6 address or half a name; zero where this kernel lacks the member.
///
/// # Safety
/// As for [`member`]; the member has 16 bytes.
#[inline(always)]
pub unsafe fn words(base: *const u8, offset: &'static u32) -> [u32; 4] {
    let offset = global(offset);
    if offset == ABSENT {
        return [0; 4];
    }
    // SAFETY: promised by the caller.
    unsafe {
        let at = base.add(offset as usize).cast::<u32>();
        [
            at.read_volatile(),
            at.add(1).read_volatile(),
            at.add(2).read_volatile(),
            at.add(3).read_volatile(),
        ]
    }
}

/// Four words as the bytes they stand for in memory.
#[inline(always)]
pub fn bytes(words: [u32; 4]) -> [u8; 16] {
    // SAFETY: both types are 16 bytes of plain data.
    unsafe { core::mem::transmute::<[u32; 4], [u8; 16]>(words) }
}

/// Reads a member of a structure whose address is known, but not its type to the verifier; the
/// default where this kernel lacks it or nothing is there.
#[inline(always)]
pub fn probe<T: Copy + Default>(base: u64, offset: &'static u32) -> T {
    let offset = global(offset);
    if offset == ABSENT {
        return T::default();
    }
    peek(base + u64::from(offset))
}

/// Reads what lies at an address; the default if nothing does.
#[inline(always)]
pub fn peek<T: Copy + Default>(address: u64) -> T {
    let mut value = T::default();
    // SAFETY: the helper writes exactly `value`, zeros if the read faults.
    unsafe {
        bpf_probe_read_kernel(
            core::ptr::from_mut(&mut value).cast(),
            size_of::<T>() as u32,
            address as *const _,
        );
    }
    value
}

/// Adds one to a counter that several CPUs may add to at once.
///
/// # Safety
/// `count` points into a value of a map.
#[inline(always)]
pub unsafe fn add_one(count: *mut u64) {
    // SAFETY: promised by the caller.
    unsafe { add(count, 1) };
}

/// Adds to a counter that several CPUs may add to at once. The target has no read-modify-write
/// operations in the language, as the kernel knows them with their old value only from 5.12 on;
/// without it every kernel knows this one.
///
/// # Safety
/// `count` points into a value of a map.
#[inline(always)]
pub unsafe fn add(count: *mut u64, more: u64) {
    // SAFETY: promised by the caller; the instruction touches nothing else.
    unsafe {
        core::arch::asm!(
            "lock *(u64 *)({count} + 0) += {more}",
            count = in(reg) count,
            more = in(reg) more,
            options(nostack, preserves_flags),
        );
    }
}
