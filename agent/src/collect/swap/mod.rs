//! Swap I/O by who owned the page.
//!
//! ```text
//! areas   where swap lies; wakes when that changes
//! bpf     requests for swap, charged by kernel programs ─► SwapTransfer
//! totals  the kernel's own sums
//! ```

pub mod areas;
pub mod bpf;
pub mod totals;

/// Whose a swapped page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SwapParty {
    /// A process.
    Process {
        /// Process id as the host sees it.
        tgid: u32,
        /// Start, ns of `CLOCK_BOOTTIME`.
        start_ns: u64,
    },
    /// Nobody maps the page any more.
    Exited,
    /// Shared memory, or what zswap writes back: a page that leads to no process.
    Mapless {
        /// Id of the cgroup it is charged to, in the hierarchy of the memory controller; 0
        /// unknown.
        cgroup: u64,
    },
    /// A page that KSM made of several.
    Ksm,
    /// Read by a thread of the kernel.
    Kernel,
}

/// What was moved for one party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwapTransfer {
    /// Whose pages.
    pub party: SwapParty,
    /// Bytes read from swap.
    pub in_bytes: u64,
    /// Bytes written to swap.
    pub out_bytes: u64,
}
