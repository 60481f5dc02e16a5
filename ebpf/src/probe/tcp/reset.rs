//! Resets we send, from `tp_btf/tcp_send_reset`: connection requests to a port where nobody
//! listens, and clients turned away as the queue is full.

use core::ffi::c_void;

use crate::{
    offsets::at,
    probe::load::{peek, probe},
    wire::RefusedKey,
};

use super::listen::{self, Listeners};

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;
/// `network_header` and `transport_header` of a buffer that has none.
const UNSET: u16 = u16::MAX;
/// `::ffff:0.0.0.0/96` as it lies in memory.
const MAPPED: [u8; 4] = [0, 0, 0xFF, 0xFF];

/// Where refusals are counted.
pub trait Refusals {
    /// One more.
    fn refused(&self, key: &RefusedKey);
}

/// One reset. Before 6.10 the event is missing where there is no socket, that is for all
/// refusals.
///
/// The arguments are read as mere numbers: a verifier that believes the socket to be never null
/// (as those of 6.5 to 6.13 do) would remove the very branch this is for.
#[inline(always)]
pub fn on_reset(maps: &(impl Listeners + Refusals), ctx: *mut c_void) {
    let [sk, skb]: [u64; 2] = peek(ctx as u64);
    if sk != 0 {
        listen::reset_sent(maps, sk);
    } else if let Some(key) = refused(skb) {
        maps.refused(&key);
    }
}

/// To whom a connection request in this buffer went; `None` if it is something else.
#[inline(always)]
fn refused(skb: u64) -> Option<RefusedKey> {
    if skb == 0 {
        return None;
    }
    let (ip, tcp): (u16, u16) = (
        probe(skb, &at::SKB_NETWORK_HEADER),
        probe(skb, &at::SKB_TRANSPORT_HEADER),
    );
    if ip == UNSET || tcp == UNSET {
        return None;
    }
    let head: u64 = probe(skb, &at::SKB_HEAD);
    let (ip, tcp) = (head + u64::from(ip), head + u64::from(tcp));
    let flags: u8 = peek(tcp + 13);
    if flags & (SYN | ACK) != SYN {
        return None;
    }
    let device: u64 = probe(skb, &at::SKB_DEV);
    let mut key = RefusedKey {
        netns: probe(probe(device, &at::DEV_NET), &at::NET_INUM),
        local_port: u16::from_be(peek(tcp + 2)),
        local_addr: [0; 16],
        reserved: 0,
    };
    match peek::<u8>(ip) >> 4 {
        4 => {
            key.local_addr[8..12].copy_from_slice(&MAPPED);
            key.local_addr[12..].copy_from_slice(&peek::<[u8; 4]>(ip + 16));
        }
        6 => key.local_addr = peek(ip + 24),
        _ => return None,
    }
    Some(key)
}
