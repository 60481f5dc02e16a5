//! Times to first byte: what the state machine of [`crate::turn`] is shown, and where its outcome
//! goes. `tcp_rcv_established()` passes `tp_btf/tcp_probe` before it looks at the segment: the
//! socket is as the last segment and the application since then have left it.

use aya_ebpf::helpers::generated::{bpf_ktime_get_ns, bpf_skc_to_tcp_sock};

use super::{
    Sockets,
    group::{self, GroupMaps, Remembered},
    place::{self, Places},
};
use crate::{
    offsets::at,
    probe::load::{global, member},
    turn::{Nanos, Outcome, Segment, Socket, Turn},
    wire::{Direction, RttKey, TurnCost, TurnGroup, TurnSlot, TurnTimes},
};

/// FIN of a TCP header's flags.
const FIN: u8 = 1;
/// One run in 64 is timed, spread so that it falls into no step with what runs in turn: the golden
/// ratio times 2⁶⁴, of whose multiples the upper six bits are looked at.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// What is remembered of a socket.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct TurnState {
    key: RttKey,
    turn: Turn,
    peer: Remembered,
    listener: Remembered,
    /// See [`place::decide`].
    guessed: u32,
    /// Which time of watching it belongs to; 0: none.
    era: u32,
    /// Network namespace.
    netns: u32,
    /// Zero.
    reserved: u32,
}

/// The maps.
#[expect(
    clippy::mut_from_ref,
    reason = "maps are outside the program; the kernel hands out their values"
)]
pub trait TurnMaps: Sockets + Places {
    /// Those of the groups.
    type Groups: GroupMaps<Slot = TurnSlot>;
    /// Those of the groups.
    fn groups(&self) -> &Self::Groups;
    /// What is remembered of a socket.
    fn turn(&self, sk: *const u8) -> Option<&mut TurnState>;
    /// As [`TurnMaps::turn`], zeroed if it was not there; `None` without memory.
    fn create_turn(&self, sk: *const u8) -> Option<&mut TurnState>;
    /// Forgets a socket where the map does not do so by itself.
    fn forget_turn(&self, sk: *const u8);
    /// Counts the times of watching.
    fn era(&self) -> u32;
    /// What the programs say of themselves.
    fn cost(&self) -> Option<&mut TurnCost>;
}

/// One run of a program, which is timed now and then.
pub struct Run<'a> {
    cost: &'a mut TurnCost,
    /// When it began; 0: it is not timed.
    begun_ns: u64,
}

impl<'a> Run<'a> {
    /// A program begins.
    #[inline(always)]
    pub fn begin(maps: &'a impl TurnMaps) -> Option<Self> {
        let cost = maps.cost()?;
        cost.runs += 1;
        let mut begun_ns = 0;
        if cost.runs.wrapping_mul(SPREAD) >> 58 == 0 {
            // SAFETY: a helper without arguments.
            begun_ns = unsafe { bpf_ktime_get_ns() };
        }
        Some(Self { cost, begun_ns })
    }

    /// It ends.
    #[inline(always)]
    pub fn end(self) {
        if self.begun_ns != 0 {
            // SAFETY: a helper without arguments.
            let now = unsafe { bpf_ktime_get_ns() };
            self.cost.timed_ns += now - self.begun_ns;
            self.cost.timed += 1;
        }
    }
}

/// A segment has arrived for an established connection.
///
/// # Safety
/// `sk` is a socket and `skb` a buffer of TCP, both known to the verifier.
#[inline(always)]
pub unsafe fn on_segment(maps: &impl TurnMaps, sk: *const u8, skb: *const u8) {
    // SAFETY: promised by the caller.
    let tp = unsafe { bpf_skc_to_tcp_sock(sk.cast_mut().cast()) }
        .cast::<u8>()
        .cast_const();
    if tp.is_null() {
        return;
    }
    // SAFETY: `tp` is a `struct tcp_sock`, the rest promised by the caller.
    let (socket, mut segment) = unsafe { (look(tp), segment(skb)) };
    // SAFETY: as above.
    let Some(state) = (unsafe { followed(maps, sk, tp, &socket) }) else {
        return;
    };
    if segment.seq != segment.end || state.turn.awaits(&socket) {
        // SAFETY: a helper without arguments.
        segment.at_ns = unsafe { bpf_ktime_get_ns() };
    }
    let sent = state.turn.sent(&socket);
    let arrived = state.turn.arrived(&socket, &segment);
    record(maps, state, &sent.or(arrived));
}

