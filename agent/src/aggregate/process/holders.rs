//! What each living process holds of things of which there is only so much.

use hostlens_ebpf::wire::TaskFlags;

use super::table::ProcessTable;
use crate::{aggregate::group::GroupId, model::ProcessId};

/// A living process and what it holds.
#[derive(Clone, Copy, Debug)]
pub struct Holder {
    /// Who.
    pub id: ProcessId,
    /// Number of its group, the same for all members until the next cycle.
    pub group: GroupId,
    /// Effective user id.
    pub uid: u32,
    /// Threads.
    pub threads: u32,
    /// Open descriptors; `None` if they could not be counted.
    pub open_fds: Option<u64>,
    /// Soft limit of open descriptors; `None` if it is unknown or there is none.
    pub fd_limit: Option<u64>,
}

impl ProcessTable {
    /// All living processes but kernel threads.
    pub fn holders(&self) -> impl Iterator<Item = Holder> {
        self.entries
            .iter()
            .filter(|(_, entry)| entry.flags & TaskFlags::KERNEL_THREAD == 0)
            .map(|(&id, entry)| Holder {
                id,
                group: entry.group,
                uid: entry.uid,
                threads: entry.threads,
                open_fds: entry.open_fds,
                fd_limit: Some(entry.fd_limit).filter(|&limit| limit > 0 && limit < u64::MAX),
            })
    }
}
