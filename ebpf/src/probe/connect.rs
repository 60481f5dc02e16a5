//! An attempt to connect, from the hook that runs inside `connect()` before the kernel looks for a
//! route (`BPF_CGROUP_INET4_CONNECT`, `BPF_CGROUP_INET6_CONNECT`, since 4.17).

use aya_ebpf::{
    bindings::bpf_sock_addr,
    helpers::{bpf_probe_read_kernel, generated::bpf_ktime_get_ns},
};

use crate::{
    offsets::at,
    probe::{
        current::{Current, read},
        load::bytes,
    },
    wire::AttemptRecord,
};

const IPPROTO_TCP: u32 = 6;
/// `::ffff:0.0.0.0/96` as it lies in memory.
const MAPPED: u32 = u32::from_ne_bytes([0, 0, 0xFF, 0xFF]);

/// Whether the socket is one of TCP.
///
/// # Safety
/// `ctx` is the context of a program at one of these hooks.
#[inline(always)]
pub unsafe fn is_tcp(ctx: *const bpf_sock_addr) -> bool {
    // SAFETY: promised by the caller.
    unsafe { (&raw const (*ctx).protocol).read_volatile() == IPPROTO_TCP }
}

/// The attempt; `v6` tells which of the two hooks it is.
///
/// # Safety
/// As for [`is_tcp`].
#[inline(always)]
pub unsafe fn attempt(ctx: *const bpf_sock_addr, v6: bool) -> AttemptRecord {
    let current = Current::task();
    // SAFETY: all-zero bytes are a valid record.
    let mut record: AttemptRecord = unsafe { core::mem::zeroed() };
    // SAFETY: promised by the caller; the verifier turns reads of the context's members, each of
    // its own size, into reads of what they stand for.
    unsafe {
        record.remote_addr = bytes(if v6 {
            let words = (&raw const (*ctx).user_ip6).cast::<u32>();
            [
                words.read_volatile(),
                words.add(1).read_volatile(),
                words.add(2).read_volatile(),
                words.add(3).read_volatile(),
            ]
        } else {
            let word = (&raw const (*ctx).user_ip4).read_volatile();
            [0, 0, MAPPED, word]
        });
        let port = (&raw const (*ctx).user_port).read_volatile();
        record.remote_port = u16::from_be(port as u16);
        record.began_ns = bpf_ktime_get_ns();
        // The socket's namespace need not be the task's.
        let socket = (&raw const (*ctx).__bindgen_anon_1.sk).read_volatile() as u64;
        record.netns = namespace(socket);
    }
    record.thread = current.thread();
    record.owner_start_ns = current.process_start_ns();
    record.runtime_ns = current.runtime_ns();
    record.v6 = u8::from(v6);
    record
}

/// Inode number of a socket's network namespace.
///
/// # Safety
/// `socket` is the address of a socket.
#[inline(always)]
unsafe fn namespace(socket: u64) -> u32 {
    // The verifier knows this pointer as a socket's and allows no sums with it; a copy is a number.
    let kept = core::hint::black_box(socket);
    // SAFETY: a local variable; then the socket's member and the namespace's.
    unsafe {
        let Ok(number) = bpf_probe_read_kernel(&raw const kept) else {
            return 0;
        };
        let net: u64 = read(number, &at::SKC_NET);
        read(net, &at::NET_INUM)
    }
}
