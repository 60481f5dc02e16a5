//! Cost against size.

use crate::{
    plan::Scale,
    report::{Report, Verdict, short},
};

/// How much dearer an element may be at the larger load: caches that no longer hold all are no
/// fault of the algorithm.
const TOLERANCE: f64 = 1.5;

/// Figures at each load, smallest first.
#[derive(Default)]
pub struct Growth(Vec<(Scale, f64, f64)>);

impl Growth {
    /// Adds the raw iterators' and the whole cycle's CPU milliseconds.
    pub fn add(&mut self, scale: Scale, raw: f64, cycle: f64) {
        self.0.push((scale, raw, cycle));
    }

    /// Judges, if there are several loads.
    pub fn judge(&self, report: &mut Report) {
        for pair in self.0.windows(2) {
            let [
                (small, raw_small, cycle_small),
                (large, raw_large, cycle_large),
            ] = pair
            else {
                continue;
            };
            let size = f64::from(large.sockets) / f64::from(small.sockets);
            let (raw, cycle) = (raw_large / raw_small, cycle_large / cycle_small);
            report.judged(
                &format!("{} → {}", small.name, large.name),
                "growth of the cycle (raw iterators)",
                format!("{}× ({}×)", short(cycle), short(raw)),
                &format!("linear: ≤ {}×", short(size * TOLERANCE)),
                Verdict::of(cycle <= size * TOLERANCE),
            );
        }
    }
}
