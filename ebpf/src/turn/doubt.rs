//! Connections that do not take turns: signs of it, and how long they are held against them.

use crate::wire::Excluded;

/// Bursts of an answer with pauses between them that make it one of pushes.
pub(super) const PUSHES: u8 = 3;
/// Clean turns left out after the first sign.
const FIRST: u16 = 8;
/// After many.
const MOST: u16 = 4_096;
/// Clean turns after which half of that is forgiven.
const FORGIVEN: u16 = 1_024;
/// After so long a silence without an open question, overlapping turns are over.
const SILENCE_NS: u64 = 1_000_000_000;
/// How many times its longest pause a pushing side has to be silent.
const PAUSES: u64 = 4;
/// Least pause between bursts of an application.
const LEAST_PAUSE_NS: u64 = 500_000;

/// What is held against a connection.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(super) struct Doubt {
    /// Clean turns still to be left out.
    needed: u16,
    /// How many there were to be left out at the last sign; 0: none came yet.
    level: u16,
    /// Clean turns since.
    clean: u16,
    /// [`Excluded`].
    reason: u16,
}

/// How long one side is silent before what it says next is something new.
#[inline(always)]
pub(super) fn pause_ns(floor_us: u32) -> u64 {
    LEAST_PAUSE_NS + 2 * 1_000 * floor_us as u64
}

impl Doubt {
    /// Whether the answering side is held to push.
    #[inline(always)]
    pub(super) fn is_push(&self) -> bool {
        self.needed > 0 && self.reason == Excluded::Push as u16
    }

    /// There is a sign.
    #[inline(always)]
    pub(super) fn arise(&mut self, reason: Excluded) {
        self.level = if self.level == 0 {
            FIRST
        } else if self.level >= MOST / 2 {
            MOST
        } else {
            self.level * 2
        };
        self.needed = self.level;
        self.clean = 0;
        self.reason = reason as u16;
    }

    /// A question follows a silence.
    #[inline(always)]
    pub(super) fn silence(&mut self, silence_ns: u64, longest_ns: u64) {
        if self.needed == 0 {
            return;
        }
        let enough = if self.reason == Excluded::Push as u16 {
            longest_ns.saturating_mul(PAUSES)
        } else {
            SILENCE_NS
        };
        if silence_ns >= enough {
            self.needed = 0;
        }
    }

    /// A turn without a sign has ended; why it is left out all the same.
    #[inline(always)]
    pub(super) fn ended(&mut self) -> Option<Excluded> {
        if self.needed > 0 {
            self.needed -= 1;
            return Some(if self.reason == Excluded::Push as u16 {
                Excluded::Push
            } else {
                Excluded::Overlap
            });
        }
        if self.level > 0 {
            self.clean += 1;
            if self.clean >= FORGIVEN {
                self.clean = 0;
                self.level /= 2;
                if self.level < FIRST {
                    self.level = 0;
                }
            }
        }
        None
    }
}