/// A connection leaves ESTABLISHED.
///
/// # Safety
/// `sk` is a socket known to the verifier.
#[inline(always)]
pub unsafe fn on_left(maps: &impl TurnMaps, sk: *const u8) {
    let Some(state) = maps.turn(sk) else { return };
    // SAFETY: promised by the caller.
    let tp = unsafe { bpf_skc_to_tcp_sock(sk.cast_mut().cast()) }
        .cast::<u8>()
        .cast_const();
    if !tp.is_null() && state.era == maps.era() {
        // SAFETY: `tp` is a `struct tcp_sock`.
        let socket = unsafe { look(tp) };
        let sent = state.turn.sent(&socket);
        let left = state.turn.left();
        record(maps, state, &sent.or(left));
        // The socket may be connected again.
        state.era = 0;
    }
    maps.forget_turn(sk);
}

/// Somebody has read from a socket.
///
/// # Safety
/// `sk` is a socket known to the verifier.
#[inline(always)]
pub unsafe fn on_read(maps: &impl TurnMaps, sk: *const u8) {
    let Some(state) = maps.turn(sk) else { return };
    if !state.turn.awaits_read() {
        return;
    }
    // SAFETY: promised by the caller; a helper without arguments.
    unsafe {
        let tp = bpf_skc_to_tcp_sock(sk.cast_mut().cast())
            .cast::<u8>()
            .cast_const();
        if !tp.is_null() {
            let copied: u32 = member(tp, &at::TP_COPIED_SEQ);
            state.turn.read(copied, bpf_ktime_get_ns());
        }
    }
}

/// What the socket says.
#[inline(always)]
unsafe fn look(tp: *const u8) -> Socket {
    // SAFETY: the caller's `tp` is a `struct tcp_sock`.
    unsafe {
        Socket {
            snd_nxt: member(tp, &at::TP_SND_NXT),
            snd_una: member(tp, &at::TP_SND_UNA),
            rcv_nxt: member(tp, &at::TP_RCV_NXT),
            retransmitted: member::<u64>(tp, &at::TP_BYTES_RETRANS) as u32,
            rtt_min_us: member(tp, &at::TP_RTT_MIN),
            segs_out: member(tp, &at::TP_DATA_SEGS_OUT),
            last_sent_ns: last_sent_ns(tp),
            first_sent_ns: member::<u64>(tp, &at::TP_FIRST_TX) * 1_000,
        }
    }
}

/// When the last segment was sent. A connection that paces itself notes when it may send the next;
/// but the clock was looked at just before it sent, and not since the event before this.
#[inline(always)]
unsafe fn last_sent_ns(tp: *const u8) -> u64 {
    // SAFETY: the caller's `tp` is a `struct tcp_sock`.
    let (stamp, clock): (u64, u64) = unsafe {
        (
            member(tp, &at::TP_WSTAMP_NS),
            member(tp, &at::TP_CLOCK_CACHE),
        )
    };
    if clock == 0 { stamp } else { stamp.min(clock) }
}

/// What TCP noted of a buffer.
#[inline(always)]
unsafe fn segment(skb: *const u8) -> Segment {
    let cb = global(&at::SKB_CB) as usize;
    // SAFETY: the caller's `skb` is a `struct sk_buff` of TCP; these lie within its `cb`.
    unsafe {
        let cb = skb.add(cb);
        let fin = member::<u8>(cb, &at::CB_FLAGS) & FIN;
        Segment {
            seq: member(cb, &at::CB_SEQ),
            end: member::<u32>(cb, &at::CB_END_SEQ).wrapping_sub(u32::from(fin)),
            ack: member(cb, &at::CB_ACK_SEQ),
            at_ns: 0,
        }
    }
}

