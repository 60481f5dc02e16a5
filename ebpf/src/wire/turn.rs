//! Times to first byte: two histograms per group of connections, in memory that programs write
//! and user space reads.

#[cfg(not(target_arch = "bpf"))]
use core::sync::atomic::{AtomicU32 as Shared32, AtomicU64 as Shared64};

use crate::bucket;
#[cfg(target_arch = "bpf")]
use crate::probe::shared::{Shared32, Shared64};

/// Groups with histograms of their own, at most: peers and listeners together.
pub const TURN_GROUPS: usize = 512;
/// Slots before those of groups, by [`TurnGroup`]: what found no room.
pub const TURN_FOLDED: usize = 3;
/// All slots.
pub const TURN_SLOTS: usize = TURN_FOLDED + TURN_GROUPS;
/// Sockets whose turns are followed at once where sockets carry no storage.
pub const TURN_SOCKETS: usize = 1 << 16;

/// What a group's two histograms hold; the byte `direction` of the group's
/// [`super::RttKey`], and the number of the slot of what found no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TurnGroup {
    /// A listener: waiting until read, serving. The first four bytes of `remote` are the network
    /// namespace, native order; `listen` and `port` say where it listens.
    Listener = 0,
    /// Peers that connected here ([`super::Direction::Inbound`]): response; the second is empty.
    Inbound = 1,
    /// Peers we connected to ([`super::Direction::Outbound`]): response, the peer's own time.
    Outbound = 2,
}

/// Why a turn is left out of the histograms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Excluded {
    /// Another question was under way: turns overlap (multiplexing, pipelining over time).
    Overlap = 0,
    /// The answering side also speaks unasked.
    Push = 1,
    /// Part of the question was retransmitted: when its last byte left is not known.
    Retransmit = 2,
    /// The kernel's stamp of the first byte is older than the question.
    Stamp = 3,
    /// The connection was closed or half-closed before an answer could be seen.
    Closed = 4,
}

impl Excluded {
    /// How many there are.
    pub const COUNT: usize = 5;
    /// All, in order of their numbers.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Overlap,
        Self::Push,
        Self::Retransmit,
        Self::Stamp,
        Self::Closed,
    ];
}

/// One histogram in shared memory.
#[derive(Debug)]
#[repr(C)]
pub struct TurnTimes {
    /// Sum of the samples, ns.
    pub sum_ns: Shared64,
    /// Largest sample, µs. Two programs that raise it in the same instant may leave the smaller.
    pub max_us: Shared32,
    /// Samples by slot of [`bucket`].
    pub counts: [Shared32; bucket::COUNT],
}

const _: () = assert!(size_of::<TurnTimes>() == 880);

/// The histograms of one group. Programs only ever add; user space takes what has gathered by
/// exchanging it for zero, so nothing is counted twice or lost.
#[derive(Debug)]
#[repr(C)]
pub struct TurnSlot {
    /// The group it belongs to while `used`, as in [`super::RttKey::words`].
    pub key: [Shared64; 5],
    /// Changes when the slot is taken from its group: sockets that remember it look it up again.
    pub generation: Shared32,
    /// 1 from when a group got it until user space takes it back.
    pub used: Shared32,
    /// See [`TurnGroup`].
    pub first: TurnTimes,
    /// See [`TurnGroup`].
    pub second: TurnTimes,
    /// Turns left out, by [`Excluded`].
    pub excluded: [Shared32; Excluded::COUNT],
    /// In the slots of what found no room: sockets that could not even be remembered.
    pub lost: Shared32,
}

const _: () = assert!(size_of::<TurnSlot>() == 1832);
super::rtt::group_slot!(TurnSlot);

/// What the programs say of themselves, per CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct TurnCost {
    /// Times they ran.
    pub runs: u64,
    /// Runs they timed.
    pub timed: u64,
    /// Time those took, ns, between first and last instruction.
    pub timed_ns: u64,
}

// SAFETY: repr(C), three integers of one size, no padding.
unsafe impl super::Record for TurnCost {}
#[cfg(feature = "user")]
// SAFETY: as for `Record`.
unsafe impl aya::Pod for TurnCost {}
