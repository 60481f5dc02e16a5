//! The last minute of samples, one entry per cycle.

use std::collections::VecDeque;

use crate::model::{QUANTILES, SampleCounts};

#[derive(Debug, Default)]
struct Entry {
    at_ns: u64,
    samples: SampleCounts,
    segments: u64,
    retransmitted: u64,
}

/// What was measured within the window's length before the last push.
#[derive(Debug, Default)]
pub(super) struct Window {
    entries: VecDeque<Entry>,
}

impl Window {
    /// Adds one cycle, leaving `samples` empty, and drops what is older than `length_ns`.
    pub fn push(
        &mut self,
        at_ns: u64,
        length_ns: u64,
        samples: &mut SampleCounts,
        segments: u64,
        retransmitted: u64,
    ) {
        let mut spare = SampleCounts::default();
        while let Some(first) = self.entries.front() {
            if at_ns.saturating_sub(first.at_ns) < length_ns {
                break;
            }
            if let Some(old) = self.entries.pop_front() {
                spare = old.samples;
            }
        }
        if samples.is_empty() && segments == 0 {
            return;
        }
        spare.clear();
        self.entries.push_back(Entry {
            at_ns,
            samples: std::mem::replace(samples, spare),
            segments,
            retransmitted,
        });
    }

    /// The quantiles over all samples, seconds; `None` without a sample.
    pub fn quantiles(&self) -> Option<[f64; QUANTILES.len()]> {
        let mut all = SampleCounts::default();
        for entry in &self.entries {
            all.merge(&entry.samples);
        }
        if all.is_empty() {
            return None;
        }
        Some(QUANTILES.map(|q| all.quantile(q).unwrap_or_default()))
    }

    /// Retransmitted per sent segment; `None` if nothing was sent.
    pub fn retransmit_ratio(&self) -> Option<f64> {
        let sent: u64 = self.entries.iter().map(|entry| entry.segments).sum();
        let again: u64 = self.entries.iter().map(|entry| entry.retransmitted).sum();
        (sent > 0).then(|| again as f64 / sent as f64)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn push(window: &mut Window, at: u64, millis: &[u64]) {
        let mut samples = SampleCounts::default();
        for ms in millis {
            samples.record(ms * 1_000_000);
        }
        window.push(at * SECOND, 60 * SECOND, &mut samples, 10, 1);
        assert!(samples.is_empty());
    }

    #[test]
    fn merges_a_minute_and_forgets_what_is_older() {
        let mut window = Window::default();
        assert_eq!(window.quantiles(), None);
        assert_eq!(window.retransmit_ratio(), None);
        push(&mut window, 0, &[500]);
        push(&mut window, 30, &[1, 1, 1]);
        assert_eq!(window.quantiles().unwrap()[4], 0.5);
        assert_eq!(window.retransmit_ratio(), Some(0.1));
        push(&mut window, 60, &[2]);
        let quantiles = window.quantiles().unwrap();
        assert_eq!(quantiles[4], 0.002, "the sample of 500 ms is a minute old");
        assert!((quantiles[0] / 0.001 - 1.0).abs() < 0.09);
        window.push(
            200 * SECOND,
            60 * SECOND,
            &mut SampleCounts::default(),
            0,
            0,
        );
        assert_eq!(window.quantiles(), None);
    }
}
