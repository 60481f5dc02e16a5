//! A socket as the record user space reads.

use aya_ebpf::helpers::generated::bpf_skc_to_tcp_sock;

use crate::{
    offsets::at,
    probe::load::{bytes, member, pointer},
    wire::{Direction, SockFlags, SockKind, SockRecord, tcp_state},
};

use super::{
    listen::{self, Listeners},
    memory::SockState,
    transition::heal,
};

/// `SOCK_DONE` of `sock_common.skc_flags`: set by `tcp_fin()`, which also counts the FIN as one
/// received byte.
const SOCK_DONE: u64 = 1 << 1;
/// `SOCK_LINGER` of the same.
const SOCK_LINGER: u64 = 1 << 4;

/// Addresses and identity, from memory.
#[inline(always)]
pub fn identify(record: &mut SockRecord, state: &SockState) {
    record.id = state.id;
    record.born_ns = state.born_ns;
    record.local_addr = bytes(state.local);
    record.remote_addr = bytes(state.remote);
    record.netns = state.netns;
    record.local_port = state.local_port;
    record.remote_port = state.remote_port;
    record.direction = state.direction;
    record.listen_bind = state.listen_bind;
    record.v6 = state.v6;
    record.owner_tgid = state.owner_tgid;
    record.owner_start_ns = state.owner_start_ns;
    record.established_ns = state.established_ns;
    record.listener = state.listener;
    record.flags = state.flags;
}

/// Counters, from the socket. False if it is no TCP socket.
#[inline(always)]
pub fn measure(record: &mut SockRecord, sk: *const u8, state: &SockState) -> bool {
    // SAFETY: `sk` is a socket known to the verifier.
    let tp = unsafe { bpf_skc_to_tcp_sock(sk.cast_mut().cast()) }
        .cast::<u8>()
        .cast_const();
    if tp.is_null() {
        return false;
    }
    // SAFETY: `tp` is a `struct tcp_sock`, `sk` a `struct sock`; offsets are of these.
    unsafe {
        let socket_flags: u64 = member(sk, &at::SKC_FLAGS);
        record.bytes_sent = member(tp, &at::TP_BYTES_SENT);
        record.bytes_retrans = member(tp, &at::TP_BYTES_RETRANS);
        let fin = u64::from(socket_flags & SOCK_DONE != 0);
        record.bytes_received = member::<u64>(tp, &at::TP_BYTES_RECEIVED).saturating_sub(fin);
        if socket_flags & SOCK_LINGER != 0 {
            record.flags |= SockFlags::LINGER;
        }
        record.srtt_us = member::<u32>(tp, &at::TP_SRTT_US) >> 3;
        record.min_rtt_us = member(tp, &at::TP_RTT_MIN);
        record.data_segs_out = member(tp, &at::TP_DATA_SEGS_OUT);
        record.total_retrans = member(tp, &at::TP_TOTAL_RETRANS);
        record.delivered = member(tp, &at::TP_DELIVERED);
        record.unread = unread(tp, fin != 0);
        let written: u32 = member(tp, &at::TP_WRITE_SEQ);
        record.unacked = written.wrapping_sub(member(tp, &at::TP_SND_UNA));
        // Our SYN and our FIN take a sequence number each and are no bytes of the application.
        let phase = if record.old_state == 0 {
            record.state
        } else {
            record.old_state
        };
        let flag_in_flight = matches!(
            phase,
            tcp_state::SYN_SENT
                | tcp_state::SYN_RECV
                | tcp_state::FIN_WAIT1
                | tcp_state::LAST_ACK
                | tcp_state::CLOSING
        );
        if flag_in_flight && record.unacked > 0 {
            record.unacked -= 1;
        }
        record.error = member::<u32>(sk, &at::SK_ERR) as u16;
        record.soft_error = member::<u32>(sk, &at::SK_ERR_SOFT) as u16;
        record.retransmits = member(tp, &at::ICSK_RETRANSMITS);
        if record.local_port == 0 {
            record.local_port = u16::from_be(member(tp, &at::INET_SPORT));
        }
    }
    if state.closing_srtt_us != 0 {
        record.srtt_us = state.closing_srtt_us;
        record.delivered = state.closing_delivered;
    }
    true
}

