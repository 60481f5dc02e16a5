//! A round-trip time per acknowledgement, from `tp_btf/tcp_probe`.
//!
//! `tcp_rcv_established()` passes the tracepoint *before* it looks at the segment, so what stands
//! in the socket is what earlier segments left there: `rack.rtt_us`, the time from the last
//! transmission of the newest segment known delivered to the ACK or SACK that told of it
//! (`tcp_rack_advance()`), µs. It is new exactly when `rack.end_seq`, the end of that segment, has
//! moved. The last one is taken when the connection leaves ESTABLISHED.

use aya_ebpf::helpers::generated::bpf_skc_to_tcp_sock;

use super::{
    Sockets,
    group::{self, GroupMaps, Remembered},
    place::{self, Places},
};
use crate::{
    offsets::at,
    probe::load::member,
    wire::{Direction, RttKey, RttSlot},
};

/// What is remembered of a socket.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct AckState {
    key: RttKey,
    /// `rack.end_seq` at the last event.
    end_seq: u32,
    slot: Remembered,
    /// See [`place::decide`].
    guessed: u32,
}

const _: () = assert!(size_of::<AckState>() == 56);

/// The maps.
#[expect(
    clippy::mut_from_ref,
    reason = "maps are outside the program; the kernel hands out their values"
)]
pub trait RttMaps: Sockets + Places + GroupMaps<Slot = RttSlot> {
    /// What is remembered of a socket.
    fn state(&self, sk: *const u8) -> Option<&mut AckState>;
    /// As [`RttMaps::state`], zeroed if it was not there; `None` without memory.
    fn create(&self, sk: *const u8) -> Option<&mut AckState>;
}

/// A segment has arrived for an established connection, or the connection is about to leave that
/// state: counts what earlier segments brought.
///
/// # Safety
/// `sk` is a socket known to the verifier.
#[inline(always)]
pub unsafe fn acked(maps: &impl RttMaps, sk: *const u8) {
    // SAFETY: promised by the caller.
    let tp = unsafe { bpf_skc_to_tcp_sock(sk.cast_mut().cast()) }
        .cast::<u8>()
        .cast_const();
    if tp.is_null() {
        return;
    }
    // SAFETY: `tp` is a `struct tcp_sock`.
    let end_seq: u32 = unsafe { member(tp, &at::TP_RACK_END_SEQ) };
    let Some(state) = maps.state(sk) else {
        // What was measured before, the handshake included, is not ours.
        begin(maps, sk, end_seq);
        return;
    };
    if state.end_seq == end_seq {
        return;
    }
    state.end_seq = end_seq;
    if state.guessed != 0
        && state.guessed != maps.listeners()
        && let Some(known) = maps.get(sk)
    {
        state.slot.slot = 0;
        place::decide(maps, known, &mut state.key, &mut state.guessed);
    }
    // SAFETY: `tp` is a `struct tcp_sock`.
    let rtt_us: u32 = unsafe { member(tp, &at::TP_RACK_RTT_US) };
    let folded = folded(state.key.direction);
    if let Some(slot) = group::slot(maps, &mut state.slot, &state.key, folded) {
        slot.sum_us.add(u64::from(rtt_us));
        group::count(&slot.counts, &slot.max_us, u64::from(rtt_us) * 1_000);
    }
}

#[inline(always)]
fn begin(maps: &impl RttMaps, sk: *const u8, end_seq: u32) {
    let Some(known) = maps.get(sk) else { return };
    if !place::is_decidable(maps, known) {
        return;
    }
    match maps.create(sk) {
        Some(state) => {
            state.end_seq = end_seq;
            place::decide(maps, known, &mut state.key, &mut state.guessed);
        }
        None => {
            if let Some(slot) = maps.slot(folded(known.direction)) {
                slot.lost.add(1);
            }
        }
    }
}

/// Slot of what found no room.
#[inline(always)]
fn folded(direction: u8) -> u32 {
    u32::from(direction != Direction::Inbound as u8)
}
