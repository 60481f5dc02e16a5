//! One disk between two looks.

use super::{account::DiskCycle, evidence::Evidence};
use crate::{
    aggregate::group::GroupId,
    collect::disk::{DiskStat, OPS},
};

/// A disk as of the last look.
#[derive(Debug)]
pub(super) struct Known {
    pub stat: DiskStat,
    pub group: Option<GroupId>,
    pub evidence: Evidence,
    /// The kernel counted all the time since the look before.
    pub counted: bool,
    /// Times of requests since the look before can be trusted.
    pub timed: bool,
}

impl Known {
    /// A disk seen for the first time; what it did before is not ours, unless it is `new`.
    pub fn first(stat: DiskStat, new: bool) -> (Self, DiskCycle) {
        let zero = DiskStat {
            requests: stat.requests.map(|count| count.map(|_| 0)),
            bytes: stat.bytes.map(|count| count.map(|_| 0)),
            busy_ms: 0,
            ..stat.clone()
        };
        let known = Self {
            counted: stat.accounted,
            timed: stat.accounted || stat.bare,
            group: None,
            evidence: Evidence::default(),
            stat,
        };
        let cycle = if new && known.counted {
            increments(&zero, &known.stat)
        } else {
            DiskCycle::default()
        };
        (known, cycle)
    }

    /// The next look: what the kernel counted since the last one.
    pub fn look(&mut self, stat: DiskStat) -> DiskCycle {
        // Switched off and on again between two looks goes unseen here; programs see it by
        // request.
        self.counted = self.stat.accounted && stat.accounted;
        self.timed = self.counted || stat.bare;
        let cycle = if self.counted {
            increments(&self.stat, &stat)
        } else {
            DiskCycle::default()
        };
        self.stat = stat;
        cycle
    }

    /// Feeds what speaks for a slow disk.
    pub fn observe(&mut self, at_ns: u64) {
        if !self.counted {
            self.evidence.interrupt();
            return;
        }
        let sum = |counts: &[Option<u64>; OPS]| counts.iter().flatten().sum();
        let (bytes, requests) = (sum(&self.stat.bytes), sum(&self.stat.requests));
        self.evidence
            .push(at_ns, self.stat.busy_ms, bytes, requests);
    }
}

/// What the kernel counted between two looks. A counter that fell starts anew: another disk got
/// the number, or a driver was reloaded.
fn increments(before: &DiskStat, now: &DiskStat) -> DiskCycle {
    let more = |before: Option<u64>, now: Option<u64>| {
        let now = now.unwrap_or(0);
        now.checked_sub(before.unwrap_or(0)).unwrap_or(now)
    };
    let mut cycle = DiskCycle {
        busy_ms: more(Some(before.busy_ms), Some(now.busy_ms)),
        ..DiskCycle::default()
    };
    let counts =
        (before.requests.iter().zip(&before.bytes)).zip(now.requests.iter().zip(&now.bytes));
    for (op, ((old_requests, old_bytes), (requests, bytes))) in cycle.ops.iter_mut().zip(counts) {
        op.requests = more(*old_requests, *requests);
        op.bytes = more(*old_bytes, *bytes);
    }
    cycle
}
