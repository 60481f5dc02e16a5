//! How fast a served file is, and what it really took.

use std::{
    sync::{Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

use super::wire::Op;

/// How long requests take at least.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// Each read.
    pub read: Duration,
    /// Each write.
    pub write: Duration,
    /// Each `fsync`.
    pub fsync: Duration,
    /// Reads and writes together, bytes per second; `None`: no limit.
    pub bytes_per_second: Option<u64>,
}

impl Pace {
    /// The same for reads, writes and `fsync`, without a limit to the rate.
    pub fn of(delay: Duration) -> Self {
        Self {
            read: delay,
            write: delay,
            fsync: delay,
            bytes_per_second: None,
        }
    }

    fn delay(&self, op: Op) -> Duration {
        match op {
            Op::Read => self.read,
            Op::Write => self.write,
            Op::Fsync => self.fsync,
            _ => Duration::ZERO,
        }
    }
}

/// A request that was answered.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    /// What was asked.
    pub op: Op,
    /// Read or written.
    pub bytes: u32,
    /// From the moment the request was taken from the kernel to just before its answer: the time
    /// it waited for others included.
    pub took: Duration,
    /// When that was.
    pub at: Instant,
}

/// Holds requests back.
#[derive(Debug, Default)]
pub(super) struct Brake {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    pace: Pace,
    hung: bool,
    closing: bool,
    /// When the bytes promised so far have passed.
    free_at: Option<Instant>,
}

impl Brake {
    pub fn set(&self, pace: Pace) {
        self.state.lock().unwrap().pace = pace;
    }

    pub fn hang(&self, hung: bool) {
        self.state.lock().unwrap().hung = hung;
        self.changed.notify_all();
    }

    /// Nothing is held back any more.
    pub fn close(&self) {
        self.state.lock().unwrap().closing = true;
        self.changed.notify_all();
    }

    /// Waits as long as a request takes that is begun now, and until nothing hangs.
    pub fn hold(&self, op: Op, bytes: u32) {
        let began = Instant::now();
        let mut state = self.state.lock().unwrap();
        if state.closing {
            return;
        }
        let mut ready = began + state.pace.delay(op);
        if let (Some(rate), 1..) = (state.pace.bytes_per_second, bytes) {
            let from = state.free_at.map_or(began, |free| free.max(began));
            let free = from + Duration::from_secs_f64(f64::from(bytes) / rate as f64);
            state.free_at = Some(free);
            ready = ready.max(free);
        }
        drop(state);
        thread::sleep(ready.saturating_duration_since(Instant::now()));
        let state = self.state.lock().unwrap();
        let held = self
            .changed
            .wait_while(state, |state| state.hung && !state.closing);
        drop(held.unwrap());
    }
}
