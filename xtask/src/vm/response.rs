//! Times to first byte in a machine: what hostlens exposes beside what the two ends measured.

use std::fmt;

use serde_json::Value;

/// Beyond one bucket (2^(1/8), and the figure stands for its middle): an end measures its own
/// waking up, too, and under emulation that takes long.
const TOLERANCE: f64 = 0.15;
/// The same for short times, seconds.
const SLACK: f64 = 0.001;

/// One figure and its truth.
#[derive(Debug)]
pub struct Figure {
    /// What it is.
    what: String,
    /// Ours; `None`: not exposed.
    ours: Option<f64>,
    /// What it is to be.
    truth: f64,
    /// Whether it is a number of turns, which has no tolerance; seconds otherwise.
    count: bool,
}

impl Figure {
    /// Whether ours will do.
    pub fn agrees(&self) -> bool {
        let Self { truth, count, .. } = *self;
        let tolerance = if count {
            0.0
        } else {
            SLACK + TOLERANCE * truth
        };
        self.ours
            .is_some_and(|ours| (ours - truth).abs() <= tolerance)
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            ours,
            truth,
            count,
        } = self;
        let text = |figure: f64| match count {
            true => format!("{figure}"),
            false => format!("{:.1} ms", figure * 1e3),
        };
        let ours = ours.map_or_else(|| "nothing".to_owned(), text);
        write!(to, "{what}: {ours}, in truth {}", text(*truth))
    }
}

/// All figures that can be compared: counts, means, quantiles.
pub fn compare(answer: &Value) -> Vec<Figure> {
    let turns = answer
        .get("turns")
        .and_then(Value::as_f64)
        .unwrap_or(f64::NAN);
    let waited = Truth::read(answer, "response");
    let served = Truth::read(answer, "serve");
    let mut figures = Vec::new();
    for (name, family, labels, truth) in [
        (
            "outbound response",
            "tcp_response",
            "direction=\"outbound\"",
            &waited,
        ),
        (
            "inbound response",
            "tcp_response",
            "direction=\"inbound\"",
            &served,
        ),
        ("serve", "tcp_serve", "", &served),
    ] {
        let value = |suffix: &str| ours(answer, &format!("{family}_seconds_{suffix}"), &[labels]);
        let count = value("count");
        figures.push(Figure {
            what: format!("{name}, turns"),
            ours: count,
            truth: turns,
            count: true,
        });
        let mean = value("sum").zip(count).map(|(sum, count)| sum / count);
        figures.push(Figure {
            what: format!("{name}, mean"),
            ours: mean,
            truth: truth.mean(),
            count: false,
        });
    }
    // What it waits for is a thread to wake up: no more is known of it.
    let waits = ours(answer, "tcp_accept_to_read_wait_seconds_count", &[]);
    figures.push(Figure {
        what: "wait, turns".to_owned(),
        ours: waits,
        truth: turns,
        count: true,
    });
    for (name, family, labels, truth) in [
        (
            "outbound response",
            "tcp_response",
            "direction=\"outbound\"",
            &waited,
        ),
        (
            "inbound response",
            "tcp_response",
            "direction=\"inbound\"",
            &served,
        ),
        ("peer time", "tcp_peer_time", "", &served),
    ] {
        for (quantile, label) in [(0.5, "q=\"0.5\""), (0.95, "q=\"0.95\"")] {
            let ours = ours(
                answer,
                &format!("{family}_quantile_seconds"),
                &[labels, label],
            );
            let truth = truth.quantile(quantile);
            figures.push(Figure {
                what: format!("{name}, {label}"),
                ours,
                truth,
                count: false,
            });
        }
    }
    figures
}

/// The value of the first line of a family that has these labels.
fn ours(answer: &Value, family: &str, labels: &[&str]) -> Option<f64> {
    let start = format!("hostlens_{family}{{");
    let lines = answer.get("exposition")?.as_array()?;
    let mut lines = lines.iter().filter_map(Value::as_str);
    let line = lines
        .find(|line| line.starts_with(&start) && labels.iter().all(|label| line.contains(label)))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// Times that an end measured, seconds, ascending.
struct Truth(Vec<f64>);

impl Truth {
    fn read(answer: &Value, key: &str) -> Self {
        let times = answer.get(key).and_then(Value::as_array);
        let mut times: Vec<f64> = times
            .into_iter()
            .flatten()
            .filter_map(Value::as_f64)
            .collect();
        times.sort_by(f64::total_cmp);
        Self(times)
    }

    fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len() as f64
    }

    /// The lowest that so much of all does not exceed; no number without times.
    fn quantile(&self, quantile: f64) -> f64 {
        let rank = (quantile * self.0.len() as f64).ceil() as usize;
        self.0
            .get(rank.saturating_sub(1))
            .copied()
            .unwrap_or(f64::NAN)
    }
}

#[cfg(test)]
pub mod tests {
    use serde_json::json;

    use super::compare;

    /// An answer that agrees.
    pub fn sample() -> String {
        let mut lines = Vec::new();
        for (family, labels) in [
            (
                "tcp_response",
                "direction=\"outbound\",remote_port=\"7001\"",
            ),
            ("tcp_response", "direction=\"inbound\",listen_port=\"7001\""),
            ("tcp_serve", "listen_port=\"7001\""),
            ("tcp_accept_to_read_wait", "listen_port=\"7001\""),
        ] {
            lines.push(format!("hostlens_{family}_seconds_count{{{labels}}} 2"));
            lines.push(format!("hostlens_{family}_seconds_sum{{{labels}}} 0.04"));
            for (q, value) in [("0.5", "0.0105"), ("0.95", "0.0295")] {
                lines.push(format!(
                    "hostlens_{family}_quantile_seconds{{{labels},q=\"{q}\"}} {value}"
                ));
                if labels.contains("outbound") {
                    lines.push(format!(
                        "hostlens_tcp_peer_time_quantile_seconds{{{labels},q=\"{q}\"}} {value}"
                    ));
                }
            }
        }
        let truth = [0.03, 0.01];
        json!({"turns": 2, "response": truth, "serve": truth, "exposition": lines}).to_string()
    }

    fn wrong(answer: &str) -> Vec<String> {
        let answer = serde_json::from_str(answer).unwrap_or_default();
        let figures = compare(&answer);
        assert_eq!(figures.len(), 13);
        let wrong = figures.iter().filter(|figure| !figure.agrees());
        wrong.map(|figure| figure.to_string()).collect()
    }

    #[test]
    fn what_is_within_a_bucket_agrees() {
        assert_eq!(wrong(&sample()), Vec::<String>::new());
    }

    #[test]
    fn what_is_twice_the_truth_does_not() {
        let answer = sample().replace(" 0.0295", " 0.06");
        assert_eq!(wrong(&answer).len(), 3, "{:?}", wrong(&answer));
        let answer = sample().replacen(
            "_sum{direction=\\\"inbound\\\"",
            "_sum{direction=\\\"other\\\"",
            1,
        );
        assert_eq!(
            wrong(&answer),
            ["inbound response, mean: nothing, in truth 20.0 ms"]
        );
    }

    #[test]
    fn nothing_measured_agrees_with_nothing() {
        assert_eq!(wrong("{}").len(), 13);
    }
}
