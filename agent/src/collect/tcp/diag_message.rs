//! From a sock_diag answer to a [`SockRecord`].
//!
//! The crate netlink-packet-sock-diag builds requests and frames messages, but its answers are not
//! used: parsing one allocates a box, a vector of attributes and a vector per unknown attribute,
//! and it refuses a `tcp_info` that is shorter than its own. Here an answer is read in place, with
//! no allocation: of all its bytes we need some twelve fields.

use hostlens_ebpf::wire::{SockKind, SockRecord, tcp_state};

use super::identity::{IdMode, tuple_id};

/// `struct inet_diag_msg` of `include/uapi/linux/inet_diag.h`.
pub(super) const HEADER_BYTES: usize = 72;
/// Attribute type of `struct tcp_info`.
const INET_DIAG_INFO: u16 = 2;
/// `idiag_timer` of a socket that is only a TIME_WAIT bucket (`inet_twsk_diag_fill`).
const TIMER_TIME_WAIT: u8 = 3;
/// `struct tcp_info` up to and with `tcpi_bytes_retrans` (since 4.19).
const INFO_BYTES: usize = 216;

/// What an answer was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A socket with its counters, or one that cannot have any yet (a request socket).
    Socket(SockRecord),
    /// A socket of which only addresses and ports are left. Its state is TIME_WAIT whatever
    /// substate the answer names: the kernel's own state of it (`skc_state`) is TIME_WAIT also
    /// while it waits for the peer's FIN, which `ss` shows as FIN-WAIT-2.
    TimeWait(SockRecord),
}

/// Why an answer is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Too short, of another family, or with attributes that do not fit.
    Malformed,
    /// `tcp_info` ends before the byte counters (kernels before 4.19).
    ShortInfo,
    /// An established socket without `tcp_info`: the request did not ask for it, or the socket
    /// went away while it was being described.
    NoInfo,
}

/// Reads one answer (the payload behind the netlink header).
///
/// Queues and counters are corrected for what is no payload: the peer's FIN counts as a byte
/// received (and unread, until the application reads the end of file), our own SYN and FIN count
/// as bytes not acknowledged.
pub fn parse(payload: &[u8], netns: u32, mode: IdMode) -> Result<Answer, Refusal> {
    let (header, attributes) = payload
        .split_at_checked(HEADER_BYTES)
        .ok_or(Refusal::Malformed)?;
    let family = u8_at(header, 0)?;
    let v6 = match i32::from(family) {
        libc::AF_INET => false,
        libc::AF_INET6 => true,
        _ => return Err(Refusal::Malformed),
    };
    let state = u8_at(header, 1)?;
    let listening = state == tcp_state::LISTEN;
    let mut record = SockRecord {
        local_addr: address(header, 8, v6)?,
        local_port: port(header, 4)?,
        netns,
        min_rtt_us: u32::MAX,
        unread: u32_at(header, 56)?,
        unacked: u32_at(header, 60)?,
        state,
        kind: SockKind::Live as u8,
        v6: u8::from(v6),
        ..SockRecord::default()
    };
    if !listening {
        record.remote_addr = address(header, 24, v6)?;
        record.remote_port = port(header, 6)?;
    }
    record.id = match mode {
        IdMode::Cookie => cookie_id(header)?,
        IdMode::Tuple => tuple_id(&record),
    };
    if u8_at(header, 2)? == TIMER_TIME_WAIT {
        record.state = tcp_state::TIME_WAIT;
        record.unread = 0;
        record.unacked = 0;
        return Ok(Answer::TimeWait(record));
    }
    match attribute(attributes, INET_DIAG_INFO)? {
        // A listener has no counters; the kernel leaves them 0.
        Some(_) if listening => {}
        Some(info) => fill(&mut record, info)?,
        // Request sockets (a handshake under way) have no tcp_sock, hence no counters yet.
        None if listening || state == tcp_state::SYN_RECV => {}
        None => return Err(Refusal::NoInfo),
    }
    subtract_flags(&mut record);
    Ok(Answer::Socket(record))
}

