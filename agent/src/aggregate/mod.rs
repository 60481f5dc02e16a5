//! From absolute counters of known identities to counters of groups. Pure: no I/O, no clock.
//!
//! ```text
//! record ─► identity ─► delta ─► group ─► row of the snapshot
//!           tcp::connection      group: named, lingering or folded into `other`
//!           process::entry       birth: shown as 0 until scrapers have seen it
//!           overflow: what died unseen, less what was booked already
//! ```

mod birth;
mod disk;
mod dns;
mod ended;
mod filesystem;
mod fit;
mod group;
mod horizon;
mod limit;
mod listener;
mod listeners;
mod named;
mod networks;
mod overflow;
mod process;
mod response;
mod service;
mod store;
mod swap;
mod tcp;
mod window;

pub use disk::{DiskConfig, DiskProcessConfig, DiskProcessTable, DiskTable};
pub use dns::{DnsConfig, DnsTable};
pub use filesystem::{FilesystemTable, filesystem_limits};
pub use fit::Trend;
pub use limit::{DescriptorLimits, FdTypes, ephemeral_ports, fold, listen_backlog, user_threads};
pub use listener::{ListenerConfig, ListenerTable};
pub use named::{NamedCounters, NamedRow};
pub use networks::{NetworkError, Networks, OwnNetwork};
pub use process::{Holder, ProcessCaps, ProcessConfig, ProcessTable};
pub use response::{Listeners, TurnConfig, TurnTable};
pub use service::{FAILURE_BUDGET, SERVICE_BUDGET};
pub use store::Store;
pub use swap::{SwapBalance, SwapConfig, SwapTable};
pub use tcp::{Accept, TcpConfig, TcpTable};

use crate::model::Owner;

/// Who a process is, by its identity; asked for the owners of sockets.
pub trait Owners {
    /// Group name and user of a process that lives or ended lately. `start_ns` (ns of
    /// `CLOCK_BOOTTIME`) 0: whoever bears the id now, else who bore it last. `None` until a walk
    /// or its final record has told of it.
    fn owner(&self, tgid: u32, start_ns: u64) -> Option<Owner>;

    /// Since when the names may be out of date, ns of `CLOCK_MONOTONIC`: a process may have
    /// executed another program after the walk looked at it.
    fn as_of(&self) -> u64 {
        u64::MAX
    }
}

/// How a walk over all sockets or tasks went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalkOutcome {
    /// Everything was visited. Only complete walks may find that an identity has gone, or tell
    /// that one seen later must be new.
    pub complete: bool,
}

/// Gives memory back once a map holds far less than it once did.
fn shrink<K: Eq + std::hash::Hash, V>(map: &mut rustc_hash::FxHashMap<K, V>) {
    if map.capacity() > 1024 && map.len() < map.capacity() / 4 {
        map.shrink_to(map.len() * 2);
    }
}
