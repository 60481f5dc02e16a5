//! Waiting for a condition, never for a time.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long a test waits for what must come. Far longer than it takes: where other work has the
/// CPUs, everything comes late, and only what never comes is a failure.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Attempts where ends of processes are counted. A kernel may run no programs while a process is
/// current that it shields from tracing, such as the supervisor of a virtual machine. Ended tasks
/// are freed from an interrupt: of those that happen to be freed meanwhile, up to some dozens at
/// once, no tracer hears.
pub const UNSEEN: usize = 4;

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
        // Looked at first: one attempt begins after the limit, however long the others took.
        let over = Instant::now() >= end;
        match attempt() {
            Ok(value) => return value,
            Err(reason) if over => {
                panic!("{what}: not within {limit:?}; last: {reason}")
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

/// Does the whole of `attempt` up to `times` times, until it succeeds. For what a disturbance from
/// outside may spoil once in a while and a wrong agent spoils every time.
///
/// # Panics
/// When no attempt succeeds, with the reasons.
pub fn some_attempt<T>(
    what: &str,
    times: usize,
    mut attempt: impl FnMut() -> Result<T, String>,
) -> T {
    let mut reasons = Vec::new();
    while reasons.len() < times {
        match attempt() {
            Ok(value) => return value,
            Err(reason) => {
                println!("{what}: {reason}");
                reasons.push(reason);
            }
        }
    }
    panic!("{what}: failed {times} times: {reasons:#?}")
}
