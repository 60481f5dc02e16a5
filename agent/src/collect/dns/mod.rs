//! Name resolution, from packets to and from port 53.
//!
//! ```text
//! bpf        cgroup_skb programs: all namespaces, with the asker ─┐
//! af_packet  a packet socket: our own namespace, nobody named ────┴► Packet ─► matcher ─► Lookup
//! datagram   IP and transport headers            message   header and question
//! ```

pub mod af_packet;
pub mod bpf;
mod datagram;
mod filter;
mod matcher;
mod message;

use std::{net::IpAddr, sync::Arc};

pub use matcher::Matcher;

/// One packet with a message in it, as a source saw it.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// `CLOCK_MONOTONIC` ns.
    pub time_ns: u64,
    /// The asker's socket: the same number on query and answer.
    pub socket: u64,
    /// The asking process and its start (ns of `CLOCK_BOOTTIME`); 0 unknown, and in answers.
    pub owner: (u32, u64),
    /// Address of the resolver.
    pub resolver: IpAddr,
    /// To the resolver, as opposed to from it.
    pub query: bool,
    /// TCP: the message follows its length.
    pub tcp: bool,
    /// Bytes the transport carried.
    pub length: usize,
    /// The first of them.
    pub bytes: &'a [u8],
}

/// One query and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The asking process; 0 unknown.
    pub tgid: u32,
    /// Its start, ns of `CLOCK_BOOTTIME`.
    pub start_ns: u64,
    /// Who was asked.
    pub resolver: IpAddr,
    /// The name, printable; cut off where not all of it was seen.
    pub name: Arc<str>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer.
    Answer {
        /// Response code, RFC 1035 §4.1.1.
        rcode: u8,
        /// Time from the (first) query, ns.
        ns: u64,
    },
    /// None within 5 s.
    Timeout,
}
