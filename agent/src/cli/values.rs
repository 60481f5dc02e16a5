//! Values of flags: durations and sizes, with errors that name the cure.

use std::time::Duration;

/// The value of a flag that switches something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Switch {
    /// Yes
    On,
    /// No
    Off,
}

/// `5s`, `500ms`, `15m`, `1h`, or a number of seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err("give a number with ms, s, m or h, such as 5s".into()),
    };
    let seconds: f64 = number
        .parse()
        .map_err(|_| "give a number with ms, s, m or h, such as 5s".to_owned())?;
    Duration::try_from_secs_f64(seconds * scale).map_err(|_| "that is too long".to_owned())
}

/// Interval of cycles: 200 ms to 10 min.
pub fn interval(text: &str) -> Result<Duration, String> {
    within(
        text,
        Duration::from_millis(200),
        Duration::from_secs(600),
        "200ms to 10m",
    )
}

/// Retention of ended series: up to a day.
pub fn retention(text: &str) -> Result<Duration, String> {
    within(
        text,
        Duration::ZERO,
        Duration::from_secs(86_400),
        "0s to 24h",
    )
}

fn within(text: &str, least: Duration, most: Duration, range: &str) -> Result<Duration, String> {
    let value = duration(text)?;
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(format!("give {range}"))
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
    fn durations_in_every_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("5"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        for nonsense in ["", "s", "5 s", "five", "5d", "-1s", "1e400h", "."] {
            assert!(duration(nonsense).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn ranges_are_named() {
        assert_eq!(interval("10ms"), Err("give 200ms to 10m".into()));
        assert_eq!(retention("48h"), Err("give 0s to 24h".into()));
        assert!(ring_bytes("5000").is_err());
        assert_eq!(ring_bytes("8192"), Ok(8192));
    }
}
