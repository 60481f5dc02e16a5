//! A round-trip time per acknowledgement, from `tp_btf/tcp_probe`.
//!
//! `tcp_rcv_established()` passes the tracepoint *before* it looks at the segment, so what stands
//! in the socket is what earlier segments left there: `rack.rtt_us`, the time from the last
//! transmission of the newest segment known delivered to the ACK or SACK that told of it
//! (`tcp_rack_advance()`), µs. It is new exactly when `rack.end_seq`, the end of that segment, has
//! moved. The last one is taken when the connection leaves ESTABLISHED.

use aya_ebpf::helpers::generated::bpf_skc_to_tcp_sock;

use super::{SockState, Sockets};
use crate::{
    bucket,
    offsets::at,
    probe::load::{bytes, member},
    wire::{Direction, ListenBind, ListenKey, RTT_FOLDED, RttKey, RttSlot},
};

/// `::ffff:0.0.0.0` and `::` as they lie in memory.
const ANY_V4: [u32; 4] = [0, 0, u32::from_ne_bytes([0, 0, 0xFF, 0xFF]), 0];
const ANY_V6: [u32; 4] = [0; 4];
/// How often a raised maximum is looked at again.
const ATTEMPTS: usize = 3;

/// What is remembered of a socket.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct AckState {
    key: RttKey,
    /// `rack.end_seq` at the last event.
    end_seq: u32,
    /// Slot of the group when last looked up; below [`RTT_FOLDED`]: none.
    slot: u32,
    /// Its generation then.
    generation: u32,
    /// Generation of the listeners that made it outbound, 0 if its direction is known for good.
    guessed: u32,
}

const _: () = assert!(size_of::<AckState>() == 56);

/// The maps.
#[expect(
    clippy::mut_from_ref,
    reason = "maps are outside the program; the kernel hands out their values"
)]
pub trait RttMaps {
    /// What is remembered of a socket.
    fn state(&self, sk: *const u8) -> Option<&mut AckState>;
    /// As [`RttMaps::state`], zeroed if it was not there; `None` without memory.
    fn create(&self, sk: *const u8) -> Option<&mut AckState>;
    /// A slot.
    fn slot(&self, index: u32) -> Option<&RttSlot>;
    /// Slot of a group.
    fn find(&self, key: &RttKey) -> Option<u32>;
    /// Gives a group its slot; false if it has one or there is no room.
    fn insert(&self, key: &RttKey, slot: u32) -> bool;
    /// Takes a slot nobody uses.
    fn take_free(&self) -> Option<u32>;
    /// Puts it back.
    fn put_free(&self, slot: u32);
    /// Whether an address belongs to the own networks.
    fn is_own(&self, address: [u8; 16]) -> bool;
    /// Whether somebody listens there.
    fn listens(&self, key: &ListenKey) -> bool;
    /// Counts changes of the listeners; 0 until they are known.
    fn listeners(&self) -> u32;
}

/// A segment has arrived for an established connection, or the connection is about to leave that
/// state: counts what earlier segments brought.
///
/// # Safety
/// `sk` is a socket known to the verifier.
#[inline(always)]
pub unsafe fn acked(maps: &(impl RttMaps + Sockets), sk: *const u8) {
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
        decide(maps, known, state);
    }
    // SAFETY: `tp` is a `struct tcp_sock`.
    let rtt_us: u32 = unsafe { member(tp, &at::TP_RACK_RTT_US) };
    count(maps, state, rtt_us);
}

#[inline(always)]
fn begin(maps: &(impl RttMaps + Sockets), sk: *const u8, end_seq: u32) {
    let Some(known) = maps.get(sk) else { return };
    let seen = known.direction != Direction::Unknown as u8;
    if known.ended == 1 || (!seen && maps.listeners() == 0) {
        return;
    }
    match maps.create(sk) {
        Some(state) => {
            state.end_seq = end_seq;
            decide(maps, known, state);
        }
        None => {
            if let Some(slot) = maps.slot(folded(known.direction)) {
                slot.lost.add(1);
            }
        }
    }
}