/// Fills the counters from `struct tcp_info` (`include/uapi/linux/tcp.h`).
fn fill(record: &mut SockRecord, info: &[u8]) -> Result<(), Refusal> {
    let info = info.get(..INFO_BYTES).ok_or(Refusal::ShortInfo)?;
    record.srtt_us = u32_at(info, 68)?;
    record.total_retrans = u32_at(info, 100)?;
    record.bytes_received = u64_at(info, 128)?;
    record.min_rtt_us = u32_at(info, 148)?;
    record.data_segs_out = u32_at(info, 156)?;
    record.delivered = u32_at(info, 192)?;
    record.bytes_sent = u64_at(info, 200)?;
    record.bytes_retrans = u64_at(info, 208)?;
    Ok(())
}

/// Takes SYN and FIN, which use up a sequence number each, out of byte counts.
fn subtract_flags(record: &mut SockRecord) {
    use tcp_state::*;
    if matches!(record.state, CLOSE_WAIT | LAST_ACK | CLOSING) {
        record.bytes_received = record.bytes_received.saturating_sub(1);
        record.unread = record.unread.saturating_sub(1);
    }
    if matches!(
        record.state,
        SYN_SENT | SYN_RECV | FIN_WAIT1 | LAST_ACK | CLOSING
    ) {
        record.unacked = record.unacked.saturating_sub(1);
    }
}

/// Inode number of the socket an answer is about; 0 if no file holds it (not accepted yet, or
/// closed by its application).
pub fn inode(payload: &[u8]) -> u32 {
    u32_at(payload, 68).unwrap_or(0)
}

/// Identity by the socket cookie, which comes as two u32, low one first (`sock_diag_save_cookie`).
pub(super) fn cookie_id(header: &[u8]) -> Result<u64, Refusal> {
    Ok((u64::from(u32_at(header, 44)?) | u64::from(u32_at(header, 48)?) << 32).wrapping_shl(8))
}

/// Finds the attribute `wanted`.
pub(super) fn attribute(mut attributes: &[u8], wanted: u16) -> Result<Option<&[u8]>, Refusal> {
    while attributes.len() >= 4 {
        let len = usize::from(u16_at(attributes, 0)?);
        let kind = u16_at(attributes, 2)?;
        let value = attributes.get(4..len).ok_or(Refusal::Malformed)?;
        if kind == wanted {
            return Ok(Some(value));
        }
        // Attributes are padded to 4 bytes; the last one may end without its padding.
        attributes = attributes.get(len.next_multiple_of(4)..).unwrap_or(&[]);
    }
    Ok(None)
}

/// An address of the header in its IPv6 form.
pub(super) fn address(header: &[u8], at: usize, v6: bool) -> Result<[u8; 16], Refusal> {
    if v6 {
        return bytes_at(header, at);
    }
    let v4: [u8; 4] = bytes_at(header, at)?;
    Ok(std::net::Ipv4Addr::from(v4).to_ipv6_mapped().octets())
}

pub(super) fn port(header: &[u8], at: usize) -> Result<u16, Refusal> {
    bytes_at(header, at).map(u16::from_be_bytes)
}

pub(super) fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Refusal> {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .copied()
        .ok_or(Refusal::Malformed)
}

pub(super) fn u8_at(bytes: &[u8], at: usize) -> Result<u8, Refusal> {
    bytes.get(at).copied().ok_or(Refusal::Malformed)
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Refusal> {
    bytes_at(bytes, at).map(u16::from_ne_bytes)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Refusal> {
    bytes_at(bytes, at).map(u32::from_ne_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64, Refusal> {
    bytes_at(bytes, at).map(u64::from_ne_bytes)
}

#[cfg(test)]
#[path = "diag_message_tests.rs"]
mod tests;
