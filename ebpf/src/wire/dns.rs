//! A packet to or from port 53.

use super::Record;

/// How much of a message is carried: the header and a name of usual length.
pub const DNS_BYTES: usize = 128;

/// Which way a packet went. Only these two are told: on a loopback device each packet passes both
/// ways, and the resolver's side of it would count everything twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum DnsWay {
    /// To port 53, as it leaves the asker's socket.
    Query = 0,
    /// From port 53, as it reaches the asker's socket.
    Answer = 1,
}

/// One packet of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct DnsRecord {
    /// `CLOCK_MONOTONIC` ns.
    pub time_ns: u64,
    /// The kernel's cookie of the asker's socket: the same on query and answer.
    pub cookie: u64,
    /// Start of the asking process, ns of `CLOCK_BOOTTIME`; 0 in an answer.
    pub owner_start_ns: u64,
    /// Address of the resolver; IPv4 in its IPv6-mapped form.
    pub resolver: [u8; 16],
    /// The asking process; 0 in an answer, or where none was at work.
    pub owner_tgid: u32,
    /// Bytes the transport carried.
    pub length: u32,
    /// How many of them are in `bytes`.
    pub copied: u16,
    /// [`DnsWay`] as a byte.
    pub way: u8,
    /// 1: TCP, whose first two bytes are the length of the message; 0: UDP.
    pub tcp: u8,
    /// Zero.
    pub reserved: u32,
    /// What the transport carried, from the start; beyond `copied` without meaning.
    pub bytes: [u8; DNS_BYTES],
}

const _: () = assert!(size_of::<DnsRecord>() == 56 + DNS_BYTES);
// SAFETY: repr(C), plain integers and byte arrays, no padding (size asserted above).
unsafe impl Record for DnsRecord {}
