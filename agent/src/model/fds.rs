//! Descriptors by what they stand for.

use hostlens_ebpf::wire::FdType;

use super::Owner;

/// Descriptors of one process group, counted once a minute where there are most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FdRow {
    /// Whose.
    pub owner: Owner,
    /// Descriptors, in the order of [`FdType::ALL`].
    pub counts: [u64; FdType::COUNT],
}

impl FdRow {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// The value of the label `type` of `process_fds`.
pub const fn fd_type(kind: FdType) -> &'static str {
    match kind {
        FdType::Socket => "socket",
        FdType::File => "file",
        FdType::Pipe => "pipe",
        FdType::Anon => "anon",
        FdType::Other => "other",
    }
}
