//! How evenly connections are accepted.

use rustc_hash::FxHashMap;

/// Half of the window, ns: counts are of the last 30 to 60 s.
const HALF_NS: u64 = 30_000_000_000;
/// Workers told apart in each half.
const MOST: usize = 1_024;

/// Accepts of one socket by the process that read from the connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Workers {
    young: FxHashMap<u32, u64>,
    old: FxHashMap<u32, u64>,
    turned_ns: u64,
}

impl Workers {
    /// One more.
    pub fn note(&mut self, now_ns: u64, tgid: u32) {
        self.turn(now_ns);
        if self.young.len() < MOST || self.young.contains_key(&tgid) {
            *self.young.entry(tgid).or_default() += 1;
        }
    }

    /// Forgets what is older than the window.
    pub fn turn(&mut self, now_ns: u64) {
        let age = now_ns.saturating_sub(self.turned_ns);
        if age < HALF_NS {
            return;
        }
        let young = std::mem::take(&mut self.young);
        self.old = if age < 2 * HALF_NS {
            young
        } else {
            FxHashMap::default()
        };
        self.turned_ns = now_ns;
    }

    /// Nothing was accepted within the window.
    pub fn is_empty(&self) -> bool {
        self.young.is_empty() && self.old.is_empty()
    }

    /// Accepts of the busiest worker over the mean of all. `expected`: workers there are, those
    /// that accepted nothing included; fewer if unknown.
    pub fn imbalance(&self, expected: usize) -> Option<f64> {
        let mut counts = self.young.clone();
        for (&tgid, &count) in &self.old {
            *counts.entry(tgid).or_default() += count;
        }
        let mut counts: Vec<u64> = counts.into_values().collect();
        counts.resize(counts.len().max(expected), 0);
        imbalance(&counts)
    }
}

/// The largest over the mean; `None` with fewer than two, or if all are 0.
pub(super) fn imbalance(counts: &[u64]) -> Option<f64> {
    let total: u64 = counts.iter().sum();
    let largest = counts.iter().max()?;
    (counts.len() >= 2 && total > 0).then(|| *largest as f64 * counts.len() as f64 / total as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn largest_over_mean() {
        assert_eq!(imbalance(&[]), None);
        assert_eq!(imbalance(&[5]), None);
        assert_eq!(imbalance(&[0, 0]), None);
        assert_eq!(imbalance(&[5, 5]), Some(1.0));
        assert_eq!(imbalance(&[40, 10, 10, 10, 0]), Some(40.0 / 14.0));
    }

    #[test]
    fn workers_that_accept_nothing_count_and_old_accepts_do_not() {
        let mut workers = Workers::default();
        for _ in 0..10 {
            workers.note(HALF_NS, 7);
        }
        assert_eq!(workers.imbalance(0), None);
        assert_eq!(workers.imbalance(2), Some(2.0));
        for _ in 0..10 {
            workers.note(HALF_NS * 2, 8);
        }
        assert_eq!(workers.imbalance(2), Some(1.0));
        workers.turn(HALF_NS * 3);
        assert_eq!(workers.imbalance(2), Some(2.0), "7 was a minute ago");
        workers.turn(HALF_NS * 9);
        assert!(workers.is_empty());
    }

    #[test]
    fn workers_are_bounded() {
        let mut workers = Workers::default();
        for tgid in 0..100_000 {
            workers.note(1, tgid);
        }
        assert_eq!(workers.young.len(), MOST);
    }
}
