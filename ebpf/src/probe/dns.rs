//! Packets to and from port 53, from `cgroup_skb` programs: they see what sockets send and
//! receive, from the IP header on.

use aya_ebpf::{
    bindings::__sk_buff,
    helpers::generated::{bpf_get_socket_cookie, bpf_ktime_get_ns, bpf_skb_load_bytes},
};

use crate::{
    probe::current::Current,
    wire::{DNS_BYTES, DnsRecord, DnsWay},
};

const TCP: u8 = 6;
const UDP: u8 = 17;
const PORT: u16 = 53;
/// Smallest message: its header.
const HEADER: u32 = 12;
const V4_HEADER: usize = 20;
const V6_HEADER: usize = 40;
const UDP_HEADER: u32 = 8;

/// Where a message may lie in a packet.
#[derive(Clone, Copy)]
pub struct Found {
    v6: bool,
    tcp: bool,
    transport: u32,
}

/// The early exit: whether a packet is of port 53 on the resolver's side.
///
/// # Safety
/// `skb` is the context of a `cgroup_skb` program.
#[inline(always)]
pub unsafe fn find(skb: *mut __sk_buff, way: DnsWay) -> Option<Found> {
    // SAFETY: promised by the caller; the verifier checks that every read lies before the end.
    unsafe {
        let data = (&raw const (*skb).data).read_volatile() as usize;
        let end = (&raw const (*skb).data_end).read_volatile() as usize;
        if data + V4_HEADER + 4 > end {
            return None;
        }
        let first = (data as *const u8).read_volatile();
        let (protocol, transport) = if first >> 4 == 4 {
            (
                ((data + 9) as *const u8).read_volatile(),
                usize::from(first & 15) * 4,
            )
        } else {
            // Extension headers are not followed: queries do not carry any.
            (((data + 6) as *const u8).read_volatile(), V6_HEADER)
        };
        if protocol != UDP && protocol != TCP {
            return None;
        }
        let ports = data
            + transport
            + if way as u8 == DnsWay::Query as u8 {
                2
            } else {
                0
            };
        if ports + 2 > end {
            return None;
        }
        if (ports as *const u16).read_volatile() != PORT.to_be() {
            return None;
        }
        Some(Found {
            v6: first >> 4 != 4,
            tcp: protocol == TCP,
            transport: transport as u32,
        })
    }
}

/// Fills a record from a packet that was found; false if there is no message in it.
///
/// # Safety
/// As for [`find`].
#[inline(always)]
pub unsafe fn fill(record: &mut DnsRecord, skb: *mut __sk_buff, found: Found, way: DnsWay) -> bool {
    // SAFETY: promised by the caller.
    unsafe {
        let header = if found.tcp {
            let mut offset = 0u8;
            if !load(skb, found.transport + 12, (&raw mut offset).cast(), 1) {
                return false;
            }
            u32::from(offset >> 4) * 4
        } else {
            UDP_HEADER
        };
        let from = found.transport + header;
        let length = (*skb).len.wrapping_sub(from);
        // Also leaves out segments that carry nothing, and what wrapped around.
        let least = if found.tcp { HEADER + 2 } else { HEADER };
        if length < least || length > 1 << 20 {
            return false;
        }
        let copied = if length < DNS_BYTES as u32 {
            length
        } else {
            DNS_BYTES as u32
        };
        // Changes nothing, but lets the verifier see that it is 1 to 128.
        let copied = (core::hint::black_box(copied - 1) & (DNS_BYTES as u32 - 1)) + 1;
        if !load(skb, from, record.bytes.as_mut_ptr(), copied) {
            return false;
        }
        let query = way as u8 == DnsWay::Query as u8;
        // Destination of a query, source of an answer.
        let address = match (found.v6, query) {
            (false, true) => 16,
            (false, false) => 12,
            (true, true) => 24,
            (true, false) => 8,
        };
        record.resolver = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0];
        let read = if found.v6 {
            load(skb, address, record.resolver.as_mut_ptr(), 16)
        } else {
            load(skb, address, record.resolver.as_mut_ptr().add(12), 4)
        };
        if !read {
            return false;
        }
        record.time_ns = bpf_ktime_get_ns();
        record.cookie = bpf_get_socket_cookie(skb.cast());
        // On the way in, whoever was interrupted is at work.
        let current = Current::task();
        record.owner_tgid = if query { current.tgid() } else { 0 };
        record.owner_start_ns = if query { current.process_start_ns() } else { 0 };
        record.length = length;
        record.copied = copied as u16;
        record.way = way as u8;
        record.tcp = u8::from(found.tcp);
        record.reserved = 0;
    }
    true
}

#[inline(always)]
unsafe fn load(skb: *mut __sk_buff, from: u32, to: *mut u8, length: u32) -> bool {
    // SAFETY: the helper checks the packet's side, the verifier that there is room for `length`.
    unsafe { bpf_skb_load_bytes(skb.cast(), from, to.cast(), length) == 0 }
}
