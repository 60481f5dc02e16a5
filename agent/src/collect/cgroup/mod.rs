//! Control groups: where a process is kept, and which container or unit that place belongs to.
//!
//! ```text
//! id ─► path (a handle of kernfs)            ┐
//! pid ─► paths in all hierarchies (/proc)    ┴► shape ─► container or unit ─► label `service`
//! ```
//!
//! On a host with the v2 hierarchy alone the id in a process record tells everything, once per
//! cgroup. Where v1 hierarchies are in use, each may hold the process in another place, and the one
//! of systemd (`name=systemd`) has no controller and so no id in the record: there the paths of
//! each process are read.

mod handle;
mod hierarchy;
mod membership;
mod names;
mod shape;
mod table;

pub use hierarchy::Paths;
pub use table::Cgroups;

use hostlens_ebpf::wire::{TaskFlags, TaskRecord};

/// A cgroup as process records name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CgroupId {
    /// Of the v1 hierarchy of the memory controller, not of v2.
    pub v1: bool,
    /// `kernfs_node.id`: on 64-bit hosts the inode number of its directory. 1 is the root; 0 is
    /// not known.
    pub id: u64,
}

impl CgroupId {
    /// Where the process of a record is kept.
    pub fn of(record: &TaskRecord) -> Self {
        Self {
            v1: record.flags & TaskFlags::CGROUP_V1 != 0,
            id: record.cgroup_id,
        }
    }

    /// The root of its hierarchy.
    pub fn is_root(self) -> bool {
        self.id == 1
    }
}
