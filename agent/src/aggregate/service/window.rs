//! The last minute of lives, one entry per cycle, and what it says of storms.

use std::collections::VecDeque;

use crate::model::SampleCounts;

/// Connections opened per second that are many by themselves.
const MANY: f64 = 10.0;
/// What the opens of the last cycle must be over the mean of the window before to count as rising.
const CLEARLY: f64 = 2.0;
/// Below this many per second nothing is called rising.
const FEW: f64 = 1.0;
/// Ends in the window without which their median says little.
const ENOUGH_ENDS: u64 = 20;
/// Lifetimes of a storm lie below this, seconds.
const SHORT: f64 = 1.0;

#[derive(Debug, Default)]
struct Entry {
    at_ns: u64,
    opened: u64,
    lifetimes: SampleCounts,
    connects: SampleCounts,
}

/// What happened within the window's length before the last push.
#[derive(Debug, Default)]
pub(super) struct LifeWindow {
    entries: VecDeque<Entry>,
    /// Since when opens are counted, ns.
    began_ns: Option<u64>,
    /// Opens of the last cycle, per second.
    rate: f64,
    /// Opens per second of the window before the last cycle; `None` if there was none yet.
    mean: Option<f64>,
}

impl LifeWindow {
    /// Adds a cycle of `seconds` that ended at `at_ns`, leaving its samples empty, and drops what
    /// is older than `length_ns`.
    pub fn push(
        &mut self,
        at_ns: u64,
        length_ns: u64,
        seconds: f64,
        opened: u64,
        lifetimes: &mut SampleCounts,
        connects: &mut SampleCounts,
    ) {
        let mut spare = Entry::default();
        while let Some(first) = self.entries.front() {
            if at_ns.saturating_sub(first.at_ns) < length_ns {
                break;
            }
            if let Some(old) = self.entries.pop_front() {
                spare = old;
            }
        }
        let cycle_ns = (seconds * 1e9) as u64;
        let began = *self.began_ns.get_or_insert(at_ns.saturating_sub(cycle_ns));
        let before: u64 = self.entries.iter().map(|entry| entry.opened).sum();
        let covered = at_ns.saturating_sub(began).min(length_ns) as f64 / 1e9 - seconds;
        self.mean = (covered > 0.0).then(|| before as f64 / covered);
        self.rate = if seconds > 0.0 {
            opened as f64 / seconds
        } else {
            0.0
        };
        if opened == 0 && lifetimes.is_empty() && connects.is_empty() {
            return;
        }
        spare.lifetimes.clear();
        spare.connects.clear();
        self.entries.push_back(Entry {
            at_ns,
            opened,
            lifetimes: std::mem::replace(lifetimes, spare.lifetimes),
            connects: std::mem::replace(connects, spare.connects),
        });
    }

    fn merged(&self, of: impl Fn(&Entry) -> &SampleCounts) -> SampleCounts {
        let mut all = SampleCounts::default();
        for entry in &self.entries {
            all.merge(of(entry));
        }
        all
    }

    /// Median lifetime, seconds, and a reconnect storm: at least 20 connections ended in the
    /// window, half of them within a second, and the opens of the last cycle are 10 per second or
    /// twice the mean of the window before (and at least one per second).
    pub fn lifetimes(&self) -> (Option<f64>, bool) {
        let all = self.merged(|entry| &entry.lifetimes);
        let median = all.quantile(0.5);
        let rising = self.rate >= MANY
            || self
                .mean
                .is_some_and(|mean| self.rate >= FEW && self.rate >= CLEARLY * mean);
        let short = all.count() >= ENOUGH_ENDS && median.is_some_and(|median| median < SHORT);
        (median, rising && short)
    }

    /// Median handshake, seconds.
    pub fn connect_median(&self) -> Option<f64> {
        self.merged(|entry| &entry.connects).quantile(0.5)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn push(window: &mut LifeWindow, cycle: u64, opened: u64, ends: u64, lifetime_ms: u64) {
        let (mut lifetimes, mut connects) = (SampleCounts::default(), SampleCounts::default());
        for _ in 0..ends {
            lifetimes.record(lifetime_ms * 1_000_000);
            connects.record(2_000_000);
        }
        let at = cycle * 5 * SECOND;
        window.push(at, 60 * SECOND, 5.0, opened, &mut lifetimes, &mut connects);
        assert!(lifetimes.is_empty() && connects.is_empty());
    }

    #[test]
    fn a_storm_needs_many_or_more_opens_and_short_lives() {
        // opened before in each of eleven cycles, opened now, ended now, lifetime ms
        let table = [
            ((0, 50, 50, 100), true),
            // Too few ends, or lives of seconds: a busy service.
            ((0, 50, 19, 100), false),
            ((0, 50, 50, 2_000), false),
            // Steady and moderate.
            ((30, 30, 30, 100), false),
            // Rising.
            ((12, 30, 30, 100), true),
            ((0, 4, 30, 100), false),
            // Steady and many.
            ((50, 50, 50, 100), true),
        ];
        for (case, storm) in table {
            let (before, opened, ended, lifetime) = case;
            let mut window = LifeWindow::default();
            for cycle in 1..12 {
                push(&mut window, cycle, before, 0, 0);
            }
            push(&mut window, 12, opened, ended, lifetime);
            assert_eq!(window.lifetimes().1, storm, "{case:?}");
        }
    }

    #[test]
    fn the_first_cycle_of_a_row_is_no_rise() {
        let mut window = LifeWindow::default();
        push(&mut window, 1, 40, 40, 100);
        assert!(!window.lifetimes().1);
    }

    #[test]
    fn medians_are_of_the_last_minute() {
        let mut window = LifeWindow::default();
        push(&mut window, 0, 1, 10, 500);
        push(&mut window, 12, 1, 2, 20);
        let (median, _) = window.lifetimes();
        assert!((median.unwrap() / 0.020 - 1.0).abs() < 0.09);
        assert!((window.connect_median().unwrap() / 0.002 - 1.0).abs() < 0.09);
        push(&mut window, 24, 0, 0, 0);
        assert_eq!(window.lifetimes(), (None, false));
        assert_eq!(window.connect_median(), None);
    }
}
