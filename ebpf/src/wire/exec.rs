//! The arguments of an interpreter at execve, so that a script that is gone before the next walk
//! still has its name.

use super::Record;

/// How much of the argument area is carried.
pub const EXEC_ARGS_BYTES: usize = 256;

/// One execve of an interpreter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct ExecRecord {
    /// [`super::TaskKind::Exec`].
    pub kind: u32,
    /// Process id as the host sees it.
    pub tgid: u32,
    /// Start of the process, ns of `CLOCK_BOOTTIME`.
    pub start_ns: u64,
    /// `task_struct.self_exec_id` after this execve.
    pub exec_id: u32,
    /// Bytes of `args` that are valid.
    pub len: u32,
    /// NUL-separated arguments as in `/proc/PID/cmdline`, cut off at the end.
    pub args: [u8; EXEC_ARGS_BYTES],
}

const _: () = assert!(size_of::<ExecRecord>() == 24 + EXEC_ARGS_BYTES);
// SAFETY: repr(C), plain integers and byte arrays, no padding (size asserted above).
unsafe impl Record for ExecRecord {}
