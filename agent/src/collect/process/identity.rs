//! Identity of a process.

use hostlens_ebpf::wire::TaskRecord;

/// One process for as long as the host runs: a pid is used again, a pid with its start is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId {
    /// Process id as the host sees it.
    pub tgid: u32,
    /// Start, ns of `CLOCK_BOOTTIME`; see [`TaskRecord::start_ns`].
    pub start_ns: u64,
}

impl From<&TaskRecord> for ProcessId {
    fn from(record: &TaskRecord) -> Self {
        Self {
            tgid: record.tgid,
            start_ns: record.start_ns,
        }
    }
}
