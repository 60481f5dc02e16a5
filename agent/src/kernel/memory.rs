//! Giving memory back after a peak.

/// Returns freed memory to the kernel: parsing type information leaves tens of MB of free heap.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes no pointers; safe to call at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}
