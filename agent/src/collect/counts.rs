//! Takes counts out of memory that programs add to: exchanged for zero, so nothing is counted twice
//! or lost.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Takes a count; one that is 0 is left alone.
pub(super) fn swap(count: &AtomicU32) -> u32 {
    match count.load(Relaxed) {
        0 => 0,
        _ => count.swap(0, Relaxed),
    }
}

/// Takes the counts of a histogram: slot and count of those that are not 0.
pub(super) fn counts(counts: &[AtomicU32]) -> Vec<(u16, u32)> {
    (0u16..)
        .zip(counts.iter().map(swap))
        .filter(|(_, count)| *count > 0)
        .collect()
}
