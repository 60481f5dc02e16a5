//! What speaks for a disk, or an array behind one name, that is slow by itself: it is busy all the
//! time and yet moves far less than it did in its own best moments of the last hours.

use std::{collections::VecDeque, time::Duration};

use crate::model::DiskVerdict;

/// Over how long busy time and throughput are taken.
const SPAN: Duration = Duration::from_secs(10);
/// Shorter stretches say nothing.
const SHORTEST: Duration = Duration::from_millis(500);
/// How far back the best is remembered: so many steps of so long.
const STEPS: usize = 6;
const STEP: Duration = Duration::from_secs(3600);
/// Busy all the time.
const BUSY: f64 = 0.95;
/// Far below the best.
const FAR_BELOW: f64 = 0.2;
/// A best below this says nothing of what the disk can do, bytes per second.
const WORTH: f64 = 4e6;

#[derive(Clone, Copy, Debug)]
struct Point {
    at_ns: u64,
    busy_ms: u64,
    bytes: u64,
    requests: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Best {
    throughput: f64,
    requests: f64,
}

/// The recent past of one disk.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    points: VecDeque<Point>,
    /// Newest last.
    best: VecDeque<Best>,
    step_began_ns: u64,
    /// Of the last stretch.
    pub busy_ratio: Option<f64>,
    pub throughput: Option<f64>,
    requests: f64,
}

impl Evidence {
    /// The disk's counters at an instant.
    pub fn push(&mut self, at_ns: u64, busy_ms: u64, bytes: u64, requests: u64) {
        let point = Point {
            at_ns,
            busy_ms,
            bytes,
            requests,
        };
        let span = SPAN.as_nanos() as u64;
        while self
            .points
            .get(1)
            .is_some_and(|second| at_ns.saturating_sub(second.at_ns) >= span)
        {
            self.points.pop_front();
        }
        self.points.push_back(point);
        (self.busy_ratio, self.throughput) = (None, None);
        let Some(first) = self.points.front().copied() else {
            return;
        };
        let elapsed_ns = at_ns.saturating_sub(first.at_ns);
        if elapsed_ns < SHORTEST.as_nanos() as u64 {
            return;
        }
        let seconds = elapsed_ns as f64 / 1e9;
        let busy = busy_ms.saturating_sub(first.busy_ms) as f64 / 1e3;
        let throughput = bytes.saturating_sub(first.bytes) as f64 / seconds;
        self.requests = requests.saturating_sub(first.requests) as f64 / seconds;
        self.busy_ratio = Some((busy / seconds).min(1.0));
        self.throughput = Some(throughput);
        self.remember(at_ns, throughput);
    }

    fn remember(&mut self, at_ns: u64, throughput: f64) {
        let step = STEP.as_nanos() as u64;
        if self.best.is_empty() || at_ns.saturating_sub(self.step_began_ns) >= step {
            self.step_began_ns = at_ns;
            self.best.push_back(Best::default());
            if self.best.len() > STEPS {
                self.best.pop_front();
            }
        }
        if let Some(best) = self.best.back_mut() {
            best.throughput = best.throughput.max(throughput);
            best.requests = best.requests.max(self.requests);
        }
    }

    /// The kernel stopped counting: what comes next has nothing to do with what was.
    pub fn interrupt(&mut self) {
        self.points.clear();
        (self.busy_ratio, self.throughput) = (None, None);
    }

    /// The most it moved in the last hours, bytes per second; `None` if it never moved any.
    pub fn best(&self) -> Option<f64> {
        let best = self.best.iter().map(|step| step.throughput);
        let best = best.fold(0.0, f64::max);
        (best > 0.0).then_some(best)
    }

    /// Throughput of the last stretch as a share of the best.
    pub fn of_best(&self) -> Option<f64> {
        Some(self.throughput? / self.best()?)
    }

    /// What this speaks for.
    pub fn verdict(&self) -> Option<DiskVerdict> {
        let enough = self.busy_ratio? >= BUSY && self.best()? >= WORTH;
        if !enough || self.of_best()? > FAR_BELOW {
            return None;
        }
        let most = self.best.iter().map(|step| step.requests);
        let most = most.fold(0.0, f64::max);
        Some(if self.requests <= most * FAR_BELOW {
            DiskVerdict::Slow
        } else {
            DiskVerdict::Scattered
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds a disk that does so much per second for so many seconds.
    struct Feed {
        evidence: Evidence,
        at: Point,
    }

    impl Feed {
        fn run(&mut self, seconds: u64, busy_ms: u64, bytes: u64, requests: u64) {
            for _ in 0..seconds {
                self.at.at_ns += 1_000_000_000;
                self.at.busy_ms += busy_ms;
                self.at.bytes += bytes;
                self.at.requests += requests;
                let at = self.at;
                self.evidence
                    .push(at.at_ns, at.busy_ms, at.bytes, at.requests);
            }
        }
    }

    fn feed() -> Feed {
        Feed {
            evidence: Evidence::default(),
            at: Point {
                at_ns: 5,
                busy_ms: 7,
                bytes: 9,
                requests: 11,
            },
        }
    }

    #[test]
    fn busy_with_a_fraction_of_its_best_is_slow() {
        let mut disk = feed();
        disk.run(30, 1000, 180_000_000, 360);
        assert_eq!(disk.evidence.verdict(), None, "busy and fast");
        assert!((disk.evidence.of_best().unwrap_or_default() - 1.0).abs() < 1e-9);
        disk.run(60, 100, 1_000_000, 5);
        assert_eq!(disk.evidence.verdict(), None, "idle");
        disk.run(30, 1000, 5_000_000, 10);
        assert_eq!(disk.evidence.verdict(), Some(DiskVerdict::Slow));
        let ratio = disk.evidence.of_best().unwrap_or_default();
        assert!((ratio - 5.0 / 180.0).abs() < 1e-6, "{ratio}");
        disk.run(30, 1000, 1_400_000, 350);
        assert_eq!(disk.evidence.verdict(), Some(DiskVerdict::Scattered));
    }

    #[test]
    fn the_best_is_forgotten_after_hours_and_a_gap_is_no_rate() {
        let mut disk = feed();
        disk.run(20, 1000, 100_000_000, 100);
        for _ in 0..7 {
            disk.at.at_ns += STEP.as_nanos() as u64;
            disk.run(15, 1000, 5_000_000, 100);
        }
        let best = disk.evidence.best().unwrap_or_default();
        assert!((best - 5e6).abs() < 1.0, "{best}");
        disk.evidence.interrupt();
        assert_eq!(disk.evidence.of_best(), None);
        disk.run(1, 1000, 5_000_000, 100);
        assert_eq!(disk.evidence.busy_ratio, None, "one point is no stretch");
    }
}
