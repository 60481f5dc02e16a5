//! One process, one of its threads, or a process that just ended.

use super::{Record, TaskCounters};

/// First field of every record in the task stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum TaskKind {
    /// [`TaskRecord`] of a living (or zombie) thread-group leader.
    Process = 1,
    /// [`ThreadRecord`] of another thread.
    Thread = 2,
    /// [`TaskRecord`] with the final counters of a process that has gone.
    Final = 3,
    /// [`super::ExecRecord`].
    Exec = 4,
}

/// Bits of [`TaskRecord::flags`].
pub struct TaskFlags;

impl TaskFlags {
    /// A kernel thread (`PF_KTHREAD`).
    pub const KERNEL_THREAD: u32 = 1;
    /// Has an address space (`task->mm`): neither kernel thread nor zombie.
    pub const HAS_MM: u32 = 1 << 1;
    /// `rss` holds exact page counts (kernels up to 6.1); else only a hint that they changed.
    pub const RSS_EXACT: u32 = 1 << 2;
    /// Exited and not yet reaped.
    pub const ZOMBIE: u32 = 1 << 3;
    /// `cgroup_id` is of the v1 hierarchy user space chose, not of v2.
    pub const CGROUP_V1: u32 = 1 << 4;
    /// [`TaskCounters::run_delay_ns`] is known.
    pub const RUN_DELAY: u32 = 1 << 5;
    /// [`TaskCounters::block_delay_ns`] is known: delay accounting was on when the task began.
    pub const BLOCK_DELAY: u32 = 1 << 6;
    /// Chosen by the out-of-memory killer; in a [`TaskKind::Final`] record.
    pub const OOM_VICTIM: u32 = 1 << 7;
}

/// One process. Counters are absolute since it started. In the kernel's stream a
/// [`TaskKind::Process`] record covers the leader and all threads that already ended; living
/// threads follow as [`ThreadRecord`]s. A [`TaskKind::Final`] record covers everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct TaskRecord {
    /// [`TaskKind::Process`] or [`TaskKind::Final`].
    pub kind: u32,
    /// Process id as the host sees it.
    pub tgid: u32,
    /// Start, ns of `CLOCK_BOOTTIME` (`task_struct.start_boottime`); with `tgid` the identity.
    pub start_ns: u64,
    /// Counters.
    pub counters: TaskCounters,
    /// Cgroup id: v2 where the task has one below the root, else the v1 hierarchy user space
    /// chose; 0 unknown.
    pub cgroup_id: u64,
    /// Page counts by `MM_FILEPAGES`, `MM_ANONPAGES`, `MM_SWAPENTS`, `MM_SHMEMPAGES`; see
    /// [`TaskFlags::RSS_EXACT`].
    pub rss: [i64; 4],
    /// Soft limit of open descriptors; `u64::MAX` is "unlimited".
    pub fd_limit: u64,
    /// Parent process.
    pub ppid: u32,
    /// Effective user id.
    pub uid: u32,
    /// Inode number of the network namespace; 0 unknown.
    pub netns: u32,
    /// Counts execve calls: a change means that the name may have changed.
    pub exec_id: u32,
    /// Living threads.
    pub threads: u32,
    /// Open file descriptors; [`super::UNKNOWN_U32`] if the table is too large for the program.
    pub open_fds: u32,
    /// Wait status (`task_struct.exit_code`): signal in the low 7 bits, exit status above 8.
    pub exit_code: u32,
    /// [`TaskFlags`].
    pub flags: u32,
    /// Command name, NUL-padded.
    pub comm: [u8; 16],
}

const _: () = assert!(size_of::<TaskRecord>() == 200);
// SAFETY: repr(C), plain integers and byte arrays, no padding (size asserted above).
unsafe impl Record for TaskRecord {}

/// What a living thread other than the leader adds to its process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ThreadRecord {
    /// [`TaskKind::Thread`].
    pub kind: u32,
    /// Process it belongs to.
    pub tgid: u32,
    /// Counters.
    pub counters: TaskCounters,
}

const _: () = assert!(size_of::<ThreadRecord>() == 96);
// SAFETY: repr(C), plain integers, no padding (size asserted above).
unsafe impl Record for ThreadRecord {}

/// Absolute totals of final process records that found no room in the ring buffer, per CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct TaskTotals {
    /// Processes whose final record was lost.
    pub processes: u64,
    /// Sums of their counters.
    pub counters: TaskCounters,
}

const _: () = assert!(size_of::<TaskTotals>() == 96);
// SAFETY: repr(C), plain integers, no padding (size asserted above).
unsafe impl Record for TaskTotals {}
#[cfg(feature = "user")]
// SAFETY: as for `Record`.
unsafe impl aya::Pod for TaskTotals {}
