//! Classic buckets: every 8th boundary of the one scheme, so nothing is binned anew.

use hostlens_ebpf::bucket;

use crate::model::Histogram;

/// Exponents of two of the boundaries, in seconds: 2⁻¹³ s ≈ 122 µs … 2³ s = 8 s.
const EXPONENTS: std::ops::RangeInclusive<i32> = -13..=3;

/// Number of boundaries, `+Inf` not counted.
pub(super) const COUNT: usize = (*EXPONENTS.end() - *EXPONENTS.start() + 1) as usize;

/// Values of the label `le`, lowest first, in the notation of OpenMetrics: Prometheus before 3.0
/// keeps the text as it is, and formats must not give different series.
pub(super) const LE: [&str; COUNT] = [
    "0.0001220703125",
    "0.000244140625",
    "0.00048828125",
    "0.0009765625",
    "0.001953125",
    "0.00390625",
    "0.0078125",
    "0.015625",
    "0.03125",
    "0.0625",
    "0.125",
    "0.25",
    "0.5",
    "1.0",
    "2.0",
    "4.0",
    "8.0",
];

/// Boundaries in seconds, lowest first.
pub(super) fn bounds() -> impl Iterator<Item = f64> {
    EXPONENTS.map(|exponent| f64::from(exponent).exp2())
}

/// Samples at or below each boundary.
pub(super) fn cumulative(histogram: &Histogram) -> [u64; COUNT] {
    let counts = histogram.counts();
    let mut cumulative = [0; COUNT];
    let mut below = 0;
    let mut next = 0;
    for (exponent, total) in EXPONENTS.zip(&mut cumulative) {
        // The slot whose upper boundary is 2^exponent seconds.
        let slot = (exponent * 8 - bucket::MIN_INDEX) as usize;
        below += counts
            .get(next..=slot)
            .unwrap_or_default()
            .iter()
            .sum::<u64>();
        next = slot + 1;
        *total = below;
    }
    cumulative
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn labels_are_the_boundaries() {
        for ((text, bound), exponent) in LE.iter().zip(bounds()).zip(EXPONENTS) {
            assert_eq!(text.parse::<f64>().unwrap(), bound);
            let slot = (exponent * 8 - bucket::MIN_INDEX) as usize;
            let ns = bucket::UPPER_NS[slot] as f64;
            assert!((bound * 1e9 - ns).abs() < 1.0, "{text}: {ns} ns");
        }
    }

    #[test]
    fn a_sample_on_a_boundary_lies_below_it() {
        let mut histogram = Histogram::default();
        histogram.record(1);
        histogram.record(1_000_000_000);
        histogram.record(1_000_000_001);
        histogram.record(u64::MAX);
        let cumulative = cumulative(&histogram);
        assert_eq!(cumulative[0], 1);
        assert_eq!(cumulative[12], 1, "0.5 s");
        assert_eq!(cumulative[13], 2, "1 s");
        assert_eq!(cumulative[14], 3, "2 s");
        assert_eq!(cumulative[16], 3, "8 s");
        assert_eq!(histogram.count(), 4);
    }
}
