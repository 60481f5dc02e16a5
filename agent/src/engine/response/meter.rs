//! What the programs cost: how often they run, times how long a run takes. Both they tell
//! themselves; the kernel's own statistics would cost every program of the host.

use std::time::Duration;

use hostlens_ebpf::wire::TurnCost;

use crate::clock::Moment;

/// Time over which cost is measured, at least.
const WINDOW: Duration = Duration::from_secs(1);
/// Entering and leaving a program, which is outside of what it times, ns.
const AROUND_NS: f64 = 40.0;
/// Runs whose time makes up the mean, at most; older ones count half, then a quarter, and so on.
const REMEMBERED: f64 = 4_096.0;

/// Measures while they are attached.
#[derive(Debug, Default)]
pub struct Meter {
    /// Where the window under way began.
    begun: Option<(Moment, TurnCost)>,
    /// Runs that timed themselves, and their time.
    timed: f64,
    timed_ns: f64,
    /// Cores, over the last window.
    cores: Option<f64>,
    /// Runs so far.
    runs: u64,
}

impl Meter {
    /// Begins a window: they were just attached.
    pub fn begin(&mut self, at: Moment, cost: TurnCost) {
        self.begun = Some((at, cost));
        self.runs = cost.runs;
    }

    /// Cores over the window that ends now, if one does and some run of it or before was timed.
    /// `cost` is what they counted so far.
    pub fn look(&mut self, at: Moment, cost: TurnCost) -> Option<f64> {
        self.runs = cost.runs;
        let (begun, before) = *self.begun.get_or_insert((at, cost));
        let passed = at.since(begun);
        if passed < WINDOW {
            return None;
        }
        self.begun = Some((at, cost));
        self.timed += cost.timed.saturating_sub(before.timed) as f64;
        self.timed_ns += cost.timed_ns.saturating_sub(before.timed_ns) as f64;
        while self.timed > REMEMBERED {
            self.timed /= 2.0;
            self.timed_ns /= 2.0;
        }
        let runs = cost.runs.saturating_sub(before.runs) as f64;
        let cores = runs * self.run_ns()? / passed.as_nanos() as f64;
        self.cores = Some(cores);
        self.cores
    }

    /// Cores over the last whole window.
    pub fn cores(&self) -> Option<f64> {
        self.cores
    }

    /// Runs so far.
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// Time per run, ns.
    pub fn run_ns(&self) -> Option<f64> {
        (self.timed > 0.0).then(|| self.timed_ns / self.timed + AROUND_NS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn cost(runs: u64, timed: u64, timed_ns: u64) -> TurnCost {
        TurnCost {
            runs,
            timed,
            timed_ns,
        }
    }

    #[test]
    fn cost_is_runs_times_their_time() {
        let start = Moment::now();
        let at = |ms| start.plus(Duration::from_millis(ms));
        let mut meter = Meter::default();
        meter.begin(at(0), cost(1_000, 10, 1_000));
        // Half a window says nothing.
        assert_eq!(meter.look(at(500), cost(9_000, 100, 90_000)), None);
        // 20,000 runs of 460 + 40 ns in 2 s: half a percent.
        let cores = meter.look(at(2_000), cost(21_000, 110, 47_000));
        assert_eq!(cores, Some(0.005));
        assert_eq!((meter.cores(), meter.run_ns()), (Some(0.005), Some(500.0)));
        // Runs none of which was timed take as long as those before.
        assert_eq!(meter.look(at(3_000), cost(21_020, 110, 47_000)), Some(1e-5));
        assert_eq!(meter.look(at(4_000), cost(21_020, 110, 47_000)), Some(0.0));
        assert_eq!(meter.runs(), 21_020);
    }

    #[test]
    fn nothing_timed_is_nothing_known() {
        let start = Moment::now();
        let mut meter = Meter::default();
        meter.begin(start, cost(0, 0, 0));
        let later = start.plus(Duration::from_secs(5));
        assert_eq!(meter.look(later, cost(30, 0, 0)), None);
        assert_eq!(
            (meter.cores(), meter.run_ns(), meter.runs()),
            (None, None, 30)
        );
    }

    #[test]
    fn the_mean_follows_what_runs_take_now() {
        let start = Moment::now();
        let mut meter = Meter::default();
        let mut now = cost(0, 0, 0);
        meter.begin(start, now);
        for second in 1..=40 {
            let each = if second <= 20 { 260 } else { 960 };
            now.runs += 64_000;
            now.timed += 1_000;
            now.timed_ns += 1_000 * each;
            meter.look(start.plus(Duration::from_secs(second)), now);
        }
        assert!(
            meter
                .run_ns()
                .is_some_and(|ns| (980.0..=1_000.0).contains(&ns))
        );
    }
}
