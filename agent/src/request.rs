//! What others ask the engine for while it runs. Clones share one state; the engine looks at it
//! several times a second.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Times to first byte on demand.
#[derive(Clone, Debug, Default)]
pub struct ResponseRequest(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    until: Option<Instant>,
    looked_at: bool,
}

impl ResponseRequest {
    /// Asks for so long from now on, whatever was asked before; zero ends it.
    pub fn ask_for(&self, time: Duration) {
        self.state().until = Instant::now().checked_add(time);
    }

    /// Somebody looks at it (`top`), or no longer does.
    pub fn look(&self, looking: bool) {
        self.state().looked_at = looking;
    }

    /// Whether somebody wants it now.
    pub fn wanted(&self) -> bool {
        let looked_at = self.state().looked_at;
        looked_at || self.remaining().is_some()
    }

    /// How much longer it was asked for; `None` if it was not, or no longer is.
    pub fn remaining(&self) -> Option<Duration> {
        let until = self.state().until?;
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_wanted_while_asked_for_or_looked_at() {
        let request = ResponseRequest::default();
        assert!(!request.wanted());
        let same = request.clone();
        same.ask_for(Duration::from_secs(3_600));
        assert!(request.wanted() && request.remaining() > Some(Duration::from_secs(3_000)));
        same.ask_for(Duration::ZERO);
        assert!(!request.wanted() && request.remaining().is_none());
        same.look(true);
        assert!(request.wanted() && request.remaining().is_none());
        same.look(false);
        assert!(!request.wanted());
    }
}
