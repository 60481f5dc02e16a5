//! The birth of a series: shown as 0 first, so that `rate()` and `increase()` see what follows.

use std::time::Duration;

use crate::{clock::Moment, model::BirthGate};

/// How long a birth waits for a scraper, and a farewell for the last look, at most.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// What one cycle's rows are made for.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    /// Sequence of the snapshot.
    pub sequence: u64,
    /// What scrapers have been served so far.
    pub gate: BirthGate,
    /// End of the walk.
    pub now: Moment,
    /// Time that the cycle's increments cover, seconds; 0 if unknown.
    pub seconds: f64,
    /// Length of the quantile window, ns.
    pub window_ns: u64,
}

impl View {
    /// `amount` per second, 0 where no time has passed.
    pub fn rate(&self, amount: u64) -> f64 {
        if self.seconds > 0.0 {
            amount as f64 / self.seconds
        } else {
            0.0
        }
    }

    fn served(&self, sequence: u64) -> bool {
        self.gate.served_floor.is_none_or(|floor| floor >= sequence)
    }

    fn waited(&self, since: Moment) -> bool {
        self.now.since(since) >= PATIENCE
    }
}

/// Where a series stands between its birth and its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Birth {
    /// Sequence of the first snapshot that had it.
    born: u64,
    born_at: Moment,
    /// Sequence of the first snapshot that showed true values.
    opened: Option<u64>,
    /// Sequence of the last snapshot in which a value changed.
    changed: u64,
}

impl Birth {
    /// A series that the snapshot of `view` is the first to have. Held if someone may look.
    pub fn new(view: &View) -> Self {
        Self {
            born: view.sequence,
            born_at: view.now,
            opened: view.gate.served_floor.is_none().then_some(view.sequence),
            changed: view.sequence,
        }
    }

    /// Opens it if the time has come; whether it was opened just now.
    pub fn show(&mut self, view: &View) -> bool {
        if self.opened.is_some() || !(view.served(self.born) || view.waited(self.born_at)) {
            return false;
        }
        self.opened = Some(view.sequence);
        true
    }

    /// A value differs in the snapshot of `view`.
    pub fn change(&mut self, view: &View) {
        self.changed = view.sequence;
    }

    /// Of a series that left when this was made: every active scraper has been served its
    /// absence, so it may start again from 0.
    pub fn absence_seen(&self, view: &View) -> bool {
        self.born < view.sequence && (view.served(self.born) || view.waited(self.born_at))
    }

    /// To be shown as 0.
    pub fn held(&self) -> bool {
        self.opened.is_none()
    }

    /// An earlier snapshot had the last true values and every active scraper has seen them:
    /// nothing is lost if it ends.
    pub fn settled(&self, view: &View) -> bool {
        self.opened.is_some_and(|opened| {
            let last = opened.max(self.changed);
            last < view.sequence && view.served(last)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(sequence: u64, floor: Option<u64>, seconds: u64) -> View {
        let start = Moment {
            mono_ns: 0,
            boot_ns: 0,
            wall: std::time::UNIX_EPOCH,
        };
        View {
            sequence,
            gate: BirthGate {
                served_floor: floor,
            },
            now: start.plus(Duration::from_secs(seconds)),
            seconds: 5.0,
            window_ns: 0,
        }
    }

    #[test]
    fn waits_for_the_slowest_scraper_and_stays_open() {
        let mut birth = Birth::new(&view(7, Some(6), 0));
        assert!(birth.held());
        assert!(!birth.show(&view(8, Some(6), 5)));
        assert!(birth.held());
        assert!(birth.show(&view(9, Some(7), 10)));
        assert!(!birth.held());
        // A new scraper that has seen nothing does not close it again.
        assert!(!birth.show(&view(10, Some(0), 15)));
        assert!(!birth.held());
    }

    #[test]
    fn does_not_wait_without_scrapers_or_for_ever() {
        assert!(!Birth::new(&view(7, None, 0)).held());
        let mut birth = Birth::new(&view(7, Some(1), 0));
        assert!(!birth.show(&view(20, Some(1), 119)));
        assert!(birth.show(&view(21, Some(1), 120)));
        let mut left = Birth::new(&view(7, Some(1), 0));
        assert!(left.show(&view(8, None, 5)), "the only scraper went away");
    }

    #[test]
    fn absence_is_seen_in_a_later_snapshot() {
        let gone = Birth::new(&view(7, Some(6), 0));
        assert!(!gone.absence_seen(&view(8, Some(6), 5)));
        assert!(gone.absence_seen(&view(9, Some(7), 10)));
        assert!(gone.absence_seen(&view(40, Some(6), 120)));
        let gone = Birth::new(&view(7, None, 0));
        assert!(!gone.absence_seen(&view(7, None, 0)));
        assert!(gone.absence_seen(&view(8, None, 5)));
    }

    #[test]
    fn settles_only_when_the_true_value_was_served() {
        let mut birth = Birth::new(&view(7, Some(6), 0));
        birth.show(&view(8, Some(7), 5));
        assert!(
            !birth.settled(&view(8, Some(7), 5)),
            "only its 0 was served"
        );
        assert!(birth.settled(&view(9, Some(8), 10)));
        birth.change(&view(9, Some(8), 10));
        assert!(!birth.settled(&view(10, Some(8), 15)));
        assert!(birth.settled(&view(11, Some(9), 20)));
    }
}
