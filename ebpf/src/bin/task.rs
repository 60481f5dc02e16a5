//! Processes: a walk of all tasks, the final counters of those that end, names of interpreters.
#![no_std]
#![no_main]
#![allow(
    missing_docs,
    reason = "the attribute macros drop the doc comments of entry points"
)]

use core::ffi::c_void;

use aya_ebpf::{
    btf_maps::{PerCpuArray, RingBuf},
    macros::{btf_map, btf_tracepoint},
    programs::BtfTracePointContext,
};
use aya_log_ebpf::{debug, warn};
use hostlens_ebpf::{
    probe::{iter, task},
    wire::{ExecRecord, TaskRecord, TaskTotals},
};

/// Final records and arguments of interpreters; user space polls, nothing is woken. Resized at
/// load.
#[btf_map]
static TASK_EVENTS: RingBuf<TaskRecord, { 1 << 19 }> = RingBuf::new();

/// Absolute totals of final records that found no room.
#[btf_map]
static TASK_OVERFLOW: PerCpuArray<TaskTotals, 1> = PerCpuArray::new();

/// Execve records that found no room.
#[btf_map]
static EXEC_LOST: PerCpuArray<u64, 1> = PerCpuArray::new();

const NO_WAKEUP: u64 = 1;

/// Walk of all tasks (`struct bpf_iter__task`: meta, task).
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
fn task_walk(ctx: *mut c_void) -> i32 {
    // SAFETY: the context has two slots; the task is null at the end of the walk.
    unsafe {
        let current = iter::slot(ctx, 1);
        if !current.is_null() {
            task::walk(ctx, current);
        }
    }
    0
}

/// Final counters: at `sched_process_exit` the running time is still stale, one RCU period later
/// it is complete.
#[btf_tracepoint(function = "sched_process_free")]
pub fn task_freed(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the tracepoint's only argument is a task.
    let Some(record) = (unsafe { task::ended(ctx.arg(0)) }) else {
        return 0;
    };
    if TASK_EVENTS.output(record, NO_WAKEUP).is_ok() {
        debug!(&ctx, "process {} ended", record.tgid);
        return 0;
    }
    warn!(
        &ctx,
        "no room for the final record of process {}", record.tgid
    );
    if let Some(totals) = TASK_OVERFLOW.get_ptr_mut(0) {
        // SAFETY: a slot of this CPU; the program does not nest on one CPU.
        unsafe {
            (*totals).processes += 1;
            (*totals).counters += record.counters;
        }
    }
    0
}

/// Arguments of interpreters, so that a script that lives between two walks has its name.
#[btf_tracepoint(function = "sched_process_exec")]
pub fn task_executed(ctx: BtfTracePointContext) -> i32 {
    let current: *const u8 = ctx.arg(0);
    // SAFETY: the tracepoint's first argument is a task, running in its new address space.
    unsafe {
        if !task::interpreter(current) {
            return 0;
        }
        let Some(entry) = TASK_EVENTS.reserve_bytes(size_of::<ExecRecord>(), 0) else {
            if let Some(lost) = EXEC_LOST.get_ptr_mut(0) {
                *lost += 1;
            }
            return 0;
        };
        let mut entry = entry;
        if task::read_args(current, entry.as_mut_ptr().cast()) {
            entry.submit(NO_WAKEUP);
        } else {
            entry.discard(NO_WAKEUP);
        }
    }
    0
}
