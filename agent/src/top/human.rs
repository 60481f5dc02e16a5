//! Numbers as people read them: three significant digits and a unit.

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Text or addresses.
    Text,
    /// Percent of something; the value is the percentage.
    Percent,
    /// Bytes, or bytes per second: powers of 1024.
    Bytes,
    /// A number of things: powers of 1000.
    Count,
    /// Events per second.
    PerSecond,
    /// Times something: 1 is as much as the mean.
    Factor,
    /// A word with a severity; sorted and coloured by that.
    State,
    /// A latency; the value is in seconds.
    Latency,
    /// A time that has passed, or is yet to pass; the value is in seconds.
    Span,
    /// Consumed CPU time; the value is in seconds.
    CpuTime,
    /// What a latency is made of; the value is all of it, in seconds.
    Stack,
}

impl Unit {
    /// Whether its cells are words: aligned to the left, and searched by a filter.
    pub fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::State)
    }
}

/// Writes `value` in `unit`.
pub fn format(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Text | Unit::State => value.to_string(),
        Unit::Percent => percent(value),
        Unit::Bytes => bytes(value),
        Unit::Count => count(value),
        Unit::PerSecond => per_second(value),
        Unit::Factor => three_digits(value),
        Unit::Latency | Unit::Stack => latency(value),
        Unit::Span => span(value),
        Unit::CpuTime => cpu_time(value),
    }
}

/// `0`, `0.03`, `4.2`, `99.1`, `1600`.
fn percent(value: f64) -> String {
    if value < 0.005 {
        "0".into()
    } else if value < 0.1 {
        format!("{value:.2}")
    } else if value < 999.95 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

/// `0`, `512`, `1.2K`, `40.5M`, `118G`.
pub fn bytes(value: f64) -> String {
    scaled(value, 1024.0, &["", "K", "M", "G", "T", "P", "E"], 0)
}

/// `7`, `99999`, `123k`, `4.5M`.
fn count(value: f64) -> String {
    if value < 99_999.5 {
        format!("{value:.0}")
    } else {
        scaled(value, 1000.0, &["", "k", "M", "G", "T", "P", "E"], 0)
    }
}

/// `0`, `0.5`, `12.0`, `3.1k`.
fn per_second(value: f64) -> String {
    if value < 0.05 {
        "0".into()
    } else {
        scaled(value, 1000.0, &["", "k", "M", "G", "T", "P", "E"], 1)
    }
}

/// `0`, `85us`, `1.20ms`, `40.5ms`, `405ms`, `1.23s`.
pub fn latency(seconds: f64) -> String {
    let micros = seconds * 1e6;
    if micros <= 0.0 {
        "0".into()
    } else if micros < 999.5 {
        format!("{micros:.0}us")
    } else if micros < 999_500.0 {
        format!("{}ms", three_digits(micros / 1e3))
    } else {
        format!("{}s", three_digits(micros / 1e6))
    }
}

/// `0:00.42`, `12:07.90`, `3h07m`, `12d04h`.
fn cpu_time(seconds: f64) -> String {
    let centis = (seconds * 100.0).round() as u64;
    let (minutes, hours) = (centis / 6_000, centis / 360_000);
    if minutes < 60 {
        format!("{minutes}:{:02}.{:02}", centis / 100 % 60, centis % 100)
    } else if hours < 100 {
        format!("{hours}h{:02}m", minutes % 60)
    } else {
        format!("{}d{:02}h", hours / 24, hours % 24)
    }
}

/// `0s`, `41s`, `12m30s`, `3h07m`, `12d04h`.
fn span(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    if minutes == 0 {
        format!("{seconds}s")
    } else if hours == 0 {
        format!("{minutes}m{:02}s", seconds % 60)
    } else if days == 0 {
        format!("{hours}h{:02}m", minutes % 60)
    } else {
        format!("{days}d{:02}h", hours % 24)
    }
}

fn three_digits(value: f64) -> String {
    if value < 9.995 {
        format!("{value:.2}")
    } else if value < 99.95 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

/// `value` in the largest power of `base` that keeps it at or above 1; values below `base` with
/// `plain_decimals`.
fn scaled(value: f64, base: f64, suffixes: &[&str], plain_decimals: usize) -> String {
    let mut scaled = value;
    let mut suffixes = suffixes.iter();
    let mut suffix = suffixes.next().copied().unwrap_or_default();
    // 999.5 of anything would be printed with four digits.
    while scaled >= base.min(999.5) {
        let Some(next) = suffixes.next() else { break };
        scaled /= base;
        suffix = next;
    }
    if suffix.is_empty() {
        format!("{scaled:.plain_decimals$}")
    } else if scaled < 99.95 {
        format!("{scaled:.1}{suffix}")
    } else {
        format!("{scaled:.0}{suffix}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_characters_at_every_size() {
        for (value, unit, text) in [
            (0.0, Unit::Bytes, "0"),
            (512.0, Unit::Bytes, "512"),
            (1010.0, Unit::Bytes, "1.0K"),
            (1_258_291.0, Unit::Bytes, "1.2M"),
            (99.96 * 1_048_576.0, Unit::Bytes, "100M"),
            (1000.0 * 1_048_576.0, Unit::Bytes, "1.0G"),
            (0.0, Unit::Latency, "0"),
            (0.0000004, Unit::Latency, "0us"),
            (0.000085, Unit::Latency, "85us"),
            (0.0009996, Unit::Latency, "1.00ms"),
            (0.0405, Unit::Latency, "40.5ms"),
            (0.9996, Unit::Latency, "1.00s"),
            (128.0, Unit::Latency, "128s"),
            (2.25, Unit::Factor, "2.25"),
            (12.0, Unit::Factor, "12.0"),
            (0.0, Unit::Percent, "0"),
            (0.031, Unit::Percent, "0.03"),
            (99.12, Unit::Percent, "99.1"),
            (1600.4, Unit::Percent, "1600"),
            (99_999.0, Unit::Count, "99999"),
            (123_456.0, Unit::Count, "123k"),
            (0.51, Unit::PerSecond, "0.5"),
            (3_100.0, Unit::PerSecond, "3.1k"),
            (0.421, Unit::CpuTime, "0:00.42"),
            (727.9, Unit::CpuTime, "12:07.90"),
            (11_220.0, Unit::CpuTime, "3h07m"),
            (360_000.0 + 14_400.0, Unit::CpuTime, "4d08h"),
        ] {
            assert_eq!(format(value, unit), text, "{value} {unit:?}");
        }
    }

    #[test]
    fn never_wider_than_seven() {
        for unit in [
            Unit::Percent,
            Unit::Bytes,
            Unit::Count,
            Unit::PerSecond,
            Unit::Latency,
        ] {
            let mut value = 1e-9;
            while value < 1e6 {
                let text = format(value, unit);
                assert!(text.len() <= 7, "{value} {unit:?}: {text}");
                value *= 1.07;
            }
        }
    }
}
