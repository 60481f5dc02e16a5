//! Values of flags: durations, shares and sizes, with errors that name the cure.

use std::time::Duration;

use crate::duration;

/// The value of a flag that switches something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Switch {
    /// Yes
    On,
    /// No
    Off,
}

/// Interval of cycles: 200 ms to 10 min.
pub fn interval(text: &str) -> Result<Duration, String> {
    duration::within(
        text,
        Duration::from_millis(200),
        Duration::from_secs(600),
        "200ms to 10m",
    )
}

/// Retention of ended series: up to a day.
pub fn retention(text: &str) -> Result<Duration, String> {
    duration::within(
        text,
        Duration::ZERO,
        Duration::from_secs(86_400),
        "0s to 24h",
    )
}

/// Share of a core: `1%` or `0.01`, up to a whole one.
pub fn share_of_core(text: &str) -> Result<f64, String> {
    const CURE: &str = "give a share of a core up to 100%, such as 1% or 0.01";
    let (number, whole) = match text.strip_suffix('%') {
        Some(number) => (number, 100.0),
        None => (text, 1.0),
    };
    // Names of numbers, such as inf, are none to people.
    let plain = number
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let share = number.parse::<f64>().map(|number| number / whole);
    match share {
        Ok(share) if plain && share > 0.0 && share <= 1.0 => Ok(share),
        _ => Err(CURE.into()),
    }
}

/// Size of a ring buffer: a power of two, one page to 64 MiB.
pub fn ring_bytes(text: &str) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(bytes) if bytes.is_power_of_two() && (4096..=1 << 26).contains(&bytes) => Ok(bytes),
        _ => Err("give a power of two from 4096 to 67108864".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_named() {
        assert_eq!(interval("10ms"), Err("give 200ms to 10m".into()));
        assert_eq!(retention("48h"), Err("give 0s to 24h".into()));
        assert!(ring_bytes("5000").is_err());
        assert_eq!(ring_bytes("8192"), Ok(8192));
    }

    #[test]
    fn shares_as_a_number_or_in_percent() {
        assert_eq!(share_of_core("0.01"), Ok(0.01));
        assert_eq!(share_of_core("1%"), Ok(0.01));
        assert_eq!(share_of_core("100%"), share_of_core("1"));
        assert_eq!(share_of_core("0.0001%"), Ok(0.000_001));
        for nonsense in ["", "%", "0", "-1%", "2", "200%", "1 %", "inf", "nan", "one"] {
            let refused = share_of_core(nonsense);
            assert!(
                refused.is_err_and(|cure| cure.contains("such as 1%")),
                "{nonsense}"
            );
        }
    }
}
