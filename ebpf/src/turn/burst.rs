//! What one side says without hearing the other.

/// A burst as large as a first congestion window (RFC 6928): what follows a pause is paced by
/// acknowledgements, not by the application.
pub(super) const BULK: u32 = 10 * 1_460;

/// What passed between two events, or with one.
#[derive(Clone, Copy)]
pub(super) struct Burst {
    /// When its first byte passed.
    pub first_ns: u64,
    /// When its last byte did.
    pub last_ns: u64,
    /// Bytes.
    pub bytes: u32,
    /// Segments.
    pub segments: u32,
}

impl Burst {
    /// How many bursts, with such pauses in between, it must have been; three at most. What is
    /// sent is seen when something arrives, all of it at once.
    #[inline(always)]
    pub fn parts(&self, pause_ns: u64) -> u8 {
        let span = self.last_ns.saturating_sub(self.first_ns);
        if self.bytes >= BULK || self.segments < 2 || span < pause_ns {
            1
        } else if self.segments < 3 || span < 2 * pause_ns {
            2
        } else {
            3
        }
    }
}
