//! Why a listener does not keep up.
//!
//! A queue *stands* if nearly every poll of the last seconds found connections in it and those at
//! its head had waited for longer than a few polls, or requests were dropped. It tells that
//! nobody comes to accept: because of work, or for want of a CPU. A queue that bursts overrun and
//! that is empty otherwise is only too short.

use crate::{collect::listen::TaskUse, model::SaturationReason};

/// Polls without which nothing is said: about two seconds of them.
pub(super) const LEAST_POLLS: u32 = 20;
/// Share of polls that find a queue from which on it stands …
const STANDS: f64 = 0.9;
/// … and, once it stood, from which on it still does.
const STILL_STANDS: f64 = 0.6;
/// Mean wait at the head, ms, from which on a queue stands: clearly above the distance of polls.
const LONG_WAIT_MS: u64 = 200;
/// The same once it stood.
const STILL_LONG_WAIT_MS: u64 = 100;
/// Of the time in which the accepting tasks wanted a CPU: the share they waited for one.
const STARVED: f64 = 0.5;
/// The same once they were starved.
const STILL_STARVED: f64 = 0.4;
/// CPUs that the accepting tasks wanted, per process that accepts: if they sleep most of the time
/// it is not for want of a CPU.
const WANTED: f64 = 0.4;
/// The same once they were starved.
const STILL_WANTED: f64 = 0.3;
/// Seconds of the last minute in which requests were dropped, from which on it is not a single
/// burst.
const BURSTS: u32 = 2;
/// Share of the last minute's polls that may find a queue if it drains at once.
const DRAINS: f64 = 0.5;
/// A limit is far below `somaxconn` if it is at most this part of it.
const FAR_BELOW: u64 = 4;

/// What one socket is judged by.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evidence {
    /// Limit of the queue.
    pub limit: u32,
    /// `net.core.somaxconn` of its namespace.
    pub somaxconn: Option<u64>,
    /// Over the last seconds: polls, …
    pub polls: u32,
    /// … those that found a queue, …
    pub standing: u32,
    /// … mean wait at the head in these, ms, `None` if unknown, …
    pub wait_ms: Option<u64>,
    /// … requests dropped or reset.
    pub turned_away: u64,
    /// Queue at the last poll.
    pub queue: u32,
    /// Over the window: polls, …
    pub window_polls: u32,
    /// … those that found a queue, …
    pub window_standing: u32,
    /// … mean wait at the head in these, ms, `None` if unknown, …
    pub window_wait_ms: Option<u64>,
    /// … seconds in which requests were dropped or reset, …
    pub overflows: u32,
    /// … whether the queue reached its limit; `None` where what happens between polls is not
    /// seen.
    pub filled: Option<bool>,
    /// What the accepting tasks did over the last seconds; `None` if unknown.
    pub tasks: Option<TaskUse>,
}

/// The verdict; `before`: the one reached a cycle ago, which is left less easily than reached.
pub(super) fn judge(
    evidence: &Evidence,
    before: Option<SaturationReason>,
) -> Option<SaturationReason> {
    if evidence.polls < LEAST_POLLS {
        return before.filter(|_| evidence.queue > 0);
    }
    let stood = matches!(
        before,
        Some(SaturationReason::WorkersBusy | SaturationReason::CpuStarved)
    );
    if stands(evidence, stood) {
        return Some(if starved(evidence.tasks.as_ref(), before) {
            SaturationReason::CpuStarved
        } else {
            SaturationReason::WorkersBusy
        });
    }
    too_small(evidence).then_some(SaturationReason::BacklogTooSmall)
}

fn stands(evidence: &Evidence, stood: bool) -> bool {
    let (share, wait) = if stood {
        (STILL_STANDS, STILL_LONG_WAIT_MS)
    } else {
        (STANDS, LONG_WAIT_MS)
    };
    let waits = match evidence.wait_ms {
        Some(ms) => ms >= wait,
        // What cannot be measured is taken from how full it is.
        None => evidence.queue > evidence.limit / 2,
    };
    ratio(evidence.standing, evidence.polls) >= share && (waits || evidence.turned_away > 0)
}

fn starved(tasks: Option<&TaskUse>, before: Option<SaturationReason>) -> bool {
    let Some(tasks) = tasks else {
        return false;
    };
    let (waited, wanted) = if before == Some(SaturationReason::CpuStarved) {
        (STILL_STARVED, STILL_WANTED)
    } else {
        (STARVED, WANTED)
    };
    let active = tasks.running + tasks.waiting;
    active >= wanted * tasks.seconds * f64::from(tasks.processes.max(1))
        && tasks.waiting >= waited * active
        && active > 0.0
}

fn too_small(evidence: &Evidence) -> bool {
    let limit = u64::from(evidence.limit);
    let far_below = evidence
        .somaxconn
        .is_some_and(|most| limit.saturating_mul(FAR_BELOW) <= most);
    far_below
        && evidence.overflows >= BURSTS
        && evidence.filled != Some(false)
        && ratio(evidence.window_standing, evidence.window_polls) < DRAINS
        && evidence.window_wait_ms.is_none_or(|ms| ms < LONG_WAIT_MS)
}

