//! Round-trip times by acknowledgement: one histogram per group of connections, in memory that
//! programs write and user space reads.

#[cfg(not(target_arch = "bpf"))]
use core::sync::atomic::{AtomicU32 as Shared32, AtomicU64 as Shared64};

use super::Record;
use crate::bucket;
#[cfg(target_arch = "bpf")]
use crate::probe::shared::{Shared32, Shared64};

/// Groups with a histogram of their own, at most.
pub const RTT_GROUPS: usize = 1024;
/// Slots before those of groups: what found no room, inbound and outbound.
pub const RTT_FOLDED: usize = 2;
/// All slots.
pub const RTT_SLOTS: usize = RTT_FOLDED + RTT_GROUPS;
/// Networks whose addresses have groups of their own, at most.
pub const OWN_NETWORKS: usize = 1024;
/// Listening addresses that decide about connections older than the programs, at most.
pub const LISTENING: usize = 16_384;

/// A group of connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C, align(8))]
pub struct RttKey {
    /// Remote address, IPv4 in its IPv6-mapped form; zero if `beyond`.
    pub remote: [u8; 16],
    /// Inbound: the address the listener is bound to, likewise.
    pub listen: [u8; 16],
    /// Inbound: the listener's port; outbound: the remote port.
    pub port: u16,
    /// [`super::Direction`] as a byte: inbound or outbound.
    pub direction: u8,
    /// 1: the remote address lies outside the own networks.
    pub beyond: u8,
    /// Zero.
    pub reserved: [u8; 4],
}

const _: () = assert!(size_of::<RttKey>() == 40);
// SAFETY: repr(C), plain integers and byte arrays, no padding (size asserted above).
unsafe impl Record for RttKey {}
#[cfg(feature = "user")]
// SAFETY: as for `Record`.
unsafe impl aya::Pod for RttKey {}

impl RttKey {
    /// As the words that [`RttSlot::key`] holds.
    #[inline(always)]
    pub const fn words(&self) -> [u64; 5] {
        // SAFETY: both types are 40 bytes of plain data.
        unsafe { core::mem::transmute::<Self, [u64; 5]>(*self) }
    }

    /// The key of such words.
    #[inline]
    pub const fn of_words(words: [u64; 5]) -> Self {
        // SAFETY: both types are 40 bytes of plain data.
        unsafe { core::mem::transmute::<[u64; 5], Self>(words) }
    }
}

/// A slot that programs give to a group of connections and user space takes back.
pub trait GroupSlot {
    /// The group it belongs to while [`Self::used`], as in [`RttKey::words`].
    fn key(&self) -> &[Shared64; 5];
    /// Changes when the slot is taken from its group: sockets that remember it look it up again.
    fn generation(&self) -> &Shared32;
    /// 1 from when a group got it until user space takes it back.
    fn used(&self) -> &Shared32;
}

macro_rules! group_slot {
    ($slot:ty) => {
        impl $crate::wire::GroupSlot for $slot {
            #[inline(always)]
            fn key(&self) -> &[Shared64; 5] {
                &self.key
            }

            #[inline(always)]
            fn generation(&self) -> &Shared32 {
                &self.generation
            }

            #[inline(always)]
            fn used(&self) -> &Shared32 {
                &self.used
            }
        }
    };
}
pub(super) use group_slot;

/// The histogram of one group. Programs only ever add; user space takes what has gathered by
/// exchanging it for zero, so nothing is counted twice or lost.
#[derive(Debug)]
#[repr(C)]
pub struct RttSlot {
    /// Sum of the samples, µs.
    pub sum_us: Shared64,
    /// The group it belongs to while `used`.
    pub key: [Shared64; 5],
    /// Changes when the slot is taken from its group: sockets that remember it look it up again.
    pub generation: Shared32,
    /// 1 from when a group got it until user space takes it back.
    pub used: Shared32,
    /// Largest sample, µs. Two programs that raise it in the same instant may leave the smaller.
    pub max_us: Shared32,
    /// In the slots of what found no room: sockets that could not even be remembered.
    pub lost: Shared32,
    /// Samples by slot of [`bucket`].
    pub counts: [Shared32; bucket::COUNT],
    /// Zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<RttSlot>() == 936);
group_slot!(RttSlot);

/// An address somebody listens on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct ListenKey {
    /// Bound address, IPv4 in its IPv6-mapped form.
    pub addr: [u8; 16],
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Port.
    pub port: u16,
    /// Zero.
    pub reserved: u16,
}

const _: () = assert!(size_of::<ListenKey>() == 24);
// SAFETY: repr(C), plain integers and byte arrays, no padding (size asserted above).
unsafe impl Record for ListenKey {}
#[cfg(feature = "user")]
// SAFETY: as for `Record`.
unsafe impl aya::Pod for ListenKey {}
