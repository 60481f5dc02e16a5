//! Ends of sockets. Counters are taken at the transition to CLOSE, where they are intact on every
//! path; what an application reads after that, at `tp_btf/tcp_destroy_sock`.

use aya_ebpf::helpers::generated::bpf_ktime_get_ns;

use crate::{
    offsets::at,
    probe::load::{member, pointer},
    wire::{SockFlags, SockKind, SockRecord, tcp_state},
};

use super::{
    listen,
    memory::SockState,
    owner,
    record::{identify, left_unread, measure, zeroed},
    transition::{Maps, heal, note_accepted},
};

/// `SS_UNCONNECTED` of `enum socket_state`: `connect()` was not called, or has not returned.
const SS_UNCONNECTED: u32 = 1;

/// Takes the last records of a socket.
pub trait End {
    /// Hands the record to user space; counts it if there is no room.
    fn ended(&self, record: &SockRecord);
}

/// A socket came to CLOSE.
///
/// # Safety
/// `sk` is a socket known to the verifier.
#[inline(always)]
pub unsafe fn closed(maps: &impl Maps, sk: *const u8, old: u8) {
    let Some(state) = maps.get(sk) else { return };
    if old == tcp_state::LISTEN {
        listen::leave(maps, sk as u64, state);
    }
    if old == tcp_state::LISTEN || state.ended == 1 {
        state.ended = 1;
        maps.forget(sk);
        return;
    }
    state.ended = 1;
    // SAFETY: promised by the caller.
    let error = unsafe {
        note_accepted(sk, state);
        let error: u32 = member(sk, &at::SK_ERR);
        let by_application = matches!(
            old,
            tcp_state::ESTABLISHED | tcp_state::CLOSE_WAIT | tcp_state::SYN_SENT
        );
        if error == 0 && by_application {
            owner::on_close(maps, sk, state, old);
        }
        error
    };
    let kind = match old {
        tcp_state::SYN_SENT | tcp_state::SYN_RECV => SockKind::Failed,
        _ => SockKind::Final,
    };
    let mut record = SockRecord {
        kind: kind as u8,
        state: tcp_state::CLOSE,
        old_state: old,
        // SAFETY: a helper without arguments.
        ended_ns: unsafe { bpf_ktime_get_ns() },
        ..zeroed()
    };
    identify(&mut record, state);
    if !measure(&mut record, sk, state) {
        maps.forget(sk);
        return;
    }
    // SAFETY: promised by the caller.
    unsafe {
        if old == tcp_state::SYN_SENT && had_no_port(sk, &record) {
            record.flags |= SockFlags::NO_PORT;
        }
        if record.unread > 0 && may_be_read(sk, old, error) {
            state.flags |= SockFlags::UNREAD_LATER;
            record.flags |= SockFlags::UNREAD_LATER;
            record.unread = 0;
        }
    }
    maps.ended(&record);
    if state.flags & SockFlags::UNREAD_LATER == 0 {
        maps.forget(sk);
    }
}

/// A socket is about to be destroyed: nobody can read from it any more.
///
/// # Safety
/// `sk` is a socket known to the verifier.
#[inline(always)]
pub unsafe fn on_destroy(maps: &impl Maps, sk: *const u8) {
    let Some(state) = maps.get(sk) else { return };
    if state.ended == 0 && state.last != tcp_state::CLOSE {
        // Nobody saw it close.
        let last = state.last;
        // SAFETY: promised by the caller.
        unsafe {
            heal(maps, sk, state, last);
            closed(maps, sk, last);
        }
        return;
    }
    if state.flags & SockFlags::UNREAD_LATER != 0 {
        let known: &SockState = state;
        // SAFETY: promised by the caller.
        if let Some(record) = unsafe { left_unread(sk, known) } {
            maps.ended(&record);
        }
        state.flags = 0;
    }
    maps.forget(sk);
}

/// Whether the attempt ended inside `connect()`: no local port was chosen, or the one that was
/// bound is connected to that peer already. Whatever comes after the request was sent finds the
/// socket connecting.
#[inline(always)]
unsafe fn had_no_port(sk: *const u8, record: &SockRecord) -> bool {
    if record.local_port == 0 {
        return true;
    }
    // SAFETY: promised by the caller.
    let socket = unsafe { pointer(sk, &at::SK_SOCKET) };
    if socket.is_null() || record.error != 0 {
        return false;
    }
    // SAFETY: the member is a `struct socket` known to the verifier.
    unsafe { member::<u32>(socket, &at::SOCKET_STATE) == SS_UNCONNECTED }
}

/// Whether an application holds the socket and what it has not read: the network ended the
/// connection, or the application had closed its sending side alone. Where the application itself
/// ends it, closing has emptied the queue already, or disconnecting is about to.
#[inline(always)]
unsafe fn may_be_read(sk: *const u8, old: u8, error: u32) -> bool {
    if error == 0 && matches!(old, tcp_state::ESTABLISHED | tcp_state::CLOSE_WAIT) {
        return false;
    }
    // SAFETY: promised by the caller.
    unsafe { !pointer(sk, &at::SK_SOCKET).is_null() && member::<u32>(sk, &at::SK_RECEIVE_QLEN) > 0 }
}
