//! Which group a connection belongs to: whose listener it came to, or which peer it went to.
//! Connections older than the programs go by who listens now, as user space last published it.

use super::SockState;
use crate::{
    probe::load::bytes,
    wire::{Direction, ListenBind, ListenKey, RttKey},
};

/// `::ffff:0.0.0.0` and `::` as they lie in memory.
const ANY_V4: [u32; 4] = [0, 0, u32::from_ne_bytes([0, 0, 0xFF, 0xFF]), 0];
const ANY_V6: [u32; 4] = [0; 4];

/// What user space published.
pub trait Places {
    /// Whether an address belongs to the own networks.
    fn is_own(&self, address: [u8; 16]) -> bool;
    /// Whether somebody listens there.
    fn listens(&self, key: &ListenKey) -> bool;
    /// Counts changes of the listeners; 0 until they are known.
    fn listeners(&self) -> u32;
}

/// Whether a connection can be told its group: its opening was seen, or it is known who listens.
#[inline(always)]
pub fn is_decidable(places: &impl Places, known: &SockState) -> bool {
    known.ended == 0 && (known.direction != Direction::Unknown as u8 || places.listeners() != 0)
}

/// Finds the group of a connection.
///
/// `guessed` takes the generation of the listeners that made it outbound, 0 if its direction is
/// known for good.
#[inline(always)]
pub fn decide(places: &impl Places, known: &SockState, key: &mut RttKey, guessed: &mut u32) {
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
        if let Some(addr) = bound(places, &listen) {
            inbound = true;
            listen.addr = addr;
        }
    }
    let guess = known.direction == Direction::Unknown as u8 && !inbound;
    let remote = bytes(known.remote);
    let own = places.is_own(remote);
    *guessed = if guess { places.listeners() } else { 0 };
    *key = RttKey {
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
fn bound(places: &impl Places, exact: &ListenKey) -> Option<[u8; 16]> {
    if places.listens(exact) {
        return Some(exact.addr);
    }
    let mapped = bytes(ANY_V4);
    let mut any = *exact;
    any.addr = mapped;
    if is_v4(&exact.addr) && places.listens(&any) {
        return Some(any.addr);
    }
    any.addr = bytes(ANY_V6);
    places.listens(&any).then_some(any.addr)
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
