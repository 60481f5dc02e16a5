//! Numbers that look random and are the same in every run.

/// splitmix64.
#[derive(Debug, Default)]
pub struct Random(u64);

impl Random {
    /// A sequence of its own for each `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xD6E8_FEB8_6659_FD93))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// The next number from 0 to 1; all are equally likely.
    pub fn part(&mut self) -> f64 {
        self.bits() as f64 / u64::MAX as f64
    }

    /// The next number between `least` and `most`, both included; all are equally likely.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        let range = u128::from(most.saturating_sub(least)) + 1;
        least + ((u128::from(self.bits()) * range) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fill_their_range() {
        let mut random = Random::new(3);
        let mut seen = [0; 4];
        for _ in 0..4_000 {
            seen[random.between(7, 10) as usize - 7] += 1;
        }
        assert!(
            seen.iter().all(|count| (900..1_100).contains(count)),
            "{seen:?}"
        );
        let sum: f64 = (0..1_000).map(|_| random.part()).sum();
        assert!((450.0..550.0).contains(&sum), "{sum}");
    }
}
