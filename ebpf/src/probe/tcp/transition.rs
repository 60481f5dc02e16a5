//! Life-cycle of a socket, from `tp_btf/inet_sock_set_state` (same prototype since 4.16):
//! owner, addresses and direction at the open, the RTT before the close handshake disturbs it. The
//! end is in its own file.

use aya_ebpf::helpers::generated::{bpf_ktime_get_ns, bpf_skc_to_tcp_sock};

use crate::{
    offsets::at,
    probe::load::{member, pointer},
    wire::{Direction, ListenBind, SockFlags, tcp_state},
};

use super::{
    end::{End, closed},
    listen::{self, Listeners},
    memory::{SockState, Sockets},
    owner::{self, Current, Task},
};

/// All that a state change touches.
pub trait Maps: Sockets + Listeners + Current + End {}

impl<T: Sockets + Listeners + Current + End> Maps for T {}

/// One state change.
///
/// # Safety
/// `sk` is a socket known to the verifier.
#[inline(always)]
pub unsafe fn on_transition(maps: &impl Maps, sk: *const u8, old: u8, new: u8) {
    // SAFETY: promised by the caller.
    unsafe {
        if let Some(state) = maps.get(sk) {
            state.last = new;
            if new != tcp_state::SYN_RECV {
                heal(maps, sk, state, old);
            }
        }
        match new {
            tcp_state::SYN_SENT => connecting(maps, sk),
            tcp_state::LISTEN => listening(maps, sk),
            // A simultaneous open passes here from SYN_SENT and stays what it was.
            tcp_state::SYN_RECV if old != tcp_state::SYN_SENT => arriving(maps, sk),
            tcp_state::ESTABLISHED => established(maps, sk),
            tcp_state::FIN_WAIT1 | tcp_state::CLOSE_WAIT | tcp_state::LAST_ACK => {
                closing(maps, sk, old, new);
            }
            tcp_state::CLOSE => closed(maps, sk, old),
            _ => {}
        }
    }
}

/// Gives a socket that is older than the programs its state; true if it had none.
///
/// # Safety
/// `sk` is a socket known to the verifier.
#[inline(always)]
pub unsafe fn seed(maps: &(impl Sockets + Listeners), sk: *const u8) -> bool {
    if maps.get(sk).is_some() {
        return false;
    }
    let Some(state) = maps.get_or_create(sk) else {
        return false;
    };
    // SAFETY: promised by the caller.
    unsafe {
        state.begin(sk, Direction::Unknown, ListenBind::Unknown, 0);
        if member::<u8>(sk, &at::SKC_STATE) == tcp_state::LISTEN
            && !listen::enter(maps, sk as u64, state)
        {
            maps.lost_listener();
        }
    }
    true
}

/// Gives a socket that is held by a process, but older than the programs, that process as its
/// owner; true if it had none.
///
/// # Safety
/// `sk` is a socket known to the verifier.
#[inline(always)]
pub unsafe fn adopt(maps: &(impl Sockets + Listeners), sk: *const u8, task: Task) -> bool {
    // SAFETY: promised by the caller.
    let now: u8 = unsafe { member(sk, &at::SKC_STATE) };
    // Not connected: it gets its owner when it is.
    if now == tcp_state::CLOSE {
        return false;
    }
    // SAFETY: promised by the caller.
    unsafe { seed(maps, sk) };
    let Some(state) = maps.get(sk) else {
        return false;
    };
    if state.owner_tgid != 0 {
        return false;
    }
    state.own(task);
    if now == tcp_state::LISTEN
        && let Some(entry) = maps.listener(sk as u64)
    {
        entry.owner_tgid = state.owner_tgid;
        entry.owner_start_ns = state.owner_start_ns;
    }
    true
}

#[inline(always)]
unsafe fn connecting(maps: &impl Maps, sk: *const u8) {
    let Some(state) = maps.get_or_create(sk) else {
        return;
    };
    state.own(maps.current());
    state.listener = 0;
    state.listener_sk = 0;
    // SAFETY: promised by the caller; a helper without arguments.
    unsafe {
        let now = bpf_ktime_get_ns();
        state.begin(sk, Direction::Outbound, ListenBind::Unknown, now);
    }
    state.flags = SockFlags::ACCEPTED;
    state.last = tcp_state::SYN_SENT;
}

#[inline(always)]
unsafe fn listening(maps: &impl Maps, sk: *const u8) {
    let Some(state) = maps.get_or_create(sk) else {
        maps.lost_listener();
        return;
    };
    state.own(maps.current());
    state.listener = 0;
    // SAFETY: promised by the caller; a helper without arguments.
    unsafe {
        let now = bpf_ktime_get_ns();
        state.begin(sk, Direction::Unknown, ListenBind::Unknown, now);
    }
    state.last = tcp_state::LISTEN;
    if !listen::enter(maps, sk as u64, state) {
        maps.lost_listener();
    }
}

