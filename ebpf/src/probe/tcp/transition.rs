//! Life-cycle of a socket, from `tp_btf/inet_sock_set_state` (same prototype since 4.16):
//! addresses and direction at the open, the RTT before the close handshake disturbs it, the final
//! counters at the transition to CLOSE, where they are intact on every path.

use aya_ebpf::helpers::generated::{
    bpf_get_current_pid_tgid, bpf_ktime_get_ns, bpf_skc_to_tcp_sock,
};

use crate::{
    offsets::at,
    probe::load::member,
    wire::{Direction, ListenBind, SockKind, SockRecord, tcp_state},
};

use super::{
    memory::{SockState, Sockets},
    record::{identify, measure, zeroed},
};

/// Takes the final record of a socket.
pub trait End {
    /// Hands the record to user space; counts it if there is no room.
    fn ended(&self, record: &SockRecord);
}

/// One state change.
///
/// # Safety
/// `sk` is a socket known to the verifier.
#[inline(always)]
pub unsafe fn on_transition(
    sockets: &impl Sockets,
    end: &impl End,
    sk: *const u8,
    old: u8,
    new: u8,
) {
    match new {
        tcp_state::SYN_SENT => opened(sockets, sk, Direction::Outbound, ListenBind::Unknown),
        tcp_state::LISTEN => listening(sockets, sk),
        // A simultaneous open passes here from SYN_SENT and stays what it was.
        tcp_state::SYN_RECV if old != tcp_state::SYN_SENT => {
            // The child carries a clone of its listener's state, where it carries any.
            let bind = match sockets.get(sk) {
                Some(parent) => parent.bind(),
                None => ListenBind::Unknown,
            };
            opened(sockets, sk, Direction::Inbound, bind);
        }
        tcp_state::ESTABLISHED => {
            if let Some(state) = sockets.get(sk) {
                // SAFETY: promised by the caller.
                unsafe { state.place(sk) };
            }
        }
        tcp_state::FIN_WAIT1 | tcp_state::CLOSE_WAIT | tcp_state::LAST_ACK => closing(sockets, sk),
        tcp_state::CLOSE => closed(sockets, end, sk, old),
        _ => {}
    }
}

/// Gives a socket that is older than the programs its state; true if it had none.
///
/// # Safety
/// `sk` is a socket known to the verifier.
#[inline(always)]
pub unsafe fn seed(sockets: &impl Sockets, sk: *const u8) -> bool {
    if sockets.get(sk).is_some() {
        return false;
    }
    match sockets.get_or_create(sk) {
        Some(state) => {
            // SAFETY: promised by the caller.
            unsafe { state.begin(sk, Direction::Unknown, ListenBind::Unknown, 0) };
            true
        }
        None => false,
    }
}

#[inline(always)]
fn opened(sockets: &impl Sockets, sk: *const u8, direction: Direction, bind: ListenBind) {
    if let Some(state) = sockets.get_or_create(sk) {
        // SAFETY: helpers without arguments.
        let (now, current) = unsafe { (bpf_ktime_get_ns(), bpf_get_current_pid_tgid()) };
        if direction as u8 == Direction::Outbound as u8 {
            state.owner_tgid = (current >> 32) as u32;
        }
        // SAFETY: `sk` is a socket known to the verifier.
        unsafe { state.begin(sk, direction, bind, now) };
    }
}

#[inline(always)]
fn listening(sockets: &impl Sockets, sk: *const u8) {
    opened(sockets, sk, Direction::Unknown, ListenBind::Unknown);
    if let Some(state) = sockets.get(sk) {
        // SAFETY: a helper without arguments.
        state.owner_tgid = (unsafe { bpf_get_current_pid_tgid() } >> 32) as u32;
    }
}

/// Remembers the RTT: the delayed acknowledgement of our FIN would spoil it.
#[inline(always)]
fn closing(sockets: &impl Sockets, sk: *const u8) {
    let Some(state) = sockets.get(sk) else { return };
    // SAFETY: `sk` is a socket known to the verifier.
    let tp = unsafe { bpf_skc_to_tcp_sock(sk.cast_mut().cast()) }
        .cast::<u8>()
        .cast_const();
    if tp.is_null() {
        return;
    }
    // SAFETY: `tp` is a `struct tcp_sock`.
    unsafe {
        state.closing_srtt_us = member::<u32>(tp, &at::TP_SRTT_US) >> 3;
        state.closing_delivered = member(tp, &at::TP_DELIVERED);
    }
}

#[inline(always)]
fn closed(sockets: &impl Sockets, end: &impl End, sk: *const u8, old: u8) {
    let Some(state) = sockets.get(sk) else { return };
    if old == tcp_state::LISTEN || state.ended == 1 {
        state.ended = 1;
        sockets.forget(sk);
        return;
    }
    state.ended = 1;
    let kind = match old {
        tcp_state::SYN_SENT | tcp_state::SYN_RECV => SockKind::Failed,
        _ => SockKind::Final,
    };
    let mut record = SockRecord {
        kind: kind as u8,
        state: tcp_state::CLOSE,
        old_state: old,
        ..zeroed()
    };
    let known: SockState = *state;
    identify(&mut record, &known);
    if measure(&mut record, sk, &known) {
        end.ended(&record);
    }
    sockets.forget(sk);
}
