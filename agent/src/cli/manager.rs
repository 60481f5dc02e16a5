//! What the service manager is told, by systemd's protocol (sd_notify(3)): ready after the first
//! cycle, alive as long as the engine makes progress. Without a manager (no `NOTIFY_SOCKET`)
//! nothing is said.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use sd_notify::NotifyState;

/// Longest time between two looks at the engine.
const SELDOM: Duration = Duration::from_secs(1);
/// Shortest: the engine turns every 80 ms.
const OFTEN: Duration = Duration::from_millis(100);

/// The service manager's view of the agent.
#[derive(Debug, Default)]
pub struct Manager {
    /// Within how long it must hear of us; `None`: it does not listen for that.
    patience: Option<Duration>,
    ready: AtomicBool,
    /// The engine's turns when it last heard of us.
    turns: AtomicU64,
}

impl Manager {
    /// The one that started this process, if any.
    pub fn find() -> Self {
        Self {
            patience: sd_notify::watchdog_enabled(),
            ..Self::default()
        }
    }

    /// Passes on how far the engine is: whether its first cycle is complete, and a count of what it
    /// did. A count that stands still is silence: the manager then ends and restarts us.
    pub fn progress(&self, complete: bool, turns: u64) {
        if complete && !self.ready.swap(true, Ordering::Relaxed) {
            say(&[NotifyState::Ready]);
        }
        if self.turns.swap(turns, Ordering::Relaxed) != turns && self.patience.is_some() {
            say(&[NotifyState::Watchdog]);
        }
    }

    /// How long to wait before the next look at the engine.
    pub fn pause(&self) -> Duration {
        match self.patience {
            _ if !self.ready.load(Ordering::Relaxed) => OFTEN,
            Some(patience) => (patience / 4).clamp(OFTEN, SELDOM),
            None => SELDOM,
        }
    }

    /// The configuration is about to be read again. To be followed by [`Manager::reloaded`].
    pub fn reloading(&self) {
        // Before that it waits for a READY that must not come from here.
        if self.ready.load(Ordering::Relaxed)
            && let Ok(now) = NotifyState::monotonic_usec_now()
        {
            say(&[NotifyState::Reloading, now]);
        }
    }

    /// It was read, or stays as it was.
    pub fn reloaded(&self) {
        if self.ready.load(Ordering::Relaxed) {
            say(&[NotifyState::Ready]);
        }
    }

    /// The agent ends because it was asked to.
    pub fn stopping(&self) {
        say(&[NotifyState::Stopping]);
    }
}

fn say(what: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(what) {
        tracing::warn!("the service manager cannot be told ({what:?}): {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_often_enough() {
        let manager = |patience| Manager {
            patience,
            ready: AtomicBool::new(true),
            ..Manager::default()
        };
        assert_eq!(Manager::default().pause(), OFTEN);
        assert_eq!(manager(None).pause(), SELDOM);
        let pause = |seconds| manager(Some(Duration::from_secs(seconds))).pause();
        assert_eq!(pause(60), SELDOM);
        assert_eq!(pause(2), Duration::from_millis(500));
        assert_eq!(pause(0), OFTEN);
    }

    #[test]
    fn is_ready_once_a_cycle_is_complete() {
        let manager = Manager::default();
        manager.progress(false, 3);
        assert!(!manager.ready.load(Ordering::Relaxed));
        manager.progress(true, 4);
        assert!(manager.ready.load(Ordering::Relaxed));
        assert_eq!(manager.turns.load(Ordering::Relaxed), 4);
    }
}
