//! What the kernel counts as read from storage although it came from swap.

use super::{account::ProcessKey, table::ProcessTable};
use crate::model::ProcessId;

impl ProcessTable {
    /// So many bytes that a process read since the last call came from swap, and are not shown as
    /// read from storage: `submit_bio()` counts them in the same number (`task_io_accounting`).
    /// To be called after a walk and before [`Self::finish`], so that the walk's counters hold no
    /// read that is not known of here.
    pub fn swapped_in(&mut self, id: ProcessId, bytes: u64) {
        if let Some(entry) = self
            .bearers
            .living(id.tgid, id.start_ns)
            .and_then(|living| self.entries.get_mut(&living))
        {
            entry.swapped_in(bytes);
            return;
        }
        // Its final record has come, and what it read waits to be booked.
        let Some(owner) = self.bearers.gone(id.tgid, id.start_ns) else {
            return;
        };
        let key = ProcessKey {
            process: owner.process.clone(),
            user: owner.user.clone(),
            service: owner.service.clone(),
        };
        if let Some(group) = self.groups.join_known(&key) {
            let cycle = self.groups.cycle(group, 0.0);
            let read = &mut cycle.counts.read_bytes;
            *read = read.saturating_sub(bytes);
            self.groups.leave(group);
        }
    }
}
