//! Counts per bucket of the one scheme (`hostlens_ebpf::bucket`).

use hostlens_ebpf::bucket;

/// Quantiles published for every latency; 1 is the maximum.
pub const QUANTILES: [f64; 5] = [0.5, 0.75, 0.95, 0.99, 1.0];

/// A cumulative latency histogram: counts never go down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    counts: Box<[u64; bucket::COUNT]>,
    count: u64,
    sum_ns: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: Box::new([0; bucket::COUNT]),
            count: 0,
            sum_ns: 0,
        }
    }
}

impl Histogram {
    /// Adds one sample.
    pub fn record(&mut self, ns: u64) {
        self.counts[bucket::slot(ns)] += 1;
        self.count += 1;
        self.sum_ns = self.sum_ns.saturating_add(ns);
    }

    /// Adds all samples of another histogram.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts.iter()) {
            *mine += theirs;
        }
        self.count += other.count;
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
    }

    /// Adds the samples of one cycle.
    pub fn add(&mut self, samples: &SampleCounts) {
        for &(slot, count) in &samples.counts {
            if let Some(mine) = self.counts.get_mut(usize::from(slot)) {
                *mine += u64::from(count);
                self.count += u64::from(count);
            }
        }
        self.sum_ns = self.sum_ns.saturating_add(samples.sum_ns);
    }

    /// Number of samples.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Sum of all samples, ns.
    pub fn sum_ns(&self) -> u64 {
        self.sum_ns
    }

    /// Counts by slot, lowest bucket first.
    pub fn counts(&self) -> &[u64; bucket::COUNT] {
        &self.counts
    }
}

/// A few samples of one cycle: the sparse building block of a time window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampleCounts {
    /// (slot, count), ascending by slot.
    counts: Vec<(u16, u32)>,
    sum_ns: u64,
    max_ns: u64,
    /// Meaningless without samples.
    min_ns: u64,
}

impl SampleCounts {
    /// Samples that were counted elsewhere: (slot, count) ascending by slot, none of them 0, and
    /// what is known of sum and maximum. A maximum outside the highest slot becomes the nearest
    /// value inside.
    pub fn of(counts: Vec<(u16, u32)>, sum_ns: u64, max_ns: u64) -> Self {
        let upper = |slot: usize| bucket::UPPER_NS.get(slot).copied().unwrap_or(u64::MAX);
        let lower = |slot: u16| match usize::from(slot) {
            0 => 1,
            slot => upper(slot - 1) + 1,
        };
        let (Some(&(lowest, _)), Some(&(highest, _))) = (counts.first(), counts.last()) else {
            return Self::default();
        };
        let top = match usize::from(highest) {
            slot if slot + 1 >= bucket::COUNT => u64::MAX,
            slot => upper(slot),
        };
        Self {
            counts,
            sum_ns,
            max_ns: max_ns.clamp(lower(highest), top),
            min_ns: lower(lowest),
        }
    }

    /// Adds one sample.
    pub fn record(&mut self, ns: u64) {
        let slot = bucket::slot(ns) as u16;
        match self.counts.binary_search_by_key(&slot, |entry| entry.0) {
            Ok(at) => self.counts[at].1 += 1,
            Err(at) => self.counts.insert(at, (slot, 1)),
        }
        self.sum_ns = self.sum_ns.saturating_add(ns);
        self.min_ns = if self.max_ns == 0 {
            ns
        } else {
            self.min_ns.min(ns)
        };
        self.max_ns = self.max_ns.max(ns);
    }

    /// Adds all samples of another.
    pub fn merge(&mut self, other: &Self) {
        for &(slot, count) in &other.counts {
            match self.counts.binary_search_by_key(&slot, |entry| entry.0) {
                Ok(at) => self.counts[at].1 += count,
                Err(at) => self.counts.insert(at, (slot, count)),
            }
        }
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
        if other.max_ns > 0 {
            self.min_ns = if self.max_ns == 0 {
                other.min_ns
            } else {
                self.min_ns.min(other.min_ns)
            };
        }
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Number of samples.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|&(_, count)| u64::from(count)).sum()
    }

    /// Sum of all samples, ns.
    pub fn sum_ns(&self) -> u64 {
        self.sum_ns
    }

    /// Forgets all samples, keeps the memory.
    pub fn clear(&mut self) {
        self.counts.clear();
        self.sum_ns = 0;
        self.max_ns = 0;
    }

    /// The quantile `q` in seconds: the middle of its bucket on the logarithmic scale, so that it
    /// is within 4.5 % of the true value wherever in the bucket that lies (interpolating by rank
    /// would be off by the whole width for samples that are all alike). Never below the smallest
    /// nor above the largest sample; the exact maximum for 1; `None` without samples.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let total = self.count();
        if total == 0 {
            return None;
        }
        let max = self.max_ns as f64 / 1e9;
        if q >= 1.0 {
            return Some(max);
        }
        let rank = q * total as f64;
        let mut below = 0.0;
        for &(slot, count) in &self.counts {
            let count = f64::from(count);
            if below + count >= rank {
                let index = f64::from(bucket::native_index(usize::from(slot)));
                let min = self.min_ns as f64 / 1e9;
                return Some(((index - 0.5) / 8.0).exp2().max(min).min(max));
            }
            below += count;
        }
        Some(max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_within_a_bucket_of_the_truth() {
        let mut window = SampleCounts::default();
        let mut all = Histogram::default();
        for micros in 1..=10_000u64 {
            window.record(micros * 1_000);
            all.record(micros * 1_000);
        }
        assert_eq!(all.count(), 10_000);
        for q in [0.5, 0.75, 0.95, 0.99] {
            let truth = q * 0.010;
            let read = window.quantile(q).unwrap_or_default();
            assert!(
                (read / truth - 1.0).abs() < 0.045,
                "q{q}: {read} for {truth}"
            );
        }
        assert_eq!(window.quantile(1.0), Some(0.010));
        assert_eq!(SampleCounts::default().quantile(0.5), None);
    }

    #[test]
    fn samples_that_are_all_alike_are_read_as_what_they_are() {
        for ns in [
            953_000u64,
            20_500_000,
            40_580_000,
            88_896_000,
            1_000_000_001,
        ] {
            let mut window = SampleCounts::default();
            (0..500).for_each(|_| window.record(ns));
            for q in [0.5, 0.95, 0.99] {
                let read = window.quantile(q).unwrap_or_default();
                let truth = ns as f64 / 1e9;
                assert!(
                    (read / truth - 1.0).abs() < 0.045,
                    "q{q}: {read} for {truth}"
                );
            }
        }
    }

    #[test]
    fn merging_loses_nothing() {
        let (mut left, mut right, mut both) = (
            SampleCounts::default(),
            SampleCounts::default(),
            SampleCounts::default(),
        );
        for ns in [900, 5_000_000, 5_000_001, 70_000_000] {
            left.record(ns);
            both.record(ns);
        }
        for ns in [1_000, 5_000_000, 900_000_000] {
            right.record(ns);
            both.record(ns);
        }
        left.merge(&right);
        assert_eq!(left, both);
        let mut all = Histogram::default();
        all.add(&both);
        assert_eq!((all.count(), all.sum_ns()), (7, 985_001_901));
    }
}
