//! The counters of one row.

use std::{collections::VecDeque, net::IpAddr, sync::Arc};

use crate::{
    aggregate::{
        birth::View,
        group::{Account, GroupKey},
        window::Window,
    },
    collect::dns::{Lookup, Outcome},
    model::{FailedName, Histogram, Owner, RCODES, SampleCounts},
};

/// Names that failed kept in one row.
const NAMES: usize = 10;
/// Place of NOERROR in [`RCODES`].
const NOERROR: usize = 0;
const TIMEOUT: &str = "timeout";

/// Who asks whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct AskerKey {
    pub owner: Owner,
    pub resolver: IpAddr,
}

impl GroupKey for AskerKey {}

/// Increments of one cycle.
#[derive(Debug, Default)]
pub(super) struct DnsCycle {
    samples: SampleCounts,
    responses: [u64; RCODES.len()],
    timeouts: u64,
    /// Newest last.
    failing: VecDeque<FailedName>,
}

impl DnsCycle {
    /// Adds one lookup.
    pub fn add(&mut self, lookup: &Lookup) {
        let outcome = match lookup.outcome {
            Outcome::Timeout => {
                self.timeouts += 1;
                TIMEOUT
            }
            Outcome::Answer { rcode, ns } => {
                let at = usize::from(rcode).min(RCODES.len() - 1);
                if let Some(count) = self.responses.get_mut(at) {
                    *count += 1;
                }
                self.samples.record(ns);
                if at == NOERROR {
                    return;
                }
                RCODES.get(at).copied().unwrap_or_default()
            }
        };
        let name = Arc::clone(&lookup.name);
        push(&mut self.failing, FailedName { name, outcome });
    }
}

/// Puts a name last; one that failed like this before moves there.
fn push(names: &mut VecDeque<FailedName>, name: FailedName) {
    names.retain(|known| *known != name);
    names.push_back(name);
    while names.len() > NAMES {
        names.pop_front();
    }
}

/// Counters since the appearance of a row began.
#[derive(Debug, Default)]
pub(super) struct DnsAccount {
    pub seconds: Arc<Histogram>,
    pub responses: [u64; RCODES.len()],
    pub timeouts: u64,
    pub rate: f64,
    pub failure_rate: f64,
    window: Window,
    /// Newest last.
    failing: VecDeque<FailedName>,
}

impl DnsAccount {
    /// Median and 95th percentile over the window, seconds.
    pub fn quantiles(&self) -> Option<[f64; 2]> {
        let [median, _, p95, ..] = self.window.quantiles()?;
        Some([median, p95])
    }

    /// Names that failed last, newest first.
    pub fn failing(&self) -> Vec<FailedName> {
        self.failing.iter().rev().cloned().collect()
    }
}

impl Account for DnsAccount {
    type Cycle = DnsCycle;

    fn merge(into: &mut DnsCycle, from: DnsCycle) {
        into.samples.merge(&from.samples);
        for (mine, theirs) in into.responses.iter_mut().zip(from.responses) {
            *mine += theirs;
        }
        into.timeouts += from.timeouts;
        for name in from.failing {
            push(&mut into.failing, name);
        }
    }

    fn book(&mut self, cycle: &mut DnsCycle, view: &View) -> bool {
        let answers: u64 = cycle.responses.iter().sum();
        let good = cycle.responses.get(NOERROR).copied().unwrap_or_default();
        self.rate = view.rate(answers);
        self.failure_rate = view.rate(answers - good + cycle.timeouts);
        for (mine, more) in self.responses.iter_mut().zip(cycle.responses) {
            *mine += more;
        }
        self.timeouts += cycle.timeouts;
        if answers > 0 {
            Arc::make_mut(&mut self.seconds).add(&cycle.samples);
        }
        for name in cycle.failing.drain(..) {
            push(&mut self.failing, name);
        }
        let moved = answers > 0 || cycle.timeouts > 0;
        self.window
            .push(view.now.mono_ns, view.window_ns, &mut cycle.samples, 0, 0);
        cycle.responses = Default::default();
        cycle.timeouts = 0;
        moved
    }
}