/// Finds the group of a connection.
#[inline(always)]
fn decide(maps: &impl RttMaps, known: &SockState, state: &mut AckState) {
    let mut listen = ListenKey {
        addr: bytes(known.local),
        netns: known.netns,
        port: known.local_port,
        reserved: 0,
    };
    let mut inbound = known.direction == Direction::Inbound as u8;
    let told = inbound && known.listen_bind != ListenBind::Unknown as u8;
    if told {
        if known.listen_bind == ListenBind::AnyV4 as u8 {
            listen.addr = bytes(ANY_V4);
        } else if known.listen_bind == ListenBind::AnyV6 as u8 {
            listen.addr = bytes(ANY_V6);
        }
    } else if known.direction != Direction::Outbound as u8 {
        // Not among those known: the connection's own address.
        if let Some(addr) = bound(maps, &listen) {
            inbound = true;
            listen.addr = addr;
        }
    }
    let guess = known.direction == Direction::Unknown as u8 && !inbound;
    let remote = bytes(known.remote);
    let own = maps.is_own(remote);
    state.guessed = if guess { maps.listeners() } else { 0 };
    state.slot = 0;
    state.key = RttKey {
        remote: if own { remote } else { [0; 16] },
        listen: if inbound { listen.addr } else { [0; 16] },
        port: if inbound {
            known.local_port
        } else {
            known.remote_port
        },
        direction: if inbound {
            Direction::Inbound as u8
        } else {
            Direction::Outbound as u8
        },
        beyond: u8::from(!own),
        reserved: [0; 4],
    };
}

/// The address the listener of a connection is bound to: the most specific one, as in the kernel;
/// `::` takes IPv4 too.
#[inline(always)]
fn bound(maps: &impl RttMaps, exact: &ListenKey) -> Option<[u8; 16]> {
    if maps.listens(exact) {
        return Some(exact.addr);
    }
    let mapped = bytes(ANY_V4);
    let mut any = *exact;
    any.addr = mapped;
    if is_v4(&exact.addr) && maps.listens(&any) {
        return Some(any.addr);
    }
    any.addr = bytes(ANY_V6);
    maps.listens(&any).then_some(any.addr)
}

/// Whether an address is IPv4, mapped. No comparison of slices: that would be a call.
#[inline(always)]
fn is_v4(address: &[u8; 16]) -> bool {
    let word = |at: usize| {
        u32::from_be_bytes([
            address[at],
            address[at + 1],
            address[at + 2],
            address[at + 3],
        ])
    };
    word(0) | word(4) | (word(8) ^ 0xFFFF) == 0
}

/// Slot of what found no room.
#[inline(always)]
fn folded(direction: u8) -> u32 {
    u32::from(direction != Direction::Inbound as u8)
}

#[inline(always)]
fn count(maps: &impl RttMaps, state: &mut AckState, rtt_us: u32) {
    let mut index = state.slot;
    let remembered = index >= RTT_FOLDED as u32
        && maps
            .slot(index)
            .is_some_and(|slot| slot.generation.get() == state.generation);
    if !remembered {
        index = match group(maps, &state.key) {
            Some(index) => index,
            None => folded(state.key.direction),
        };
    }
    let Some(slot) = maps.slot(index) else { return };
    if !remembered {
        state.slot = index;
        state.generation = slot.generation.get();
    }
    let bucket = bucket::slot(u64::from(rtt_us) * 1_000);
    if let Some(count) = slot.counts.get(bucket) {
        count.add(1);
    }
    slot.sum_us.add(u64::from(rtt_us));
    for _ in 0..ATTEMPTS {
        if slot.max_us.get() >= rtt_us {
            break;
        }
        slot.max_us.set(rtt_us);
    }
}

/// Slot of a group, a new one if it has none.
#[inline(always)]
fn group(maps: &impl RttMaps, key: &RttKey) -> Option<u32> {
    if let Some(index) = maps.find(key) {
        return Some(index);
    }
    let index = maps.take_free()?;
    let slot = maps.slot(index)?;
    let words = key.words();
    slot.key[0].set(words[0]);
    slot.key[1].set(words[1]);
    slot.key[2].set(words[2]);
    slot.key[3].set(words[3]);
    slot.key[4].set(words[4]);
    if maps.insert(key, index) {
        slot.used.set(1);
        return Some(index);
    }
    // Another CPU was faster.
    maps.put_free(index);
    maps.find(key)
}
