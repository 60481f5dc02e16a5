//! Descriptors by what they stand for, summed up by group.

use hostlens_ebpf::wire::FdType;
use rustc_hash::FxHashMap;

use crate::{
    aggregate::{Owners, ProcessTable},
    model::{FdRow, ProcessId},
};

/// Groups with fewer descriptors are not worth a look.
const FEWEST: u64 = 32;

type Counts = [u64; FdType::COUNT];

/// Counts of processes: those of the last pass over them, and those of one under way.
#[derive(Debug)]
pub struct FdTypes {
    /// Groups that are looked at.
    budget: usize,
    last: FxHashMap<ProcessId, Counts>,
    current: FxHashMap<ProcessId, Counts>,
}

impl FdTypes {
    /// Nothing is known of anybody; `budget`: groups that are looked at.
    pub fn new(budget: usize) -> Self {
        Self {
            budget,
            last: FxHashMap::default(),
            current: FxHashMap::default(),
        }
    }

    /// The processes of the groups that hold most descriptors, group by group.
    pub fn wanted(&self, table: &ProcessTable) -> Vec<ProcessId> {
        let mut groups: FxHashMap<u32, (u64, Vec<ProcessId>)> = FxHashMap::default();
        for holder in table.holders() {
            if let Some(open) = holder.open_fds.filter(|&open| open > 0) {
                let (total, ids) = groups.entry(holder.group).or_default();
                *total += open;
                ids.push(holder.id);
            }
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        groups.retain(|(total, _)| *total >= FEWEST);
        groups.sort_unstable_by(|one, other| other.cmp(one));
        groups.truncate(self.budget);
        groups.into_iter().flat_map(|(_, ids)| ids).collect()
    }

    /// What was counted of a process in the pass under way.
    pub fn counted(&mut self, id: ProcessId, counts: Counts) {
        self.current.insert(id, counts);
    }

    /// The pass is over: its counts take the place of those before.
    pub fn turn(&mut self) {
        self.last = std::mem::take(&mut self.current);
    }

    /// Groups by their living processes that were counted, those with most descriptors first.
    pub fn rows(&self, table: &ProcessTable) -> Vec<FdRow> {
        let mut groups: FxHashMap<u32, (ProcessId, Counts)> = FxHashMap::default();
        for holder in table.holders() {
            if let Some(counts) = self.last.get(&holder.id) {
                let (_, sum) = groups.entry(holder.group).or_insert((holder.id, [0; _]));
                sum.iter_mut()
                    .zip(counts)
                    .for_each(|(sum, count)| *sum += count);
            }
        }
        let mut rows: Vec<FdRow> = groups
            .into_values()
            .filter_map(|(id, counts)| {
                let owner = table.owner(id.tgid, id.start_ns)?;
                Some(FdRow { owner, counts })
            })
            .collect();
        rows.sort_unstable_by(|one, other| {
            let order = other.total().cmp(&one.total());
            order.then_with(|| one.owner.cmp(&other.owner))
        });
        // A process may have changed its group since it was counted.
        rows.truncate(self.budget);
        rows
    }
}
