//! Final counters that found no room in a ring buffer arrive as absolute sums without identity.
//! What the owners had been booked for already must not be booked again.

/// Complete walks after which an identity that ended unseen is known to have gone: it may still
/// have been seen by the walk under way, then two walks miss it.
const DELAY: usize = 3;

/// Quiet walks after which identities that went without a final record are no longer thought to
/// be part of an overflow: its sums are read every cycle, so they never come that late.
const QUIET: u32 = 12;

/// Balances `N` counters of one kind of identity.
#[derive(Debug)]
pub(super) struct Overflow<const N: usize> {
    absolute: [u64; N],
    /// Increments by the complete walk in which they were read, youngest first.
    pending: [[u64; N]; DELAY],
    /// Last known absolute counters of identities that vanished without a final record.
    vanished: [u64; N],
    quiet: u32,
}

impl<const N: usize> Default for Overflow<N> {
    fn default() -> Self {
        Self {
            absolute: [0; N],
            pending: [[0; N]; DELAY],
            vanished: [0; N],
            quiet: 0,
        }
    }
}

impl<const N: usize> Overflow<N> {
    /// Takes the absolute sums so far.
    pub fn report(&mut self, absolute: [u64; N]) {
        let [young, ..] = &mut self.pending;
        for ((pending, new), old) in young.iter_mut().zip(absolute).zip(self.absolute) {
            // Sums that start again were counted by a new map: all of it is new.
            *pending += new.checked_sub(old).unwrap_or(new);
        }
        self.absolute = absolute;
    }

    /// An identity has gone without a final record; `known` are its last absolute counters.
    pub fn vanished(&mut self, known: [u64; N]) {
        for (sum, value) in self.vanished.iter_mut().zip(known) {
            *sum = sum.saturating_add(value);
        }
    }

    /// After each complete walk: what is owed to nobody known, per counter. What remains of the
    /// vanished is carried and lessens the next.
    pub fn settle(&mut self) -> Option<[u64; N]> {
        let active = self.pending.iter().flatten().any(|&value| value > 0);
        let [.., due] = &self.pending;
        let mut due = *due;
        self.pending.rotate_right(1);
        let [young, ..] = &mut self.pending;
        *young = [0; N];
        for (due, vanished) in due.iter_mut().zip(&mut self.vanished) {
            let known = (*due).min(*vanished);
            *due -= known;
            *vanished -= known;
        }
        self.quiet = if active { 0 } else { self.quiet + 1 };
        if self.quiet >= QUIET {
            self.vanished = [0; N];
        }
        due.iter().any(|&value| value > 0).then_some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_until_the_owner_is_known_to_have_gone() {
        let mut overflow = Overflow::<2>::default();
        overflow.report([1, 1_007]);
        assert_eq!(overflow.settle(), None);
        assert_eq!(overflow.settle(), None);
        // The old owner, known with 1,000 before we came and 5 since, is missed for good.
        overflow.vanished([1, 1_005]);
        assert_eq!(overflow.settle(), Some([0, 2]));
        assert_eq!(overflow.settle(), None);
    }

    #[test]
    fn carries_what_is_left_and_forgets_it_when_quiet() {
        let mut overflow = Overflow::<1>::default();
        overflow.report([100]);
        overflow.vanished([150]);
        for _ in 0..3 {
            assert_eq!(overflow.settle(), None);
        }
        overflow.report([170]);
        assert_eq!((overflow.settle(), overflow.settle()), (None, None));
        assert_eq!(overflow.settle(), Some([20]));
        overflow.vanished([1_000]);
        for _ in 0..20 {
            assert_eq!(overflow.settle(), None);
        }
        overflow.report([175]);
        assert_eq!((overflow.settle(), overflow.settle()), (None, None));
        assert_eq!(overflow.settle(), Some([5]));
    }
}
