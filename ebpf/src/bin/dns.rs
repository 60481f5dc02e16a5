//! Name resolution as it passes the sockets of this host: queries on their way out, answers on
//! their way in.
#![no_std]
#![no_main]
#![allow(
    missing_docs,
    reason = "the attribute macros drop the doc comments of entry points"
)]

use aya_ebpf::{
    btf_maps::{PerCpuArray, RingBuf},
    macros::{btf_map, cgroup_skb},
    programs::SkBuffContext,
};
use hostlens_ebpf::{
    probe::dns,
    wire::{DnsRecord, DnsWay},
};

/// Packets of lookups; user space polls, nothing is woken. Resized at load.
#[btf_map]
static DNS_PACKETS: RingBuf<DnsRecord, { 1 << 18 }> = RingBuf::new();

/// Packets that found no room.
#[btf_map]
static DNS_LOST: PerCpuArray<u64, 1> = PerCpuArray::new();

const NO_WAKEUP: u64 = 1;
/// Let it pass: anything else drops the packet.
const PASS: i32 = 1;

#[inline(always)]
fn take(ctx: &SkBuffContext, way: DnsWay) -> i32 {
    // SAFETY: the context of a program at this hook.
    unsafe {
        let Some(found) = dns::find(ctx.skb.skb, way) else {
            return PASS;
        };
        let Some(mut entry) = DNS_PACKETS.reserve(0) else {
            if let Some(lost) = DNS_LOST.get_ptr_mut(0) {
                *lost += 1;
            }
            return PASS;
        };
        if dns::fill(&mut *entry.as_mut_ptr(), ctx.skb.skb, found, way) {
            entry.submit(NO_WAKEUP);
        } else {
            entry.discard(NO_WAKEUP);
        }
    }
    PASS
}

#[cgroup_skb(egress)]
pub fn dns_out(ctx: SkBuffContext) -> i32 {
    take(&ctx, DnsWay::Query)
}

#[cgroup_skb(ingress)]
pub fn dns_in(ctx: SkBuffContext) -> i32 {
    take(&ctx, DnsWay::Answer)
}
