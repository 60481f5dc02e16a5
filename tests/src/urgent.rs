//! Threads that what they measure depends on.

/// Makes the calling thread, and those it starts from now on, run as soon as they have something
/// to do, before all but those of a higher `priority` (1 to 99): what is stamped by a thread that
/// other work keeps waiting is not when it happened.
///
/// Without the privilege it stays as it is, which does on an idle host.
pub fn run_before_others(priority: i32) {
    let parameter = libc::sched_param {
        sched_priority: priority,
    };
    // SAFETY: 0 is the calling thread; the parameter lives through the call.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameter) };
}
