//! The task a program runs in, for kinds of programs that the verifier hands no typed pointers:
//! what they read goes through `bpf_probe_read_kernel` (for all kinds since 5.8).

use aya_ebpf::helpers::{bpf_probe_read_kernel, generated::bpf_get_current_task};

use crate::{
    offsets::{ABSENT, at},
    probe::load::global,
};

/// `PF_KTHREAD` of `include/linux/sched.h`.
const PF_KTHREAD: u32 = 0x0020_0000;

/// Reads a member; the default where this kernel lacks it or the address is bad.
///
/// # Safety
/// `offset` names a member of the structure at `base` as large as `T`.
#[inline(always)]
pub unsafe fn read<T: Copy + Default>(base: u64, offset: &'static u32) -> T {
    let offset = global(offset);
    if offset == ABSENT || base == 0 {
        return T::default();
    }
    let from = base.wrapping_add(u64::from(offset)) as *const T;
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_kernel(from) }.unwrap_or_default()
}

/// The task at work.
#[derive(Clone, Copy)]
pub struct Current(u64);

impl Current {
    /// Whatever was interrupted, if the program runs in a softirq.
    #[inline(always)]
    pub fn task() -> Self {
        // SAFETY: a helper without arguments.
        Self(unsafe { bpf_get_current_task() })
    }

    /// Another task, by its address.
    #[inline(always)]
    pub fn at(task: u64) -> Self {
        Self(task)
    }

    /// Process id; 0 for a thread of the kernel, which does nothing in its own name.
    #[inline(always)]
    pub fn tgid(self) -> u32 {
        // SAFETY: the task's own members.
        unsafe {
            if read::<u32>(self.0, &at::TASK_FLAGS) & PF_KTHREAD != 0 {
                return 0;
            }
            read(self.0, &at::TASK_TGID)
        }
    }

    /// Process id × 2³² + thread id, as `bpf_get_current_pid_tgid` gives it.
    #[inline(always)]
    pub fn thread(self) -> u64 {
        // SAFETY: the task's own members.
        unsafe {
            u64::from(read::<u32>(self.0, &at::TASK_TGID)) << 32
                | u64::from(read::<u32>(self.0, &at::TASK_PID))
        }
    }

    /// Start of the process, ns of `CLOCK_BOOTTIME`.
    #[inline(always)]
    pub fn process_start_ns(self) -> u64 {
        // SAFETY: the task's own member, and its leader's.
        unsafe {
            let leader: u64 = read(self.0, &at::TASK_GROUP_LEADER);
            read(leader, &at::TASK_START_BOOTTIME)
        }
    }

    /// CPU time of the thread, ns, as of the scheduler's last look.
    #[inline(always)]
    pub fn runtime_ns(self) -> u64 {
        // SAFETY: the task's own member.
        unsafe { read(self.0, &at::TASK_RUNTIME) }
    }
}
