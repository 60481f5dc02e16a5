//! The latest snapshot, shared between the engine and those who show it.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::model::Snapshot;

/// A handle on the latest snapshot. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Store {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    latest: Mutex<Option<Arc<Snapshot>>>,
    published: Condvar,
}

impl Store {
    /// Replaces the latest snapshot and wakes everyone who waits.
    pub fn publish(&self, snapshot: Snapshot) {
        *self.lock() = Some(Arc::new(snapshot));
        self.shared.published.notify_all();
    }

    /// The latest snapshot; `None` before the first cycle ended. Never waits for a cycle.
    pub fn latest(&self) -> Option<Arc<Snapshot>> {
        self.lock().clone()
    }

    /// Waits for a snapshot with a sequence above `sequence` (0: any); `None` if there is none
    /// within `timeout`. Blocks the thread: not for async code.
    pub fn wait_newer(&self, sequence: u64, timeout: Duration) -> Option<Arc<Snapshot>> {
        let newer = |latest: &Option<Arc<Snapshot>>| {
            latest
                .as_ref()
                .is_some_and(|latest| latest.sequence > sequence)
        };
        let (latest, _) = self
            .shared
            .published
            .wait_timeout_while(self.lock(), timeout, |latest| !newer(latest))
            .unwrap_or_else(PoisonError::into_inner);
        newer(&latest).then(|| latest.clone()).flatten()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Snapshot>>> {
        // A panic elsewhere leaves a whole snapshot behind: the lock guards one assignment.
        self.shared
            .latest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn snapshot(sequence: u64) -> Snapshot {
        Snapshot::empty(sequence, SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn wakes_who_waits_for_a_newer_one() {
        let store = Store::default();
        assert!(store.latest().is_none());
        assert!(store.wait_newer(0, Duration::ZERO).is_none());
        store.publish(snapshot(1));
        assert!(store.wait_newer(1, Duration::ZERO).is_none());
        let waiter = std::thread::spawn({
            let store = store.clone();
            move || store.wait_newer(1, Duration::from_secs(60))
        });
        store.publish(snapshot(2));
        let seen = waiter.join().ok().flatten();
        assert_eq!(seen.map(|seen| seen.sequence), Some(2));
        assert_eq!(store.latest().map(|latest| latest.sequence), Some(2));
    }
}