/// Bytes received that nobody has read. Closing throws them away without counting them as read.
///
/// # Safety
/// `tp` is a `struct tcp_sock` known to the verifier.
#[inline(always)]
unsafe fn unread(tp: *const u8, fin: bool) -> u32 {
    // SAFETY: promised by the caller.
    let (received, read): (u32, u32) =
        unsafe { (member(tp, &at::TP_RCV_NXT), member(tp, &at::TP_COPIED_SEQ)) };
    let unread = received.wrapping_sub(read);
    // A FIN takes a sequence number that nobody reads as a byte.
    if fin && unread > 0 {
        unread - 1
    } else {
        unread
    }
}

/// What was never read of a socket that is destroyed, after its final record had left that open.
///
/// # Safety
/// `sk` is a socket known to the verifier.
#[inline(always)]
pub unsafe fn left_unread(sk: *const u8, state: &SockState) -> Option<SockRecord> {
    // SAFETY: promised by the caller.
    let tp = unsafe { bpf_skc_to_tcp_sock(sk.cast_mut().cast()) }
        .cast::<u8>()
        .cast_const();
    if tp.is_null() {
        return None;
    }
    // SAFETY: `tp` is a `struct tcp_sock`, `sk` a `struct sock`.
    let unread = unsafe {
        let fin = member::<u64>(sk, &at::SKC_FLAGS) & SOCK_DONE != 0;
        unread(tp, fin)
    };
    if unread == 0 {
        return None;
    }
    let mut record = SockRecord {
        kind: SockKind::Unread as u8,
        state: tcp_state::CLOSE,
        unread,
        ..zeroed()
    };
    identify(&mut record, state);
    Some(record)
}

/// One socket of a walk; sockets whose end was already told are left out. Listeners whose entry
/// found no room get it as soon as there is some.
///
/// # Safety
/// `sk` is a full socket of an iterator context.
#[inline(always)]
pub unsafe fn walk(
    listeners: &impl Listeners,
    sk: *const u8,
    state: &mut SockState,
    emit: impl FnOnce(&SockRecord),
) {
    // SAFETY: `sk` is a socket known to the verifier.
    let now: u8 = unsafe { member(sk, &at::SKC_STATE) };
    if state.ended == 1 || now == tcp_state::CLOSE {
        return;
    }
    if state.is_clone(sk) && state.direction == Direction::Unknown as u8 {
        // Not yet a connection, or its beginning was missed. What it is now was announced before.
        if matches!(now, tcp_state::LISTEN | tcp_state::SYN_RECV) {
            return;
        }
        // SAFETY: promised by the caller.
        unsafe { heal(listeners, sk, state, now) };
    }
    if state.local_port == 0 {
        // Opened a moment ago: the port is chosen after SYN_SENT was announced.
        // SAFETY: `sk` is a socket known to the verifier.
        unsafe { state.place(sk) };
    }
    let mut record = SockRecord {
        kind: SockKind::Live as u8,
        state: now,
        ..zeroed()
    };
    identify(&mut record, state);
    if now == tcp_state::LISTEN {
        listen::enter(listeners, sk as u64, state);
        // SAFETY: `sk` is a socket known to the verifier.
        unsafe {
            record.unread = member(sk, &at::SK_ACK_BACKLOG);
            record.unacked = member(sk, &at::SK_MAX_ACK_BACKLOG);
        }
        record.min_rtt_us = u32::MAX;
    } else if !measure(&mut record, sk, state) {
        return;
    }
    // The state's own flags change only under the socket's lock.
    // SAFETY: `sk` is a socket known to the verifier.
    if !unsafe { pointer(sk, &at::SK_SOCKET) }.is_null() {
        record.flags |= SockFlags::ACCEPTED;
    }
    emit(&record);
}

/// An empty record.
#[inline(always)]
pub fn zeroed() -> SockRecord {
    // SAFETY: all-zero bytes are a valid record.
    unsafe { core::mem::zeroed() }
}
