//! Whose a socket is: the process that opened it or its listener, until another is seen reading
//! from it or, if nobody reads, closing it.

use crate::{
    offsets::at,
    probe::load::{member, pointer, probe},
    wire::{SockFlags, tcp_state},
};

use super::memory::{SockState, Sockets};

const PF_EXITING: u32 = 0x4;
const PF_KTHREAD: u32 = 0x0020_0000;

/// A task, as far as ownership goes.
#[derive(Clone, Copy)]
pub struct Task {
    /// Its process.
    pub tgid: u32,
    /// `PF_*`.
    pub flags: u32,
    /// Start of the process, ns of `CLOCK_BOOTTIME`.
    pub start_ns: u64,
}

/// Tells which task runs.
pub trait Current {
    /// The running task.
    fn current(&self) -> Task;
    /// Its process alone, which costs less.
    fn current_tgid(&self) -> u32;
}

impl Task {
    /// From a pointer the verifier knows.
    ///
    /// # Safety
    /// `task` is a `struct task_struct` known to the verifier.
    #[inline(always)]
    pub unsafe fn typed(task: *const u8) -> Self {
        // SAFETY: promised by the caller.
        unsafe {
            Self {
                tgid: member(task, &at::TASK_TGID),
                flags: member(task, &at::TASK_FLAGS),
                start_ns: member(
                    pointer(task, &at::TASK_GROUP_LEADER),
                    &at::TASK_START_BOOTTIME,
                ),
            }
        }
    }

    /// From an address (`bpf_get_current_task_btf` came with 5.11).
    #[inline(always)]
    pub fn probed(task: u64) -> Self {
        Self {
            tgid: probe(task, &at::TASK_TGID),
            flags: probe(task, &at::TASK_FLAGS),
            start_ns: probe(
                probe(task, &at::TASK_GROUP_LEADER),
                &at::TASK_START_BOOTTIME,
            ),
        }
    }

    /// A kernel thread: works for others and owns nothing.
    #[inline(always)]
    pub fn is_kernel(&self) -> bool {
        self.flags & PF_KTHREAD != 0
    }
}

impl SockState {
    /// Makes a process the owner; for a kernel thread there is none.
    #[inline(always)]
    pub fn own(&mut self, task: Task) {
        if task.is_kernel() {
            self.owner_tgid = 0;
            self.owner_start_ns = 0;
        } else {
            self.owner_tgid = task.tgid;
            self.owner_start_ns = task.start_ns;
        }
    }
}

/// Whether the running task is at work on the socket. Without it the kernel does the work in an
/// interrupt, and whatever task runs has nothing to do with it; what arrives while a task is at
/// work waits for that task to let go, and is then processed by it.
///
/// # Safety
/// `sk` is a socket known to the verifier.
#[inline(always)]
pub unsafe fn held(sk: *const u8) -> bool {
    // SAFETY: promised by the caller.
    unsafe { member::<u32>(sk, &at::SK_LOCK_OWNED) != 0 }
}

/// Data was copied to a reader: the only hook on the way of data, so all but a change of reader
/// ends after a look-up and a comparison.
///
/// # Safety
/// `sk` is a socket known to the verifier.
#[inline(always)]
pub unsafe fn on_read(maps: &(impl Sockets + Current), sk: *const u8) {
    let Some(state) = maps.get(sk) else { return };
    if state.owner_tgid == maps.current_tgid() && state.flags & SockFlags::OWNER_READ != 0 {
        return;
    }
    // Protocols in the kernel read in interrupts and kernel threads.
    // SAFETY: promised by the caller.
    if !unsafe { held(sk) } {
        return;
    }
    let reader = maps.current();
    if !reader.is_kernel() {
        state.own(reader);
        state.flags |= SockFlags::OWNER_READ | SockFlags::ACCEPTED;
    }
}

/// A task closes the socket or its sending side, or gives up connecting, which leaves the attempt
/// to whoever made it.
///
/// # Safety
/// `sk` is a socket known to the verifier, and the transition from `old` is one that only the
/// application brings about.
#[inline(always)]
pub unsafe fn on_close(maps: &impl Current, sk: *const u8, state: &mut SockState, old: u8) {
    // SAFETY: promised by the caller.
    if !unsafe { held(sk) } {
        return;
    }
    let closer = maps.current();
    if closer.is_kernel() {
        return;
    }
    if state.flags & SockFlags::OWNER_READ == 0 && old != tcp_state::SYN_SENT {
        state.own(closer);
    }
    if closer.flags & PF_EXITING != 0 {
        state.flags |= SockFlags::OWNER_DYING;
    }
}
