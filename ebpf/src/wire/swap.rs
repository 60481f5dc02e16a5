//! Swap I/O by who owned the page.

use super::Record;

/// Owners whose swap I/O is held at a time.
pub const SWAP_OWNERS: usize = 8192;
/// Devices that are told apart; with more of them every read is looked at.
pub const SWAP_DEVICES: usize = 15;

/// Whose a swapped page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum SwapOwner {
    /// A process: `SwapKey::tgid` and `SwapKey::id` name it.
    Process = 0,
    /// Nobody maps the page any more: its process ended, or unmapped it, while it was on its way.
    Exited = 1,
    /// A page without a mapping: shared memory, or what zswap writes back.
    Mapless = 2,
    /// A page merged by KSM, which belongs to several.
    Ksm = 3,
    /// Read by a thread of the kernel.
    Kernel = 4,
}

impl SwapOwner {
    /// The owner a key holds.
    pub fn of(number: u32) -> Option<Self> {
        [
            Self::Process,
            Self::Exited,
            Self::Mapless,
            Self::Ksm,
            Self::Kernel,
        ]
        .into_iter()
        .find(|owner| *owner as u32 == number)
    }
}

/// Whom swap I/O is charged to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct SwapKey {
    /// Of a process: its start, ns of `CLOCK_BOOTTIME`. Of a page without one: id of the cgroup it
    /// is charged to, in the hierarchy of the memory controller; 0 unknown.
    pub id: u64,
    /// Process id as the host sees it; 0 unless [`SwapOwner::Process`].
    pub tgid: u32,
    /// [`SwapOwner`] as a number.
    pub owner: u32,
}

/// Bytes since the entry was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct SwapBytes {
    /// Read from swap.
    pub in_bytes: u64,
    /// Written to swap, by the requests.
    pub out_bytes: u64,
    /// Written to swap, by what reclaim says it wrote: pages that need no request included, as
    /// those of zeros only and those that zswap takes.
    pub reclaimed_bytes: u64,
}

/// Devices that swap lies on, as the kernel numbers them inside (`dev_t`: major << 20 | minor).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct SwapDevices {
    /// Not 0: look at reads from any device.
    pub any: u32,
    /// The devices; 0 means none.
    pub devices: [u32; SWAP_DEVICES],
}

const _: () = assert!(size_of::<SwapKey>() == 16);
const _: () = assert!(size_of::<SwapBytes>() == 24);
const _: () = assert!(size_of::<SwapDevices>() == 64);
// SAFETY: repr(C), plain integers, no padding (sizes asserted above).
unsafe impl Record for SwapKey {}
// SAFETY: as above.
unsafe impl Record for SwapBytes {}
#[cfg(feature = "user")]
// SAFETY: as for `Record`.
unsafe impl aya::Pod for SwapKey {}
#[cfg(feature = "user")]
// SAFETY: as for `Record`.
unsafe impl aya::Pod for SwapBytes {}
#[cfg(feature = "user")]
// SAFETY: repr(C), plain integers, no padding (size asserted above).
unsafe impl aya::Pod for SwapDevices {}
