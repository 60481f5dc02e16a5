//! When the programs run: decided from how it is configured, who asks, and what they cost. Pure:
//! no clock, no kernel.

use std::time::Duration;

use hostlens_ebpf::wire::TurnCost;

use super::meter::Meter;
use crate::{
    clock::Moment,
    model::{Detached, ResponseMode, ResponseState, ResponseStatus},
};

/// They rest for so long when they cost too much,
const FIRST_PAUSE: Duration = Duration::from_secs(30);
/// twice as long each time a try costs too much again, up to this,
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// and begin with the first again once they ran for so long.
const HOLDS: Duration = Duration::from_secs(60);

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    /// Attach the programs.
    Attach,
    /// Detach them: nobody wants it any more.
    Stop,
    /// Detach them: they cost more than they may.
    Rest {
        /// Cores they cost.
        cores: f64,
        /// Until the next try.
        pause: Duration,
        /// The try before was too expensive, too.
        again: bool,
    },
}

/// The switch.
#[derive(Debug)]
pub struct Switch {
    mode: ResponseMode,
    /// Cores it may cost.
    budget: f64,
    /// Somebody wants it.
    wanted: bool,
    /// Attached, since when.
    attached: Option<Moment>,
    /// No try before.
    rest_until: Option<Moment>,
    /// How long the next rest is.
    pause: Duration,
    /// Why the last try to attach failed.
    refused: Option<String>,
    meter: Meter,
    detachments: u64,
}

impl Switch {
    /// Detached; `budget` in cores.
    pub fn new(mode: ResponseMode, budget: f64) -> Self {
        Self {
            mode,
            budget,
            wanted: false,
            attached: None,
            rest_until: None,
            pause: FIRST_PAUSE,
            refused: None,
            meter: Meter::default(),
            detachments: 0,
        }
    }

    /// What is to be done now: `asked` for by somebody, and what the programs counted so far. The
    /// order is taken as carried out, unless [`Switch::refused`] says otherwise.
    pub fn tick(&mut self, at: Moment, asked: bool, cost: TurnCost) -> Option<Order> {
        let wanted = asked || self.mode != ResponseMode::Off;
        let anew = wanted && !self.wanted;
        self.wanted = wanted;
        if self.attached() {
            self.refused = None;
        }
        match self.attached {
            Some(_) if !wanted => {
                self.attached = None;
                // What ran since the last whole window.
                self.meter.look(at, cost);
                Some(Order::Stop)
            }
            Some(since) => self.watch(at, since, cost),
            None if !wanted || self.resting(at) => None,
            None => {
                if anew {
                    // What was too expensive for somebody else says little by now.
                    self.pause = FIRST_PAUSE;
                }
                self.attached = Some(at);
                self.rest_until = None;
                self.meter.begin(at, cost);
                Some(Order::Attach)
            }
        }
    }

    /// The programs could not be attached, and why; tried again after a while. Whether that is
    /// another reason than the last time.
    pub fn refused(&mut self, at: Moment, why: String) -> bool {
        self.attached = None;
        self.rest(at);
        let new = self.refused.as_ref() != Some(&why);
        self.refused = Some(why);
        new
    }

    /// Whether the programs run.
    pub fn attached(&self) -> bool {
        self.attached.is_some()
    }

    /// As it is now; `asked_for`: how much longer.
    pub fn status(&self, at: Moment, asked_for: Option<Duration>) -> ResponseStatus {
        let state = match (&self.refused, self.rest_until) {
            _ if self.attached() => ResponseState::Attached,
            _ if !self.wanted => ResponseState::Detached(Detached::NotWanted),
            (Some(why), _) => ResponseState::Detached(Detached::Unsupported(why.clone())),
            (None, Some(until)) => ResponseState::Detached(Detached::TooExpensive {
                retry_in: until.since(at),
            }),
            // Wanted since the last tick.
            (None, None) => ResponseState::Detached(Detached::NotWanted),
        };
        ResponseStatus {
            mode: self.mode,
            state,
            asked_for,
            budget_cores: (self.mode != ResponseMode::On).then_some(self.budget),
            cost_cores: self.meter.cores(),
            runs: self.meter.runs(),
            run_ns: self.meter.run_ns(),
            detachments: self.detachments,
        }
    }

    /// They run: for how much longer?
    fn watch(&mut self, at: Moment, since: Moment, cost: TurnCost) -> Option<Order> {
        let cores = self.meter.look(at, cost)?;
        if self.mode == ResponseMode::On || cores <= self.budget {
            if at.since(since) >= HOLDS {
                self.pause = FIRST_PAUSE;
            }
            return None;
        }
        self.attached = None;
        self.detachments += 1;
        let again = self.pause > FIRST_PAUSE;
        let pause = self.rest(at);
        Some(Order::Rest {
            cores,
            pause,
            again,
        })
    }

    /// Whether the next try is still to come.
    fn resting(&self, at: Moment) -> bool {
        self.rest_until
            .is_some_and(|until| at.mono_ns < until.mono_ns)
    }

    /// Rests from now on, the next time for longer; for how long.
    fn rest(&mut self, at: Moment) -> Duration {
        let pause = self.pause;
        self.rest_until = Some(at.plus(pause));
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        pause
    }
}

#[cfg(test)]
#[path = "switch_tests.rs"]
mod tests;