/// `part` of `whole`, 0 of nothing.
fn ratio(part: u32, whole: u32) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    f64::from(part) / f64::from(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use SaturationReason::{BacklogTooSmall, CpuStarved, WorkersBusy};

    const IDLE: Evidence = Evidence {
        limit: 128,
        somaxconn: Some(4096),
        polls: 60,
        standing: 0,
        wait_ms: None,
        turned_away: 0,
        queue: 0,
        window_polls: 720,
        window_standing: 0,
        window_wait_ms: None,
        overflows: 0,
        filled: Some(false),
        tasks: None,
    };
    const FULL: Evidence = Evidence {
        standing: 60,
        wait_ms: Some(4_000),
        turned_away: 30,
        queue: 129,
        window_standing: 600,
        window_wait_ms: Some(4_000),
        overflows: 50,
        filled: Some(true),
        ..IDLE
    };
    const BURSTS_OF_A_SHORT_QUEUE: Evidence = Evidence {
        limit: 4,
        standing: 6,
        wait_ms: Some(10),
        turned_away: 9,
        window_standing: 40,
        window_wait_ms: Some(10),
        overflows: 8,
        filled: Some(true),
        ..IDLE
    };

    fn tasks(processes: u32, running: f64, waiting: f64) -> Option<TaskUse> {
        Some(TaskUse {
            processes,
            threads: processes,
            seconds: 5.0,
            running,
            waiting,
        })
    }

    #[test]
    fn verdicts() {
        for (name, evidence, expected) in [
            ("idle", IDLE, None),
            ("full, nothing known of tasks", FULL, Some(WorkersBusy)),
            (
                "workers that sleep elsewhere",
                Evidence {
                    tasks: tasks(2, 0.05, 0.04),
                    ..FULL
                },
                Some(WorkersBusy),
            ),
            (
                "workers that compute",
                Evidence {
                    tasks: tasks(2, 9.0, 0.5),
                    ..FULL
                },
                Some(WorkersBusy),
            ),
            (
                "one of many threads starves while the others sleep elsewhere",
                Evidence {
                    tasks: tasks(16, 0.5, 4.5),
                    ..FULL
                },
                Some(WorkersBusy),
            ),
            (
                "workers and their parent, beside hogs",
                Evidence {
                    tasks: tasks(3, 1.7, 8.3),
                    ..FULL
                },
                Some(CpuStarved),
            ),
            (
                "a busy queue that moves fast",
                Evidence {
                    wait_ms: Some(3),
                    turned_away: 0,
                    ..FULL
                },
                None,
            ),
            (
                "a queue that moves fast and yet overflows without an end",
                Evidence {
                    wait_ms: Some(13),
                    window_wait_ms: Some(13),
                    ..FULL
                },
                Some(WorkersBusy),
            ),
            (
                "a queue at every second poll",
                Evidence {
                    standing: 30,
                    turned_away: 0,
                    ..FULL
                },
                None,
            ),
            ("too few polls", Evidence { polls: 19, ..FULL }, None),
            (
                "full, waits unknown",
                Evidence {
                    wait_ms: None,
                    turned_away: 0,
                    ..FULL
                },
                Some(WorkersBusy),
            ),
            (
                "short but standing, waits unknown",
                Evidence {
                    wait_ms: None,
                    turned_away: 0,
                    queue: 10,
                    ..FULL
                },
                None,
            ),
            ("bursts", BURSTS_OF_A_SHORT_QUEUE, Some(BacklogTooSmall)),
            (
                "one burst",
                Evidence {
                    overflows: 1,
                    ..BURSTS_OF_A_SHORT_QUEUE
                },
                None,
            ),
            (
                "bursts that overrun the longest queue there can be",
                Evidence {
                    limit: 2048,
                    ..BURSTS_OF_A_SHORT_QUEUE
                },
                None,
            ),
            (
                "somaxconn unknown",
                Evidence {
                    somaxconn: None,
                    ..BURSTS_OF_A_SHORT_QUEUE
                },
                None,
            ),
            (
                "drops of another cause: the queue was never full",
                Evidence {
                    filled: Some(false),
                    ..BURSTS_OF_A_SHORT_QUEUE
                },
                None,
            ),
            (
                "what happens between polls is not seen",
                Evidence {
                    filled: None,
                    window_standing: 0,
                    window_wait_ms: None,
                    ..BURSTS_OF_A_SHORT_QUEUE
                },
                Some(BacklogTooSmall),
            ),
            (
                "overflows and does not drain",
                Evidence {
                    window_standing: 500,
                    standing: 50,
                    turned_away: 0,
                    ..BURSTS_OF_A_SHORT_QUEUE
                },
                None,
            ),
        ] {
            assert_eq!(judge(&evidence, None), expected, "{name}");
        }
    }

    #[test]
    fn a_verdict_is_left_less_easily_than_reached_but_it_is_left() {
        let wavering = Evidence {
            standing: 42,
            wait_ms: Some(150),
            turned_away: 0,
            ..FULL
        };
        assert_eq!(judge(&wavering, None), None);
        assert_eq!(judge(&wavering, Some(WorkersBusy)), Some(WorkersBusy));
        assert_eq!(judge(&wavering, Some(CpuStarved)), Some(WorkersBusy));
        let drained = Evidence {
            standing: 30,
            ..FULL
        };
        assert_eq!(judge(&drained, Some(WorkersBusy)), None);
        let between = Evidence {
            tasks: tasks(2, 2.7, 2.3),
            ..FULL
        };
        assert_eq!(judge(&between, Some(WorkersBusy)), Some(WorkersBusy));
        assert_eq!(judge(&between, Some(CpuStarved)), Some(CpuStarved));
        let silent = Evidence { polls: 3, ..FULL };
        assert_eq!(judge(&silent, Some(WorkersBusy)), Some(WorkersBusy));
        let silent = Evidence { queue: 0, ..silent };
        assert_eq!(judge(&silent, Some(WorkersBusy)), None);
    }
}
