//! Sources of facts. Each signal has a BPF source and a fallback that fill the same records and
//! hand them to the same sink.

pub mod cgroup;
pub mod connect;
mod counts;
pub mod disk;
pub mod dns;
pub mod filesystem;
pub mod host;
pub mod limit;
pub mod listen;
mod proc_file;
pub mod process;
pub mod swap;
pub mod tcp;

use hostlens_ebpf::wire::{
    Direction, Excluded, ListenKey, ListenRecord, RefusedKey, RttKey, SockRecord, SockTotals,
    TaskRecord, TaskTotals, ThreadRecord, TurnGroup,
};

use crate::model::SampleCounts;

/// Takes TCP sockets, living and ended; implemented by `aggregate`.
pub trait TcpSink {
    /// A socket of the walk, or what the ring buffer said of one that ended
    /// (`SockRecord::kind` tells).
    fn socket(&mut self, record: &SockRecord);
    /// Sockets in TIME_WAIT, which carry no counters: addresses and ports as in a record.
    fn time_wait(&mut self, record: &SockRecord);
    /// Absolute overflow totals so far, summed over CPUs, by `Direction`.
    fn lost(&mut self, totals: &[SockTotals; 3]);
}

/// Takes round-trip times as groups of connections measured them; implemented by `aggregate`.
pub trait RttSink {
    /// Samples of one group.
    fn rtt(&mut self, key: &RttKey, samples: &SampleCounts);
    /// Samples of groups that found no room under a key of their own.
    fn rtt_elsewhere(&mut self, direction: Direction, samples: &SampleCounts);
}

/// Turns of one group of connections since the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TurnSamples {
    /// First histogram, see [`TurnGroup`].
    pub first: SampleCounts,
    /// Second histogram, see [`TurnGroup`].
    pub second: SampleCounts,
    /// Turns left out, by [`Excluded`].
    pub excluded: [u32; Excluded::COUNT],
}

/// Takes times to first byte; implemented by `aggregate`.
pub trait TurnSink {
    /// What peers waited for us, or we for them.
    fn response(&mut self, key: &RttKey, turns: &TurnSamples);
    /// How long what came to a listener's connections waited to be read, and to be answered.
    fn listener(&mut self, listener: &ListenKey, turns: &TurnSamples);
    /// Turns of groups that found no room under a key of their own.
    fn elsewhere(&mut self, group: TurnGroup, turns: &TurnSamples);
}

/// Takes listening sockets and what was turned away at the door; implemented by `aggregate`.
pub trait DoorSink {
    /// A listening socket as just polled, or its last record.
    fn listener(&mut self, record: &ListenRecord);
    /// Connection requests to a port where nobody listens: how many more were refused.
    fn refused(&mut self, key: &RefusedKey, more: u64);
    /// Refusals that found no room under a key of their own: how many more.
    fn refused_elsewhere(&mut self, more: u64);
}

/// Takes processes, living and ended; implemented by `aggregate`.
pub trait ProcessSink {
    /// A process of the walk, or the final record of one that ended (`TaskRecord::kind` tells).
    fn process(&mut self, record: &TaskRecord, names: &mut dyn Names);
    /// A thread of the walk.
    fn thread(&mut self, record: &ThreadRecord);
    /// Absolute overflow totals so far, summed over CPUs.
    fn lost(&mut self, totals: &TaskTotals);
}

/// Turns a process into the names it is grouped by. Asked once per process, execve and
/// [`Names::version`].
pub trait Names {
    /// Grouped process name.
    fn process(&mut self, record: &TaskRecord) -> std::sync::Arc<str>;
    /// Changes when a living process may have got another name without an execve.
    fn version(&self, _record: &TaskRecord) -> u32 {
        0
    }
    /// Name of a user id.
    fn user(&mut self, uid: u32) -> std::sync::Arc<str>;
    /// Container or unit; empty if it belongs to neither. Also asked once it is in another cgroup.
    fn service(&mut self, record: &TaskRecord) -> std::sync::Arc<str>;
}