/// A peer's connection begins. It carries a clone of its listener's state, where sockets carry
/// any: owner and address of the listener are in place.
#[inline(always)]
unsafe fn arriving(maps: &impl Maps, sk: *const u8) {
    let Some(state) = maps.get_or_create(sk) else {
        return;
    };
    // SAFETY: promised by the caller.
    unsafe { arrive(sk, state) };
    state.last = tcp_state::SYN_RECV;
}

/// Makes a clone of a listener's state, or an empty one, that of a connection.
#[inline(always)]
unsafe fn arrive(sk: *const u8, state: &mut SockState) {
    let mut bind = ListenBind::Unknown;
    state.listener = 0;
    if state.listener_sk != 0 {
        bind = state.bind();
        state.listener = state.id;
    }
    // SAFETY: promised by the caller; a helper without arguments.
    unsafe {
        let now = bpf_ktime_get_ns();
        state.begin(sk, Direction::Inbound, bind, now);
    }
}

/// Makes up for changes of an inbound connection that no program saw: one that comes with a packet
/// while the program runs on the same CPU is not shown to it, as no program runs within itself.
/// `past` is a state the connection has passed or is in.
///
/// # Safety
/// `sk` is a socket known to the verifier.
#[inline(always)]
pub unsafe fn heal(maps: &impl Listeners, sk: *const u8, state: &mut SockState, past: u8) {
    let clone = state.is_clone(sk);
    if clone && state.direction == Direction::Unknown as u8 {
        // SAFETY: promised by the caller.
        unsafe { arrive(sk, state) };
    }
    let established = matches!(
        past,
        tcp_state::ESTABLISHED
            | tcp_state::FIN_WAIT1
            | tcp_state::FIN_WAIT2
            | tcp_state::CLOSE_WAIT
            | tcp_state::LAST_ACK
            | tcp_state::CLOSING
    );
    if clone && established && state.established_ns == 0 {
        // SAFETY: promised by the caller; a helper without arguments.
        unsafe {
            state.place(sk);
            state.established_ns = bpf_ktime_get_ns();
        }
        listen::joined(maps, state);
    }
}

#[inline(always)]
unsafe fn established(maps: &impl Maps, sk: *const u8) {
    let Some(state) = maps.get(sk) else { return };
    // SAFETY: promised by the caller; a helper without arguments.
    unsafe {
        state.place(sk);
        state.established_ns = bpf_ktime_get_ns();
        state.handshake_us = handshake_us(sk);
    }
    if state.direction == Direction::Inbound as u8 {
        if state.listener_sk == 0 {
            listen::find(maps, state);
        }
        listen::joined(maps, state);
    }
}

/// Round-trip time of the opening: measured just before the connection is called established, and
/// the only one so far.
#[inline(always)]
unsafe fn handshake_us(sk: *const u8) -> u32 {
    // SAFETY: promised by the caller.
    let tp = unsafe { bpf_skc_to_tcp_sock(sk.cast_mut().cast()) }
        .cast::<u8>()
        .cast_const();
    if tp.is_null() {
        return 0;
    }
    // SAFETY: `tp` is a `struct tcp_sock`.
    match unsafe { member(tp, &at::TP_RTT_MIN) } {
        u32::MAX => 0,
        rtt_us => rtt_us,
    }
}

/// Remembers the RTT, as the delayed acknowledgement of our FIN would spoil it, and who closes.
#[inline(always)]
unsafe fn closing(maps: &impl Maps, sk: *const u8, old: u8, new: u8) {
    let Some(state) = maps.get(sk) else { return };
    // SAFETY: promised by the caller.
    let tp = unsafe { bpf_skc_to_tcp_sock(sk.cast_mut().cast()) }
        .cast::<u8>()
        .cast_const();
    if tp.is_null() {
        return;
    }
    // SAFETY: `tp` is a `struct tcp_sock`; the rest is promised by the caller.
    unsafe {
        state.closing_srtt_us = member::<u32>(tp, &at::TP_SRTT_US) >> 3;
        state.closing_delivered = member(tp, &at::TP_DELIVERED);
        note_accepted(sk, state);
        if new != tcp_state::CLOSE_WAIT {
            owner::on_close(maps, sk, state, old);
        }
    }
}

/// An application that holds the socket now has accepted it; closing takes it away.
#[inline(always)]
pub(super) unsafe fn note_accepted(sk: *const u8, state: &mut SockState) {
    // SAFETY: promised by the caller.
    if !unsafe { pointer(sk, &at::SK_SOCKET) }.is_null() {
        state.flags |= SockFlags::ACCEPTED;
    }
}
