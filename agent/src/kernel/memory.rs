//! Keeping the heap small.

/// Blocks from this size on, bytes, are mapped on their own, and free memory of this size at the
/// end of a heap goes back to the kernel.
#[cfg(target_env = "gnu")]
const THRESHOLD: libc::c_int = 1 << 20;

/// Pins the allocator's thresholds. By default one large block that is freed raises them to twice
/// its size, and from then on each thread's heap may keep that much.
pub fn keep_small() {
    #[cfg(target_env = "gnu")]
    for parameter in [libc::M_MMAP_THRESHOLD, libc::M_TRIM_THRESHOLD] {
        // SAFETY: takes two numbers; safe to call at any time.
        unsafe { libc::mallopt(parameter, THRESHOLD) };
    }
}

/// Returns freed memory to the kernel: parsing type information leaves some MB of free heap.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes no pointers; safe to call at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}
