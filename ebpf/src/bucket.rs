//! One bucket scheme for every latency: the boundaries of Prometheus native histograms, schema 3
//! (growth 2^(1/8)), on integers.
//!
//! Bucket `i` holds the values in (2^((i-1)/8) s, 2^(i/8) s], that is: the first `i` with
//! `ns <= ⌊2^(i/8) · 10⁹⌋`. The lowest bucket also takes everything below it, the highest
//! everything above. The same function runs in kernel programs, in user space and in tests.

/// Prometheus schema of the native histogram.
pub const SCHEMA: i32 = 3;
/// Native index of the lowest bucket: 2⁻²⁰ s, about 0.95 µs.
pub const MIN_INDEX: i32 = -160;
/// Native index of the highest bucket: 2⁷ s.
pub const MAX_INDEX: i32 = 56;
/// Number of buckets.
pub const COUNT: usize = (MAX_INDEX - MIN_INDEX + 1) as usize;

/// 2^(k/8) · 2⁶², rounded down.
const ROOTS: [u64; 8] = [
    0x4000_0000_0000_0000,
    0x45CA_E0F1_F545_EB73,
    0x4C1B_F828_C6DC_54B7,
    0x52FF_6B54_D8A8_9C75,
    0x5A82_7999_FCEF_3242,
    0x62B3_9508_AA83_6D6E,
    0x6BA2_7E65_6B4E_B57A,
    0x7560_6373_EE92_1C97,
];

/// Upper boundaries in ns, lowest bucket first.
pub static UPPER_NS: [u64; COUNT] = upper_bounds();

const fn upper_bounds() -> [u64; COUNT] {
    let mut bounds = [0; COUNT];
    let mut slot = 0;
    while slot < COUNT {
        let index = slot as i32 + MIN_INDEX;
        let exponent = index.div_euclid(8);
        let root = ROOTS[index.rem_euclid(8) as usize] as u128 * 1_000_000_000;
        // root / 2^62 · 2^exponent; the exponent lies in -20..=7.
        bounds[slot] = (root >> (62 - exponent)) as u64;
        slot += 1;
    }
    bounds
}

/// ⌊8 · log2(10⁹)⌋: how far the octaves of a nanosecond lie from those of a second.
const SECOND_SHIFT: i32 = 239;

/// Slot (0-based, lowest bucket first) of a duration in ns. Integer arithmetic only: octave and
/// eighth of the value in ns give the bucket or its lower neighbour, the table decides.
#[inline(always)]
pub fn slot(ns: u64) -> usize {
    if ns <= 1 {
        return 0;
    }
    let octave = 63 - ns.leading_zeros() as i32;
    let mantissa = (ns << (63 - octave)) >> 1;
    let mut eighth = 0;
    while eighth < 7 && ROOTS[eighth as usize + 1] <= mantissa {
        eighth += 1;
    }
    let lower = octave * 8 + eighth - SECOND_SHIFT - MIN_INDEX;
    if lower < 0 {
        return 0;
    }
    let lower = lower as usize;
    if lower >= COUNT - 1 {
        return COUNT - 1;
    }
    if ns <= UPPER_NS[lower] {
        lower
    } else {
        lower + 1
    }
}

/// Native histogram index of a slot.
#[inline]
pub const fn native_index(slot: usize) -> i32 {
    slot as i32 + MIN_INDEX
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    extern crate std;

    fn real_bound(index: i32) -> f64 {
        (f64::from(index) / 8.0).exp2() * 1e9
    }

    #[test]
    fn boundaries_are_the_floor_of_the_real_ones() {
        for (slot, &bound) in UPPER_NS.iter().enumerate() {
            let real = real_bound(native_index(slot));
            let error = real - bound as f64;
            assert!(
                (-1e-3..1.001).contains(&error),
                "slot {slot}: {bound} for {real}"
            );
        }
        assert_eq!(UPPER_NS[160], 1_000_000_000);
        assert_eq!(UPPER_NS[168], 2_000_000_000);
    }

    #[test]
    fn every_boundary_belongs_to_its_own_bucket() {
        for (index, &bound) in UPPER_NS.iter().enumerate() {
            assert_eq!(slot(bound), index);
            if index + 1 < COUNT {
                assert_eq!(slot(bound + 1), index + 1);
            }
        }
        assert_eq!(slot(0), 0);
        assert_eq!(slot(u64::MAX), COUNT - 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn agrees_with_the_definition(bits in 0u32..64, low in any::<u64>()) {
            let ns = (1u64 << bits) | (low & ((1u64 << bits) - 1));
            let expected = UPPER_NS.iter().position(|&upper| ns <= upper).unwrap_or(COUNT - 1);
            prop_assert_eq!(slot(ns), expected);
        }

        #[test]
        fn agrees_with_the_real_logarithm(ns in 1_000u64..120_000_000_000) {
            let real = ((ns as f64 / 1e9).log2() * 8.0).ceil() as i32;
            let index = native_index(slot(ns));
            // Only a value within a nanosecond of a boundary may differ: boundaries are integers.
            let near = (real_bound(index) - ns as f64).abs() < 1.5
                || (real_bound(index - 1) - ns as f64).abs() < 1.5;
            prop_assert!(index == real || near, "{} ns: {} for {}", ns, index, real);
        }
    }
}
