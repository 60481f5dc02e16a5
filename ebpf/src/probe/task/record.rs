//! Tasks as the records user space reads.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;

use crate::{
    offsets::{ABSENT, at, set},
    probe::{
        iter,
        load::{bytes, global, member, pointer, words},
    },
    wire::{TaskCounters, TaskFlags, TaskKind, TaskRecord, ThreadRecord},
};

use super::{counters, fds};

const PF_KTHREAD: u32 = 0x0020_0000;

/// One task of a walk: a process for each leader, a thread for all others.
///
/// # Safety
/// `ctx` is the context of `iter/task` and `task` the task in it, not null.
#[inline(always)]
pub unsafe fn walk(ctx: *const c_void, task: *const u8) {
    // SAFETY: promised by the caller.
    unsafe {
        let pid: u32 = member(task, &at::TASK_PID);
        let tgid: u32 = member(task, &at::TASK_TGID);
        let signal = pointer(task, &at::TASK_SIGNAL);
        let own = counters::of_thread(task, signal);
        if pid != tgid {
            let record = ThreadRecord {
                kind: TaskKind::Thread as u32,
                tgid,
                counters: own,
            };
            iter::emit(ctx, &record);
            return;
        }
        let mut record = zeroed(TaskKind::Process);
        describe(&mut record, task, own);
        record.open_fds = fds::count(task);
        iter::emit(ctx, &record);
    }
}

/// The final record of a process at `sched_process_free`: `signal_struct` then holds the totals
/// of all its threads, the leader included. `None` for other threads.
///
/// # Safety
/// `task` is the argument of `tp_btf/sched_process_free`.
#[inline(always)]
pub unsafe fn ended(task: *const u8) -> Option<TaskRecord> {
    // SAFETY: promised by the caller.
    unsafe {
        if member::<u32>(task, &at::TASK_PID) != member::<u32>(task, &at::TASK_TGID) {
            return None;
        }
        let mut record = zeroed(TaskKind::Final);
        let own = counters::of_last_thread(task, pointer(task, &at::TASK_SIGNAL));
        describe(&mut record, task, own);
        Some(record)
    }
}

#[inline(always)]
fn zeroed(kind: TaskKind) -> TaskRecord {
    // SAFETY: all-zero bytes are a valid record.
    let mut record: TaskRecord = unsafe { core::mem::zeroed() };
    record.kind = kind as u32;
    record
}

/// Fills everything but descriptors; `own` are the leader's counters as long as they are not yet
/// in `signal_struct`.
#[inline(always)]
unsafe fn describe(record: &mut TaskRecord, task: *const u8, own: TaskCounters) {
    // SAFETY: `task` is a `struct task_struct`; null pointers on the way read as zero.
    unsafe {
        let signal = pointer(task, &at::TASK_SIGNAL);
        record.counters = own;
        record.counters += counters::of_ended_threads(signal);
        record.flags |= counters::known_delays(task);

        record.tgid = member(task, &at::TASK_TGID);
        record.start_ns = member(task, &at::TASK_START_BOOTTIME);
        record.comm = bytes(words(task, &at::TASK_COMM));
        record.exec_id = member(task, &at::TASK_EXEC_ID);
        record.exit_code = member(task, &at::TASK_EXIT_CODE);
        let cred = pointer(task, &at::TASK_REAL_CRED);
        record.uid = member(cred, &at::CRED_EUID);
        record.threads = member(signal, &at::SIG_NR_THREADS);
        record.fd_limit = member(signal, &at::SIG_NOFILE);
        record.cgroup_id = cgroup(task, &mut record.flags);
        if member::<u32>(task, &at::TASK_FLAGS) & PF_KTHREAD != 0 {
            record.flags |= TaskFlags::KERNEL_THREAD;
        }
        if record.kind == TaskKind::Final as u32 {
            // `mark_oom_victim()` leaves its mark for as long as the structure lives.
            if !pointer(signal, &at::SIG_OOM_MM).is_null() {
                record.flags |= TaskFlags::OOM_VICTIM;
            }
            // Relatives, namespaces and address space are gone by now.
            return;
        }
        if member::<u32>(task, &at::TASK_EXIT_STATE) != 0 {
            record.flags |= TaskFlags::ZOMBIE;
        }
        let parent = pointer(task, &at::TASK_REAL_PARENT);
        record.ppid = member(parent, &at::TASK_TGID);
        let namespaces = pointer(task, &at::TASK_NSPROXY);
        let net = pointer(namespaces, &at::NSPROXY_NET);
        record.netns = member(net, &at::NET_INUM);
        pages(record, task);
    }
}

/// Page counters of the address space. Up to 6.1 they are exact (`atomic_long_t count[4]`), from
/// 6.2 the central part of per-CPU counters: a hint that something changed.
#[inline(always)]
unsafe fn pages(record: &mut TaskRecord, task: *const u8) {
    // SAFETY: as for the caller; the settings lie inside `struct mm_struct` by construction.
    unsafe {
        let mm = pointer(task, &at::TASK_MM);
        let first = global(&set::MM_RSS);
        if mm.is_null() || first == ABSENT {
            return;
        }
        record.flags |= TaskFlags::HAS_MM;
        if global(&set::MM_RSS_EXACT) == 1 {
            // The verifier of these kernels does not see through an array of a typedef.
            let counts = (&raw mut record.rss).cast();
            if bpf_probe_read_kernel(counts, 32, mm.add(first as usize).cast()) == 0 {
                record.flags |= TaskFlags::RSS_EXACT;
            }
            return;
        }
        let stride = global(&set::MM_RSS_STRIDE) as usize;
        let base = mm.add(first as usize);
        record.rss[0] = base.cast::<i64>().read_volatile();
        record.rss[1] = base.add(stride).cast::<i64>().read_volatile();
        record.rss[2] = base.add(2 * stride).cast::<i64>().read_volatile();
        record.rss[3] = base.add(3 * stride).cast::<i64>().read_volatile();
    }
}

/// Cgroup id: v2 unless the task sits in its root and there is a v1 hierarchy to ask.
#[inline(always)]
unsafe fn cgroup(task: *const u8, flags: &mut u32) -> u64 {
    const ROOT: u64 = 1;
    // SAFETY: as for the caller.
    unsafe {
        let css_set = pointer(task, &at::TASK_CGROUPS);
        let v2: u64 = id(pointer(css_set, &at::CSS_SET_DFL_CGRP));
        if v2 > ROOT || global(&set::CSS_SET_V1) == ABSENT {
            return v2;
        }
        *flags |= TaskFlags::CGROUP_V1;
        let state = pointer(css_set, &set::CSS_SET_V1);
        id(pointer(state, &at::CSS_CGROUP))
    }
}

#[inline(always)]
unsafe fn id(cgroup: *const u8) -> u64 {
    // SAFETY: `cgroup` is a `struct cgroup`.
    unsafe { member(pointer(cgroup, &at::CGROUP_KN), &at::KERNFS_NODE_ID) }
}
