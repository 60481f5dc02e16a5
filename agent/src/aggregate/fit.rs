//! When something that grows will be full: a straight line through its last hour.

use std::collections::VecDeque;

/// The past that is fitted, ns.
const WINDOW_NS: u64 = 3_600_000_000_000;

/// The recent past that is fitted beside it, ns: what began to grow minutes ago would else be
/// hidden for most of an hour by the quiet before.
const RECENT_NS: u64 = WINDOW_NS / 6;

/// Points kept: one for each 1–2 minutes of a full window.
const POINTS: usize = 64;

/// Fewest points a line is laid through.
const FEWEST: usize = 4;

/// Shortest time that tells anything, seconds.
const SHORTEST: f64 = 20.0;

/// A slope counts from this many standard errors on; below, it is noise.
const SIGNIFICANT: f64 = 3.0;

/// Nothing is said of what is farther away than this, seconds (30 days): an hour cannot tell.
const FARTHEST: f64 = 30.0 * 86_400.0;

#[derive(Clone, Copy, Debug)]
struct Point {
    at_ns: u64,
    value: f64,
}

/// What one quantity did over the last hour, in about 1 KiB at most.
#[derive(Clone, Debug, Default)]
pub struct Trend {
    /// Oldest first, at least `spacing_ns` apart.
    points: VecDeque<Point>,
    spacing_ns: u64,
    newest: Option<Point>,
}

impl Trend {
    /// Takes in a value at an instant of `CLOCK_MONOTONIC`; instants before the last one are
    /// ignored.
    pub fn observe(&mut self, mono_ns: u64, value: f64) {
        if self.newest.is_some_and(|newest| mono_ns <= newest.at_ns) {
            return;
        }
        let point = Point {
            at_ns: mono_ns,
            value,
        };
        self.newest = Some(point);
        let from = mono_ns.saturating_sub(WINDOW_NS);
        while self.points.front().is_some_and(|old| old.at_ns < from) {
            self.points.pop_front();
        }
        let due = |last: &Point| mono_ns - last.at_ns >= self.spacing_ns;
        if self.points.back().is_none_or(due) {
            if self.points.len() == POINTS {
                self.thin_out();
            }
            self.points.push_back(point);
        }
    }

    /// Growth per second: the steeper of the lines through the last hour and through its last ten
    /// minutes. `None` if neither rises beyond doubt.
    pub fn growth(&self) -> Option<f64> {
        let newest = self.newest?;
        [WINDOW_NS, RECENT_NS]
            .into_iter()
            .filter_map(|window_ns| self.slope(newest, window_ns))
            .reduce(f64::max)
    }

    /// Seconds until `room` more is used up; 0 if there is none left, `None` if it does not grow
    /// or the end lies more than 30 days ahead.
    pub fn seconds_to(&self, room: f64) -> Option<f64> {
        if room <= 0.0 {
            return Some(0.0);
        }
        let seconds = room / self.growth()?;
        (seconds <= FARTHEST).then_some(seconds)
    }

    /// Drops every second point.
    fn thin_out(&mut self) {
        let span = match (self.points.front(), self.points.back()) {
            (Some(first), Some(last)) => last.at_ns - first.at_ns,
            _ => 0,
        };
        self.spacing_ns = span / (POINTS as u64 / 2);
        let mut odd = false;
        self.points.retain(|_| {
            odd = !odd;
            odd
        });
    }

