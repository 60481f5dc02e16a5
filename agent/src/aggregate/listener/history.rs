//! The last minute of one queue, by seconds in which anything happened.

use std::collections::VecDeque;

/// Length of the window, seconds.
pub(super) const WINDOW: u32 = 60;
/// The last seconds by which a standing queue is judged, the one that has just begun included.
pub(super) const RECENT: u32 = 5;

/// What one poll showed, counters as increments.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Poll {
    pub queue: u32,
    pub high_water: u32,
    /// Wait of the connection at the head; `None` where the source cannot tell.
    pub wait_ns: Option<u64>,
    pub drops: u32,
    pub resets: u32,
    pub accepted: u32,
}

impl Poll {
    fn is_idle(&self) -> bool {
        self.queue | self.high_water | self.drops | self.resets | self.accepted == 0
    }
}

/// What the polls of one second, or of several, showed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Polls that found a queue.
    pub standing: u32,
    /// Longest queue.
    pub high_water: u32,
    /// Sum of the waits of those at the head, ms, over `waits` polls.
    pub wait_ms: u64,
    pub waits: u32,
    pub drops: u64,
    pub resets: u64,
    pub accepted: u64,
    /// Seconds in which something was dropped or reset.
    pub overflows: u32,
}

impl Seen {
    fn add(&mut self, other: &Self) {
        self.standing += other.standing;
        self.high_water = self.high_water.max(other.high_water);
        self.wait_ms += other.wait_ms;
        self.waits += other.waits;
        self.drops += other.drops;
        self.resets += other.resets;
        self.accepted += other.accepted;
        self.overflows += other.overflows;
    }

    /// Mean wait of those at the head of a standing queue, ms; `None` if no wait was measured.
    pub fn mean_wait_ms(&self) -> Option<u64> {
        self.wait_ms.checked_div(u64::from(self.waits))
    }
}

/// The window. A queue in which nothing happens takes no memory.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    seconds: VecDeque<(u32, Seen)>,
}

/// The second of an instant of `CLOCK_MONOTONIC`.
pub(super) fn second(ns: u64) -> u32 {
    (ns / 1_000_000_000) as u32
}

impl History {
    /// Adds a poll made in second `now`.
    #[inline]
    pub fn push(&mut self, now: u32, poll: &Poll) {
        if poll.is_idle() {
            return;
        }
        if self.seconds.back().is_none_or(|last| last.0 != now) {
            self.prune(now);
            self.seconds.push_back((now, Seen::default()));
        }
        let Some((_, seen)) = self.seconds.back_mut() else {
            return;
        };
        seen.high_water = seen.high_water.max(poll.high_water).max(poll.queue);
        if poll.queue > 0 {
            seen.standing += 1;
            if let Some(ns) = poll.wait_ns {
                seen.wait_ms += ns / 1_000_000;
                seen.waits += 1;
            }
        }
        seen.drops += u64::from(poll.drops);
        seen.resets += u64::from(poll.resets);
        seen.accepted += u64::from(poll.accepted);
        seen.overflows = u32::from(seen.drops + seen.resets > 0);
    }

    /// Forgets what is older than the window; gives memory back once nothing is left.
    pub fn prune(&mut self, now: u32) {
        while let Some((first, _)) = self.seconds.front()
            && now.saturating_sub(*first) >= WINDOW
        {
            self.seconds.pop_front();
        }
        if self.seconds.is_empty() && self.seconds.capacity() > 0 {
            self.seconds = VecDeque::new();
        }
    }

    /// What the last `length` seconds showed, second `now` included.
    pub fn over(&self, now: u32, length: u32) -> Seen {
        let mut sum = Seen::default();
        let young = self.seconds.iter().rev();
        for (_, seen) in young.take_while(|(second, _)| now.saturating_sub(*second) < length) {
            sum.add(seen);
        }
        sum
    }
}

/// How many polls the last seconds had; the same for all queues.
#[derive(Clone, Debug, Default)]
pub(super) struct Polls {
    seconds: VecDeque<(u32, u32)>,
    /// Polls so far.
    pub total: u64,
}

impl Polls {
    /// One more.
    pub fn push(&mut self, now: u32) {
        self.total += 1;
        match self.seconds.back_mut() {
            Some((second, count)) if *second == now => *count += 1,
            _ => self.seconds.push_back((now, 1)),
        }
        while let Some((first, _)) = self.seconds.front()
            && now.saturating_sub(*first) >= WINDOW
        {
            self.seconds.pop_front();
        }
    }

    /// Polls in the last `length` seconds, second `now` included.
    pub fn over(&self, now: u32, length: u32) -> u32 {
        let young = self.seconds.iter().rev();
        young
            .take_while(|(second, _)| now.saturating_sub(*second) < length)
            .map(|(_, count)| count)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_a_minute_and_nothing_of_idle_seconds() {
        let mut history = History::default();
        let mut polls = Polls::default();
        for now in 0..200u32 {
            for turn in 0..10 {
                polls.push(now);
                let busy = (100..110).contains(&now);
                history.push(
                    now,
                    &Poll {
                        queue: u32::from(busy) * turn,
                        high_water: u32::from(busy) * 12,
                        wait_ns: Some(50_000_000),
                        drops: u32::from(now == 105 && turn > 7),
                        ..Poll::default()
                    },
                );
            }
            if now == 112 {
                assert_eq!(history.over(now, RECENT).standing, 18);
                let seen = history.over(now, WINDOW);
                assert_eq!((seen.standing, seen.high_water), (90, 12));
                assert_eq!((seen.drops, seen.overflows), (2, 1));
                assert_eq!(seen.mean_wait_ms(), Some(50));
            }
        }
        assert_eq!(history.over(199, WINDOW), Seen::default());
        assert_eq!(polls.over(199, RECENT), 50);
        assert_eq!((polls.total, polls.seconds.len()), (2_000, WINDOW as usize));
        history.prune(199);
        assert_eq!(history.seconds.capacity(), 0);
    }

    #[test]
    fn a_wait_that_is_not_known_is_not_zero() {
        let mut history = History::default();
        let poll = Poll {
            queue: 3,
            ..Poll::default()
        };
        history.push(7, &poll);
        let seen = history.over(7, RECENT);
        assert_eq!((seen.standing, seen.mean_wait_ms()), (1, None));
    }
}
