//! What the kernel counts, less what was charged to somebody.

use crate::{collect::swap::totals::SwapTotals, model::SwapUnattributed};

/// One direction.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    /// Kernel's sum less ours; below 0 while pages were charged that the kernel is yet to count.
    difference: i128,
    /// Highest difference so far.
    unattributed: u64,
    kernel: u64,
    ours: u64,
}

impl Side {
    fn add(&mut self, kernel: u64, ours: u64) {
        self.kernel += kernel;
        self.ours += ours;
        self.difference += i128::from(kernel) - i128::from(ours);
        let difference = u64::try_from(self.difference).unwrap_or(0);
        self.unattributed = self.unattributed.max(difference);
    }
}

/// Compares both over the time in which swap I/O was charged.
#[derive(Clone, Copy, Debug, Default)]
pub struct SwapBalance {
    read: Side,
    written: Side,
    /// The kernel's sums at the last comparison; `None` while nothing is charged.
    last: Option<SwapTotals>,
}

impl SwapBalance {
    /// Charging begins, the kernel's sums being these.
    pub fn begin(&mut self, kernel: SwapTotals) {
        self.last.get_or_insert(kernel);
    }

    /// Charging ends.
    pub fn end(&mut self) {
        self.last = None;
    }

    /// The kernel's sums before, and what was charged up to a moment after, that moment: nothing
    /// is called unattributed only because it is on its way. Gives what zswap wrote back since the
    /// last call.
    pub fn compare(&mut self, kernel: SwapTotals, in_bytes: u64, out_bytes: u64) -> u64 {
        let Some(last) = self.last else {
            return 0;
        };
        self.last = Some(kernel);
        self.read
            .add(kernel.in_bytes.saturating_sub(last.in_bytes), in_bytes);
        self.written
            .add(kernel.out_bytes.saturating_sub(last.out_bytes), out_bytes);
        kernel.zswap_bytes.saturating_sub(last.zswap_bytes)
    }

    /// What nobody has been charged with. Never goes down.
    pub fn unattributed(&self) -> SwapUnattributed {
        SwapUnattributed {
            in_bytes: self.read.unattributed,
            out_bytes: self.written.unattributed,
        }
    }

    /// Bytes read: charged, and counted by the kernel.
    pub fn read(&self) -> (u64, u64) {
        (self.read.ours, self.read.kernel)
    }

    /// Bytes written: charged, and counted by the kernel.
    pub fn written(&self) -> (u64, u64) {
        (self.written.ours, self.written.kernel)
    }
}
