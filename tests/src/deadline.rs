//! Waiting for a condition, never for a time.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(200);

/// Repeats `attempt` until it succeeds and hands out its value.
///
/// # Panics
/// When `limit` has passed, with `what` and the reason of the last failure.
pub fn poll_until<T>(
    what: &str,
    limit: Duration,
    mut attempt: impl FnMut() -> Result<T, String>,
) -> T {
    let end = Instant::now() + limit;
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(reason) if Instant::now() >= end => {
                panic!("{what}: not within {limit:?}; last: {reason}")
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
}