    /// Slope of the least-squares line through the last `window_ns`, if it is a rise.
    fn slope(&self, newest: Point, window_ns: u64) -> Option<f64> {
        let from = newest.at_ns.saturating_sub(window_ns);
        let kept = self.points.iter().filter(|point| point.at_ns >= from);
        // The newest is often among those kept.
        let kept = kept.filter(|point| point.at_ns < newest.at_ns).copied();
        let points = || kept.clone().chain([newest]);
        let count = points().count();
        let oldest = points().next()?;
        // Relative to the newest point: squares of small numbers stay exact enough.
        let x = |point: Point| -((newest.at_ns - point.at_ns) as f64 / 1e9);
        let y = |point: Point| point.value - newest.value;
        if count < FEWEST || -x(oldest) < SHORTEST {
            return None;
        }
        let n = count as f64;
        let mean_x = points().map(x).sum::<f64>() / n;
        let mean_y = points().map(y).sum::<f64>() / n;
        let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
        for point in points() {
            let (dx, dy) = (x(point) - mean_x, y(point) - mean_y);
            xx += dx * dx;
            xy += dx * dy;
            yy += dy * dy;
        }
        let slope = xy / xx;
        // Residuals of a perfect line may come out below zero by rounding.
        let residual = (yy - slope * xy).max(0.0);
        let error = (residual / (n - 2.0) / xx).sqrt();
        (slope > 0.0 && slope >= SIGNIFICANT * error).then_some(slope)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn trend(values: impl IntoIterator<Item = (u64, f64)>) -> Trend {
        let mut trend = Trend::default();
        for (second, value) in values {
            trend.observe((1_000 + second) * SECOND, value);
        }
        trend
    }

    fn near(value: f64, expected: f64, part: f64) {
        assert!(
            (value / expected - 1.0).abs() <= part,
            "{value} is not near {expected}"
        );
    }

    #[test]
    fn a_steady_rise_is_met_exactly() {
        let rising = trend((0..12).map(|i| (i * 5, 1e12 + 3e6 * (i * 5) as f64)));
        near(rising.growth().unwrap(), 3e6, 1e-9);
        near(rising.seconds_to(3e9).unwrap(), 1_000.0, 1e-9);
    }

    #[test]
    fn too_little_is_no_evidence() {
        assert_eq!(trend([]).seconds_to(1.0), None);
        assert_eq!(trend([(0, 0.0), (30, 9.0)]).growth(), None);
        assert_eq!(trend((0..10).map(|s| (s, s as f64))).growth(), None);
    }

    #[test]
    fn what_stands_still_or_falls_never_fills() {
        let flat = trend((0..200).map(|i| (i * 5, 7.0)));
        assert_eq!(flat.seconds_to(1.0), None);
        let falling = trend((0..200).map(|i| (i * 5, 1e6 - i as f64)));
        assert_eq!(falling.seconds_to(1.0), None);
        assert_eq!(flat.seconds_to(0.0), Some(0.0), "full is full");
        let crawling = trend((0..200).map(|i| (i * 5, i as f64)));
        assert_eq!(crawling.seconds_to(1e12), None, "beyond what an hour tells");
    }

    #[test]
    fn ups_and_downs_are_noise() {
        // A temporary file of 100 that comes and goes, ever so slightly more often at the end.
        let noise = trend((0..300).map(|i| (i * 5, f64::from(u8::from(i % 7 < 3)) * 100.0)));
        assert_eq!(noise.growth(), None);
    }

    #[test]
    fn a_rise_in_steps_counts() {
        let steps = trend((0..600).map(|i| (i * 5, ((i / 40) * 40 * 5) as f64 * 10.0)));
        near(steps.growth().unwrap(), 10.0, 0.35);
    }

    #[test]
    fn a_fill_that_just_began_is_not_hidden_by_the_quiet_before() {
        let late = trend((0..720).map(|i| {
            let second: u64 = i * 5;
            (second, second.saturating_sub(3_000) as f64 * 1e6)
        }));
        near(late.growth().unwrap(), 1e6, 0.05);
    }

    #[test]
    fn forgets_what_is_older_than_an_hour_and_stays_small() {
        let mut trend = Trend::default();
        for second in 0..20_000u64 {
            let value = if second < 10_000 {
                second as f64 * 1e3
            } else {
                1e7
            };
            trend.observe(second * SECOND, value);
            assert!(trend.points.len() <= POINTS);
        }
        assert_eq!(trend.growth(), None);
        // Points stay dense enough for the recent past.
        let from = (20_000 - 600) * SECOND;
        let recent = trend.points.iter().filter(|point| point.at_ns >= from);
        assert!(recent.count() >= FEWEST, "{}", trend.points.len());
    }

    #[test]
    fn time_never_runs_backwards() {
        let mut trend = trend((0..12).map(|i| (i * 5, i as f64)));
        let before = trend.growth();
        trend.observe(5, 1e9);
        assert_eq!(trend.growth(), before);
    }
}
