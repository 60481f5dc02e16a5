//! Descriptors: the member of each group that is nearest to its limit, and when the first of them
//! will be there.

use rustc_hash::FxHashMap;

use crate::{
    aggregate::{Owners, ProcessTable, Trend},
    clock::Moment,
    model::{LimitRow, Limited, ProcessId, Resource},
};

/// A pace is kept of processes that use this share of their limit, until they fall below half of
/// it: most never come near.
const WATCHED: f64 = 0.02;
/// Processes whose pace is kept, the fullest: a KiB each.
const MOST_WATCHED: usize = 512;

/// Follows the descriptors of processes.
#[derive(Debug, Default)]
pub struct DescriptorLimits {
    trends: FxHashMap<ProcessId, Trend>,
}

/// A group while its members are gone through.
struct Worst {
    id: ProcessId,
    used: u64,
    limit: u64,
    seconds_to_full: Option<f64>,
}

impl DescriptorLimits {
    /// One row per group of processes with a limit.
    pub fn rows(&mut self, at: Moment, table: &ProcessTable) -> Vec<LimitRow> {
        self.observe(at, table);
        let mut groups: FxHashMap<u32, Worst> = FxHashMap::default();
        for holder in table.holders() {
            let (Some(used), Some(limit)) = (holder.open_fds, holder.fd_limit) else {
                continue;
            };
            let room = limit.saturating_sub(used) as f64;
            let trend = self.trends.get(&holder.id);
            let mine = Worst {
                id: holder.id,
                used,
                limit,
                seconds_to_full: trend.and_then(|trend| trend.seconds_to(room)),
            };
            match groups.get_mut(&holder.group) {
                Some(worst) => worst.merge(mine),
                None => {
                    groups.insert(holder.group, mine);
                }
            }
        }
        let rows = groups.into_values().filter_map(|worst| {
            Some(LimitRow {
                resource: Resource::OpenFiles,
                of: Limited::Process(table.owner(worst.id.tgid, worst.id.start_ns)?),
                used: worst.used,
                limit: worst.limit,
                seconds_to_full: worst.seconds_to_full,
            })
        });
        rows.collect()
    }

    /// Processes whose pace is kept.
    pub fn watched(&self) -> usize {
        self.trends.len()
    }

    /// Processes whose pace can be kept.
    pub const fn capacity() -> usize {
        MOST_WATCHED
    }

    fn observe(&mut self, at: Moment, table: &ProcessTable) {
        let mut near: Vec<(f64, ProcessId, u64)> = table
            .holders()
            .filter_map(|holder| {
                let used = holder.open_fds?;
                let ratio = used as f64 / holder.fd_limit? as f64;
                let least = match self.trends.contains_key(&holder.id) {
                    true => WATCHED / 2.0,
                    false => WATCHED,
                };
                (ratio >= least).then_some((ratio, holder.id, used))
            })
            .collect();
        if near.len() > MOST_WATCHED {
            near.sort_unstable_by(|one, other| {
                let order = other.0.total_cmp(&one.0);
                order.then_with(|| one.1.cmp(&other.1))
            });
            near.truncate(MOST_WATCHED);
        }
        let mut before = std::mem::take(&mut self.trends);
        for (_, id, used) in near {
            let mut trend = before.remove(&id).unwrap_or_default();
            trend.observe(at.mono_ns, used as f64);
            self.trends.insert(id, trend);
        }
    }
}

impl Worst {
    fn ratio(&self) -> f64 {
        self.used as f64 / self.limit as f64
    }

    /// The fuller of the two, and the sooner end.
    fn merge(&mut self, other: Self) {
        let soonest = match (self.seconds_to_full, other.seconds_to_full) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        if other.ratio() > self.ratio() {
            *self = other;
        }
        self.seconds_to_full = soonest;
    }
}
