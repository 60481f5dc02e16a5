//! The counters of a thread, and those that ended threads left in `signal_struct`.

use crate::{offsets::at, probe::load::member};

/// Absolute counters, named as in `TaskRecord`.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Counters {
    pub runtime_ns: u64,
    pub utime_ns: u64,
    pub stime_ns: u64,
    pub read_bytes: u64,
    pub write_bytes: u64,
    pub minor_faults: u64,
    pub major_faults: u64,
    pub voluntary: u64,
    pub involuntary: u64,
}

impl Counters {
    /// Of one thread.
    ///
    /// # Safety
    /// `task` is a `struct task_struct` known to the verifier.
    #[inline(always)]
    pub unsafe fn of_thread(task: *const u8) -> Self {
        // SAFETY: promised by the caller.
        unsafe {
            Self {
                runtime_ns: member(task, &at::TASK_RUNTIME),
                utime_ns: member(task, &at::TASK_UTIME),
                stime_ns: member(task, &at::TASK_STIME),
                read_bytes: member(task, &at::TASK_READ_BYTES),
                write_bytes: member(task, &at::TASK_WRITE_BYTES),
                minor_faults: member(task, &at::TASK_MIN_FLT),
                major_faults: member(task, &at::TASK_MAJ_FLT),
                voluntary: member(task, &at::TASK_NVCSW),
                involuntary: member(task, &at::TASK_NIVCSW),
            }
        }
    }

    /// Of the threads that ended (`__exit_signal()` adds them).
    ///
    /// # Safety
    /// `signal` is a `struct signal_struct` known to the verifier.
    #[inline(always)]
    pub unsafe fn of_ended_threads(signal: *const u8) -> Self {
        // SAFETY: promised by the caller.
        unsafe {
            Self {
                runtime_ns: member(signal, &at::SIG_RUNTIME),
                utime_ns: member(signal, &at::SIG_UTIME),
                stime_ns: member(signal, &at::SIG_STIME),
                read_bytes: member(signal, &at::SIG_READ_BYTES),
                write_bytes: member(signal, &at::SIG_WRITE_BYTES),
                minor_faults: member(signal, &at::SIG_MIN_FLT),
                major_faults: member(signal, &at::SIG_MAJ_FLT),
                voluntary: member(signal, &at::SIG_NVCSW),
                involuntary: member(signal, &at::SIG_NIVCSW),
            }
        }
    }
}
