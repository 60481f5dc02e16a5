//! Swap I/O by who owned the page.

use std::sync::Arc;

use super::Owner;

/// Whose pages a row of swap I/O counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SwapKey {
    /// A group of processes.
    Owner(Owner),
    /// Pages that lead to no process.
    Nobody {
        /// What kind of pages.
        kind: SwapNobody,
        /// Container or unit that shared memory is charged to; empty if there is none, it is not
        /// told apart, or the pages are of another kind.
        service: Arc<str>,
    },
    /// All rows beyond the budget.
    Folded,
}

/// Pages that lead to no process; the label `process` in brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SwapNobody {
    /// Nobody mapped the page any more when it was written.
    Exited,
    /// Shared memory, written: the page leads to the file, not to who maps it.
    Shmem,
    /// Written back by zswap from its pool in memory.
    ZswapWriteback,
    /// Merged by KSM: of several processes.
    Ksm,
    /// Read by a thread of the kernel.
    Kernel,
}

impl SwapNobody {
    /// The value of the label `process`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exited => "[exited]",
            Self::Shmem => "[shmem]",
            Self::ZswapWriteback => "[zswap writeback]",
            Self::Ksm => "[ksm]",
            Self::Kernel => "[kernel]",
        }
    }
}

/// One row of swap I/O. Counters hold since this appearance of the row began.
#[derive(Clone, Debug)]
pub struct SwapRow {
    /// Identity.
    pub key: SwapKey,
    /// Counters are to be exposed as 0.
    pub held: bool,
    /// What the counters hold.
    pub measure: SwapMeasure,
    /// Bytes read from swap; as [`SwapMeasure::Net`], by which `VmSwap` fell.
    pub in_bytes: u64,
    /// Bytes written to swap; as [`SwapMeasure::Net`], by which `VmSwap` grew.
    pub out_bytes: u64,
    /// Rates over the last cycle.
    pub rates: SwapRates,
}

/// What swap I/O is told from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SwapMeasure {
    /// What was read and written.
    #[default]
    Moved,
    /// Net changes of `VmSwap` between two looks: what went out and came back in between is not
    /// in it, pages of which a copy stays in swap are, and so are those zswap holds in memory.
    Net,
}

/// Bytes per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SwapRates {
    /// Read from swap.
    pub in_bytes: f64,
    /// Written to swap.
    pub out_bytes: f64,
}

/// What the kernel counts as swap I/O and no row has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SwapUnattributed {
    /// Bytes read.
    pub in_bytes: u64,
    /// Bytes written.
    pub out_bytes: u64,
}
