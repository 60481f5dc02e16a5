//! The counters of a thread, and those that ended threads left in `signal_struct`.

use crate::{
    offsets::{ABSENT, at},
    probe::load::{global, member, pointer},
    wire::{TaskCounters, TaskFlags},
};

const PF_EXITING: u32 = 0x4;

/// Of one thread.
///
/// # Safety
/// `task` is a `struct task_struct` known to the verifier, `signal` its `signal_struct`.
#[inline(always)]
pub unsafe fn of_thread(task: *const u8, signal: *const u8) -> TaskCounters {
    // SAFETY: promised by the caller.
    unsafe {
        let (run_delay_ns, block_delay_ns) = delays(task, signal);
        TaskCounters {
            runtime_ns: member(task, &at::TASK_RUNTIME),
            utime_ns: member(task, &at::TASK_UTIME),
            stime_ns: member(task, &at::TASK_STIME),
            read_bytes: member(task, &at::TASK_READ_BYTES),
            write_bytes: member(task, &at::TASK_WRITE_BYTES),
            minor_faults: member(task, &at::TASK_MIN_FLT),
            major_faults: member(task, &at::TASK_MAJ_FLT),
            voluntary: member(task, &at::TASK_NVCSW),
            involuntary: member(task, &at::TASK_NIVCSW),
            run_delay_ns,
            block_delay_ns,
        }
    }
}

/// Of a thread of which `signal_struct` has everything but its delays, unless others ended too.
///
/// # Safety
/// As for [`of_thread`].
#[inline(always)]
pub unsafe fn of_last_thread(task: *const u8, signal: *const u8) -> TaskCounters {
    // SAFETY: promised by the caller.
    let (run_delay_ns, block_delay_ns) = unsafe { delays(task, signal) };
    TaskCounters {
        run_delay_ns,
        block_delay_ns,
        ..TaskCounters::default()
    }
}

/// Of the threads that ended (`__exit_signal()` adds them, `taskstats_exit()` their delays).
///
/// # Safety
/// `signal` is a `struct signal_struct` known to the verifier.
#[inline(always)]
pub unsafe fn of_ended_threads(signal: *const u8) -> TaskCounters {
    // SAFETY: promised by the caller; without statistics the null pointer reads as zero.
    unsafe {
        let stats = pointer(signal, &at::SIG_STATS);
        TaskCounters {
            runtime_ns: member(signal, &at::SIG_RUNTIME),
            utime_ns: member(signal, &at::SIG_UTIME),
            stime_ns: member(signal, &at::SIG_STIME),
            read_bytes: member(signal, &at::SIG_READ_BYTES),
            write_bytes: member(signal, &at::SIG_WRITE_BYTES),
            minor_faults: member(signal, &at::SIG_MIN_FLT),
            major_faults: member(signal, &at::SIG_MAJ_FLT),
            voluntary: member(signal, &at::SIG_NVCSW),
            involuntary: member(signal, &at::SIG_NIVCSW),
            run_delay_ns: member(stats, &at::STATS_RUN_DELAY),
            block_delay_ns: member(stats, &at::STATS_BLKIO),
        }
    }
}

/// Which delays this kernel tells of a thread, as bits of [`TaskFlags`].
///
/// # Safety
/// `task` is a `struct task_struct` known to the verifier.
#[inline(always)]
pub unsafe fn known_delays(task: *const u8) -> u32 {
    let mut flags = 0;
    if global(&at::TASK_RUN_DELAY) != ABSENT {
        flags |= TaskFlags::RUN_DELAY;
    }
    // SAFETY: promised by the caller.
    if global(&at::DELAYS_BLKIO) != ABSENT && !unsafe { pointer(task, &at::TASK_DELAYS) }.is_null()
    {
        flags |= TaskFlags::BLOCK_DELAY;
    }
    flags
}

/// Time runnable and time waiting for storage. A thread on its way out has left both in the
/// statistics of its group, or is about to (`taskstats_exit()`, early in `do_exit()`, long before
/// the rest of its counters); only a thread that was always alone has no such place.
#[inline(always)]
unsafe fn delays(task: *const u8, signal: *const u8) -> (u64, u64) {
    // SAFETY: as for the callers; tasks without delay accounting have a null pointer there.
    unsafe {
        if member::<u32>(task, &at::TASK_FLAGS) & PF_EXITING != 0
            && !pointer(signal, &at::SIG_STATS).is_null()
        {
            return (0, 0);
        }
        let accounting = pointer(task, &at::TASK_DELAYS);
        (
            member(task, &at::TASK_RUN_DELAY),
            member(accounting, &at::DELAYS_BLKIO),
        )
    }
}