/// What is remembered of a socket, from now on if it was nothing.
#[inline(always)]
#[expect(
    clippy::mut_from_ref,
    reason = "maps are outside the program; the kernel hands out their values"
)]
unsafe fn followed<'a>(
    maps: &'a impl TurnMaps,
    sk: *const u8,
    tp: *const u8,
    socket: &Socket,
) -> Option<&'a mut TurnState> {
    let era = maps.era();
    let found = maps.turn(sk);
    let mut anew = true;
    if let Some(state) = &found {
        anew = state.era != era;
        if !anew && (state.guessed == 0 || state.guessed == maps.listeners()) {
            return found;
        }
    }
    let known = maps.get(sk)?;
    if !place::is_decidable(maps, known) {
        return None;
    }
    let state = match found {
        Some(state) => state,
        None => match maps.create_turn(sk) {
            Some(state) => state,
            None => {
                if let Some(slot) = maps.groups().slot(u32::from(known.direction)) {
                    slot.lost.add(1);
                }
                return None;
            }
        },
    };
    place::decide(maps, known, &mut state.key, &mut state.guessed);
    state.peer.slot = 0;
    state.listener.slot = 0;
    state.netns = known.netns;
    let inbound = state.key.direction == Direction::Inbound as u8;
    if !anew && inbound == state.turn.is_inbound() {
        return Some(state);
    }
    state.era = era;
    // SAFETY: the caller's `tp` is a `struct tcp_sock`.
    let sent_before = unsafe {
        let sent: u64 = member(tp, &at::TP_BYTES_SENT);
        let received: u64 = member(tp, &at::TP_BYTES_RECEIVED);
        (received == 0).then_some((sent as u32).wrapping_sub(socket.retransmitted))
    };
    state
        .turn
        .begin(socket, inbound, sent_before, known.handshake_us);
    Some(state)
}

/// Adds an outcome to its groups.
#[inline(always)]
fn record(maps: &impl TurnMaps, state: &mut TurnState, outcome: &Outcome) {
    if outcome.response_ns == Nanos::NONE && outcome.excluded.is_none() {
        return;
    }
    let groups = maps.groups();
    let folded = u32::from(state.key.direction);
    let Some(peer) = group::slot(groups, &mut state.peer, &state.key, folded) else {
        return;
    };
    if let Some(reason) = outcome.excluded {
        if let Some(count) = peer.excluded.get(reason as usize) {
            count.add(1);
        }
        return;
    }
    if let Some(ns) = outcome.response_ns.get() {
        count(&peer.first, ns);
    }
    let mut parts = peer;
    if state.turn.is_inbound() {
        let (Some(_), Some(serve)) = (outcome.first_ns.get(), outcome.second_ns.get()) else {
            return;
        };
        let mut key = RttKey {
            remote: [0; 16],
            direction: TurnGroup::Listener as u8,
            beyond: 0,
            ..state.key
        };
        let netns = state.netns.to_ne_bytes();
        key.remote[0] = netns[0];
        key.remote[1] = netns[1];
        key.remote[2] = netns[2];
        key.remote[3] = netns[3];
        let folded = TurnGroup::Listener as u32;
        let Some(listener) = group::slot(groups, &mut state.listener, &key, folded) else {
            return;
        };
        count(&listener.second, serve);
        parts = listener;
    }
    if let Some(ns) = outcome.first_ns.get() {
        let into = if state.turn.is_inbound() {
            &parts.first
        } else {
            &parts.second
        };
        count(into, ns);
    }
}

#[inline(always)]
fn count(times: &TurnTimes, ns: u64) {
    group::count_ns(&times.counts, &times.sum_ns, &times.max_us, ns);
}
