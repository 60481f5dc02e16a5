//! One process, one of its threads, or a process that just ended.

use super::Record;

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
    /// CPU time, ns, exact (`se.sum_exec_runtime`, `signal_struct.sum_sched_runtime`).
    pub runtime_ns: u64,
    /// Share of user mode as sampled by the tick, ns.
    pub utime_ns: u64,
    /// Share of system mode as sampled by the tick, ns.
    pub stime_ns: u64,
    /// Bytes fetched from storage (`task_io_accounting.read_bytes`).
    pub read_bytes: u64,
    /// Bytes sent to storage, charged when the page is dirtied (`write_bytes`).
    pub write_bytes: u64,
    /// Minor page faults.
    pub minor_faults: u64,
    /// Major page faults.
    pub major_faults: u64,
    /// Voluntary context switches.
    pub voluntary: u64,
    /// Involuntary context switches.
    pub involuntary: u64,
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

const _: () = assert!(size_of::<TaskRecord>() == 184);
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
    /// See [`TaskRecord::runtime_ns`].
    pub runtime_ns: u64,
    /// See [`TaskRecord::utime_ns`].
    pub utime_ns: u64,
    /// See [`TaskRecord::stime_ns`].
    pub stime_ns: u64,
    /// See [`TaskRecord::read_bytes`].
    pub read_bytes: u64,
    /// See [`TaskRecord::write_bytes`].
    pub write_bytes: u64,
    /// See [`TaskRecord::minor_faults`].
    pub minor_faults: u64,
    /// See [`TaskRecord::major_faults`].
    pub major_faults: u64,
    /// See [`TaskRecord::voluntary`].
    pub voluntary: u64,
    /// See [`TaskRecord::involuntary`].
    pub involuntary: u64,
}

const _: () = assert!(size_of::<ThreadRecord>() == 80);
// SAFETY: repr(C), plain integers, no padding (size asserted above).
unsafe impl Record for ThreadRecord {}

/// Absolute totals of final process records that found no room in the ring buffer, per CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct TaskTotals {
    /// Processes whose final record was lost.
    pub processes: u64,
    /// Sum of their [`TaskRecord::runtime_ns`].
    pub runtime_ns: u64,
    /// Sum of their [`TaskRecord::utime_ns`].
    pub utime_ns: u64,
    /// Sum of their [`TaskRecord::stime_ns`].
    pub stime_ns: u64,
    /// Sum of their [`TaskRecord::read_bytes`].
    pub read_bytes: u64,
    /// Sum of their [`TaskRecord::write_bytes`].
    pub write_bytes: u64,
    /// Sum of their [`TaskRecord::minor_faults`].
    pub minor_faults: u64,
    /// Sum of their [`TaskRecord::major_faults`].
    pub major_faults: u64,
    /// Sum of their [`TaskRecord::voluntary`].
    pub voluntary: u64,
    /// Sum of their [`TaskRecord::involuntary`].
    pub involuntary: u64,
}

const _: () = assert!(size_of::<TaskTotals>() == 80);
// SAFETY: repr(C), plain integers, no padding (size asserted above).
unsafe impl Record for TaskTotals {}
#[cfg(feature = "user")]
// SAFETY: as for `Record`.
unsafe impl aya::Pod for TaskTotals {}
