//! Lengths of time as people write them.

use std::time::Duration;

/// What to write instead.
const CURE: &str = "give a number with ms, s, m or h, such as 5s";

/// `5s`, `500ms`, `15m`, `1h`, or a number of seconds.
///
/// # Errors
/// It is none of these: the cure, in one line.
pub fn parse(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(CURE.into()),
    };
    let seconds: f64 = number.parse().map_err(|_| CURE.to_owned())?;
    Duration::try_from_secs_f64(seconds * scale).map_err(|_| "that is too long".to_owned())
}

/// Likewise, from `least` to `most`; `range` names both.
///
/// # Errors
/// It is no length of time, or not one of these: the cure, in one line.
pub fn within(
    text: &str,
    least: Duration,
    most: Duration,
    range: &str,
) -> Result<Duration, String> {
    let value = parse(text)?;
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(format!("give {range}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_in_every_unit() {
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse("5"), Ok(Duration::from_secs(5)));
        assert_eq!(parse("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(parse("2h"), Ok(Duration::from_secs(7200)));
        for nonsense in ["", "s", "5 s", "five", "5d", "-1s", "1e400h", "."] {
            assert!(parse(nonsense).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn ranges_are_named() {
        let day = |text| {
            within(
                text,
                Duration::ZERO,
                Duration::from_secs(86_400),
                "0s to 24h",
            )
        };
        assert_eq!(day("24h"), Ok(Duration::from_secs(86_400)));
        assert_eq!(day("48h"), Err("give 0s to 24h".into()));
    }
}
