//! From a sock_diag answer about a listening socket to a [`ListenRecord`].

use hostlens_ebpf::wire::{ListenRecord, UNKNOWN_U64, tcp_state};

use super::diag_message::{
    HEADER_BYTES, Refusal, address, attribute, cookie_id, inode, port, u8_at, u32_at,
};

/// Attribute type of the memory figures of a socket, an array of u32 (`sk_get_meminfo`).
const INET_DIAG_SKMEMINFO: u16 = 7;
/// Where among them `sk_drops` is (`SK_MEMINFO_DROPS`, since 4.7), bytes.
const DROPS_AT: usize = 8 * 4;

/// Reads one answer (the payload behind the netlink header). What sock_diag does not tell is left
/// unknown: connections established, resets, age of the oldest one waiting. Birth and owner are
/// for the caller to fill in.
pub fn parse(payload: &[u8], netns: u32) -> Result<ListenRecord, Refusal> {
    let (header, attributes) = payload
        .split_at_checked(HEADER_BYTES)
        .ok_or(Refusal::Malformed)?;
    let v6 = match i32::from(u8_at(header, 0)?) {
        libc::AF_INET => false,
        libc::AF_INET6 => true,
        _ => return Err(Refusal::Malformed),
    };
    if u8_at(header, 1)? != tcp_state::LISTEN {
        return Err(Refusal::Malformed);
    }
    let memory = attribute(attributes, INET_DIAG_SKMEMINFO)?.ok_or(Refusal::NoInfo)?;
    let queue = u32_at(header, 56)?;
    Ok(ListenRecord {
        id: cookie_id(header)?,
        inode: u64::from(inode(header)),
        established: UNKNOWN_U64,
        resets: UNKNOWN_U64,
        oldest_wait_ns: if queue == 0 { 0 } else { UNKNOWN_U64 },
        local_addr: address(header, 8, v6)?,
        netns,
        queue,
        limit: u32_at(header, 60)?,
        high_water: queue,
        drops: u32_at(memory, DROPS_AT).map_err(|_| Refusal::ShortInfo)?,
        uid: u32_at(header, 64)?,
        local_port: port(header, 4)?,
        v6: u8::from(v6),
        ..ListenRecord::default()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use hostlens_ebpf::wire::UNKNOWN_U32;
    use proptest::prelude::*;

    use super::*;

    /// A message as the kernel sends it: header, an attribute of no interest, memory figures.
    fn message(family: i32, queue: u32, memory: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES];
        bytes[0] = family as u8;
        bytes[1] = tcp_state::LISTEN;
        bytes[4..6].copy_from_slice(&8080u16.to_be_bytes());
        if family == libc::AF_INET {
            bytes[8..12].copy_from_slice(&[10, 0, 0, 1]);
        }
        bytes[44..48].copy_from_slice(&7u32.to_ne_bytes());
        bytes[48..52].copy_from_slice(&1u32.to_ne_bytes());
        bytes[56..60].copy_from_slice(&queue.to_ne_bytes());
        bytes[60..64].copy_from_slice(&128u32.to_ne_bytes());
        bytes[64..68].copy_from_slice(&1000u32.to_ne_bytes());
        bytes[68..72].copy_from_slice(&4242u32.to_ne_bytes());
        bytes.extend([5, 0, 8, 0, 3, 0, 0, 0]);
        bytes.extend((memory.len() as u16 * 4 + 4).to_ne_bytes());
        bytes.extend(INET_DIAG_SKMEMINFO.to_ne_bytes());
        bytes.extend(memory.iter().flat_map(|word| word.to_ne_bytes()));
        bytes
    }

    const MEMORY: [u32; 9] = [1, 2, 3, 4, 5, 6, 7, 8, 99];

    #[test]
    fn every_field() {
        let expected = ListenRecord {
            id: (1 << 32 | 7) << 8,
            inode: 4242,
            born_ns: 0,
            established: UNKNOWN_U64,
            resets: UNKNOWN_U64,
            owner_start_ns: 0,
            oldest_wait_ns: UNKNOWN_U64,
            local_addr: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1],
            netns: 9,
            owner_tgid: 0,
            queue: 3,
            limit: 128,
            high_water: 3,
            drops: 99,
            uid: 1000,
            local_port: 8080,
            v6: 0,
            ended: 0,
        };
        assert_eq!(parse(&message(libc::AF_INET, 3, &MEMORY), 9), Ok(expected));
        let any_v6 = parse(&message(libc::AF_INET6, 0, &MEMORY), 9).unwrap();
        assert_eq!((any_v6.local_addr, any_v6.v6), ([0; 16], 1));
        // Nobody waits: that is known.
        assert_eq!(any_v6.oldest_wait_ns, 0);
        assert_ne!(any_v6.uid, UNKNOWN_U32);
    }

    #[test]
    fn what_is_no_listener_or_incomplete_is_refused() {
        let whole = message(libc::AF_INET, 3, &MEMORY);
        let mut established = whole.clone();
        established[1] = tcp_state::ESTABLISHED;
        assert_eq!(parse(&established, 9), Err(Refusal::Malformed));
        let unix = message(libc::AF_UNIX, 3, &MEMORY);
        assert_eq!(parse(&unix, 9), Err(Refusal::Malformed));
        // A kernel without the count of drops must not look like one that dropped nothing.
        let old = message(libc::AF_INET, 3, &MEMORY[..8]);
        assert_eq!(parse(&old, 9), Err(Refusal::ShortInfo));
        assert_eq!(parse(&whole[..HEADER_BYTES], 9), Err(Refusal::NoInfo));
        for cut in 0..whole.len() {
            assert!(parse(&whole[..cut], 9).is_err(), "cut at {cut}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes, 1);
        }

        #[test]
        fn any_attributes_are_survived(
            tail in proptest::collection::vec(any::<u8>(), 0..80),
            cut in 0usize..300,
        ) {
            let mut bytes = message(libc::AF_INET6, 1, &MEMORY);
            bytes.truncate(HEADER_BYTES);
            bytes.extend(tail);
            bytes.truncate(cut);
            let _ = parse(&bytes, 1);
        }
    }
}
