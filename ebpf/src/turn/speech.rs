//! What either side says, and what that says of the turn.

use super::{
    burst::{BULK, Burst},
    core::{ANSWERING, ASKING, HOLE, OVERLAP, OWED, READS, Turn, UNKNOWN},
    doubt,
};
use crate::wire::Excluded;

impl Turn {
    /// Part of a question passes.
    #[inline(always)]
    pub(super) fn ask(&mut self, burst: Burst, retransmitted: u32) {
        let pause = doubt::pause_ns(self.floor_us);
        if self.phase == UNKNOWN {
            return;
        }
        let again = retransmitted != self.retransmitted;
        if self.phase == ASKING {
            let gap = burst.first_ns.saturating_sub(self.asked_ns);
            if gap < pause {
                self.burst = self.burst.saturating_add(burst.bytes);
            } else {
                if self.burst < BULK && self.marks & HOLE == 0 && !again {
                    self.overlap(1);
                }
                self.burst = burst.bytes;
            }
        } else {
            let silence = burst.first_ns.saturating_sub(self.answered_ns);
            self.doubt.silence(silence, self.longest_ns);
            let overtakes =
                !self.is_inbound() && self.phase == ANSWERING && self.unread_at(burst.first_ns);
            self.phase = ASKING;
            self.marks &= READS;
            if self.owed.asked(burst.first_ns, silence) {
                self.marks |= OWED;
            }
            if overtakes {
                self.overlap(0);
            }
            self.burst = burst.bytes;
        }
        let parts = burst.parts(pause);
        if !again && parts > 1 {
            self.overlap(burst.segments - 1);
        }
        self.noted_ns = 0;
        self.asked_ns = burst.last_ns;
    }

    /// The first part of an answer passes.
    #[inline(always)]
    pub(super) fn answer(&mut self, burst: Burst) {
        self.phase = ANSWERING;
        self.bursts = 0;
        if !self.doubt.is_push() {
            self.longest_ns = 0;
        }
        if self.marks & (OVERLAP | OWED) != 0 {
            self.owed.waited(burst.first_ns);
        }
        self.parts(burst, 1);
        self.burst = burst.bytes;
        self.answered_ns = burst.last_ns;
    }

    /// The answering side speaks, and no question is open.
    #[inline(always)]
    pub(super) fn speak(&mut self, burst: Burst) {
        if self.phase != ANSWERING {
            self.answer(burst);
            return;
        }
        let gap = burst.first_ns.saturating_sub(self.answered_ns);
        self.answered_ns = burst.last_ns;
        if gap < doubt::pause_ns(self.floor_us) {
            self.parts(burst, 0);
            self.burst = self.burst.saturating_add(burst.bytes);
            return;
        }
        if self.burst < BULK {
            self.parts(burst, 1);
        }
        self.burst = burst.bytes;
        if gap > self.longest_ns {
            self.longest_ns = gap;
        }
    }

    /// Counts bursts of the answering side: `new` is 0 if the first only goes on with the last.
    #[inline(always)]
    fn parts(&mut self, burst: Burst, new: u8) {
        let parts = burst.parts(doubt::pause_ns(self.floor_us));
        if parts > 1 {
            self.owed.answered(burst.segments - 1);
            let span = burst.last_ns.saturating_sub(burst.first_ns);
            self.longest_ns = self.longest_ns.max(span);
        }
        self.owed.answered(u32::from(new));
        if self.bursts < doubt::PUSHES {
            self.bursts += parts - 1 + new;
            if self.bursts >= doubt::PUSHES {
                self.doubt.arise(Excluded::Push);
            }
        }
    }

    /// Something says that the question overlaps another turn, which counts once per turn, and
    /// that it is so many questions more.
    #[inline(always)]
    pub(super) fn overlap(&mut self, more: u32) {
        self.owed.pile_up(more);
        if self.marks & OVERLAP == 0 {
            self.marks |= OVERLAP;
            self.doubt.arise(Excluded::Overlap);
        }
    }

    /// Why the turn that ends now is left out; `None` if it is not.
    #[inline(always)]
    pub(super) fn verdict(&mut self, flaw: Option<Excluded>) -> Option<Excluded> {
        if self.marks & OWED != 0 {
            self.owed.ended();
        }
        if self.marks & (OVERLAP | OWED) != 0 {
            return Some(Excluded::Overlap);
        }
        if flaw.is_some() {
            return flaw;
        }
        self.doubt.ended()
    }
}
