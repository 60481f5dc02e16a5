//! Attempts to connect that fail before anything is sent: no socket ever changes its state for
//! them. Each attempt is noted at the hook inside `connect()` and struck out when the socket
//! enters `SYN_SENT`; what is left when the thread is done, or tries again, came to nothing.
#![no_std]
#![no_main]
#![allow(
    missing_docs,
    reason = "the attribute macros drop the doc comments of entry points"
)]

use aya_ebpf::{
    bindings::BPF_ANY,
    btf_maps::{HashMap, PerCpuArray, RingBuf},
    helpers::generated::bpf_get_current_pid_tgid,
    macros::{btf_map, btf_tracepoint, cgroup_sock_addr},
    programs::{BtfTracePointContext, SockAddrContext},
};
use hostlens_ebpf::{
    probe::connect,
    wire::{ATTEMPTS as ROOM, AttemptRecord, tcp_state},
};

/// The last attempt of each thread that has not entered `SYN_SENT`.
#[btf_map]
static ATTEMPTS: HashMap<u64, AttemptRecord, ROOM> = HashMap::new();

/// Attempts that came to nothing and were followed by another of the same thread; user space
/// polls, nothing is woken.
#[btf_map]
static FAILED_ATTEMPTS: RingBuf<AttemptRecord, { 1 << 16 }> = RingBuf::new();

/// Attempts that found no room in either.
#[btf_map]
static ATTEMPTS_LOST: PerCpuArray<u64, 1> = PerCpuArray::new();

const NO_WAKEUP: u64 = 1;
/// Let it happen.
const PASS: i32 = 1;

#[inline(always)]
fn note(ctx: &SockAddrContext, v6: bool) -> i32 {
    // SAFETY: the context of a program at this hook.
    let record = unsafe {
        if !connect::is_tcp(ctx.sock_addr) {
            return PASS;
        }
        connect::attempt(ctx.sock_addr, v6)
    };
    if let Some(former) = ATTEMPTS.get_ptr_mut(record.thread) {
        // SAFETY: the entry is this thread's own; user space only removes those of threads that
        // have ended.
        unsafe {
            if FAILED_ATTEMPTS.output(*former, NO_WAKEUP).is_err() {
                lost();
            }
            *former = record;
        }
    } else if ATTEMPTS
        .insert(record.thread, record, u64::from(BPF_ANY))
        .is_err()
    {
        lost();
    }
    PASS
}

#[inline(always)]
fn lost() {
    if let Some(count) = ATTEMPTS_LOST.get_ptr_mut(0) {
        // SAFETY: a slot of this CPU.
        unsafe { *count += 1 };
    }
}

#[cgroup_sock_addr(connect4)]
pub fn connect_v4(ctx: SockAddrContext) -> i32 {
    note(&ctx, false)
}

#[cgroup_sock_addr(connect6)]
pub fn connect_v6(ctx: SockAddrContext) -> i32 {
    note(&ctx, true)
}

/// The kernel found a route, an address and a port: from here on the socket tells its own story.
#[btf_tracepoint(function = "inet_sock_set_state")]
pub fn connect_begun(ctx: BtfTracePointContext) -> i32 {
    let new: i32 = ctx.arg(2);
    if new == i32::from(tcp_state::SYN_SENT) {
        // SAFETY: a helper without arguments.
        let thread = unsafe { bpf_get_current_pid_tgid() };
        // Not there: nothing to strike out.
        let _ = ATTEMPTS.remove(thread);
    }
    0
}
