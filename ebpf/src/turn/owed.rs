//! Answers still owed to earlier questions.
//!
//! Questions at a steady pace with answers that take longer look like turns that take less: an
//! answer to the first follows the fifth, and so on. Only their beginning tells, where questions
//! pile up, so what is owed since then is remembered until the answers were seen to come without
//! questions in between, or a silence says that nothing is owed.

/// More is not counted.
const MOST: u32 = 255;
/// After so long a silence nothing is owed.
const SILENCE_NS: u64 = 1_000_000_000;
/// So many turns without another sign pay for one: what looked like a question was none.
const FORGIVEN: u32 = 1_024;

/// What is owed on a connection.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(super) struct Owed {
    /// When the question began.
    began_ns: u64,
    /// Longest time from the beginning of a question to an answer since something is owed.
    longest_ns: u64,
    /// Questions without an answer.
    count: u32,
    /// Turns since the last was forgiven.
    turns: u32,
}

impl Owed {
    /// A question begins after a silence; whether others are without an answer.
    #[inline(always)]
    pub(super) fn asked(&mut self, now: u64, silence_ns: u64) -> bool {
        // Who waits for an answer has been waiting twice as long as it ever took.
        let settled =
            silence_ns >= SILENCE_NS || (self.longest_ns > 0 && silence_ns / 2 >= self.longest_ns);
        if settled {
            self.count = 0;
            self.longest_ns = 0;
        }
        self.began_ns = now;
        let others = self.count > 0;
        self.owe(1);
        others
    }

    /// A sign that questions overlap, and that there are so many more of them.
    #[inline(always)]
    pub(super) fn pile_up(&mut self, more: u32) {
        self.turns = 0;
        self.owe(more);
    }

    /// So many more questions.
    #[inline(always)]
    fn owe(&mut self, more: u32) {
        let count = self.count.saturating_add(more);
        self.count = if count > MOST { MOST } else { count };
    }

    /// The answer that follows a question overlapping others begins.
    #[inline(always)]
    pub(super) fn waited(&mut self, now: u64) {
        let waited = now.saturating_sub(self.began_ns);
        if waited > self.longest_ns {
            self.longest_ns = waited;
        }
    }

    /// So many answers.
    #[inline(always)]
    pub(super) fn answered(&mut self, answers: u32) {
        self.count = self.count.saturating_sub(answers);
        if self.count == 0 {
            self.longest_ns = 0;
            self.turns = 0;
        }
    }

    /// A turn was left out only as something was owed.
    #[inline(always)]
    pub(super) fn ended(&mut self) {
        self.turns += 1;
        if self.turns >= FORGIVEN {
            self.turns = 0;
            self.answered(1);
        }
    }
}
