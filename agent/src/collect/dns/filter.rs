//! A classic socket filter (`Documentation/networking/filter.rst`): packets of UDP and TCP to or
//! from port 53, as seen from the IP header on.

use libc::sock_filter;

/// Bytes of each packet that are wanted: headers and a name.
pub const SNAP: u32 = 256;

const LD_BYTE: u16 = 0x30;
const LD_HALF: u16 = 0x28;
const LD_HALF_AT_X: u16 = 0x48;
/// X = 4 × (byte & 15): the length of an IPv4 header.
const LDX_HEADER: u16 = 0xB1;
const SHIFT_RIGHT: u16 = 0x74;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_SET: u16 = 0x45;
const RETURN: u16 = 0x06;

const fn op(code: u16, k: u32) -> sock_filter {
    sock_filter {
        code,
        jt: 0,
        jf: 0,
        k,
    }
}

/// Skips `jt` instructions if it holds, else `jf`.
const fn jump(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

/// The filter.
pub const PORT_53: [sock_filter; 23] = [
    op(LD_BYTE, 0),
    op(SHIFT_RIGHT, 4),
    jump(JUMP_EQUAL, 4, 0, 10),
    // IPv4: protocol, first fragment, ports behind a header of variable length.
    op(LD_BYTE, 9),
    jump(JUMP_EQUAL, 17, 1, 0),
    jump(JUMP_EQUAL, 6, 0, 15),
    op(LD_HALF, 6),
    jump(JUMP_SET, 0x1FFF, 13, 0),
    op(LDX_HEADER, 0),
    op(LD_HALF_AT_X, 0),
    jump(JUMP_EQUAL, 53, 11, 0),
    op(LD_HALF_AT_X, 2),
    jump(JUMP_EQUAL, 53, 9, 8),
    // IPv6: protocol, ports behind the fixed header.
    jump(JUMP_EQUAL, 6, 0, 7),
    op(LD_BYTE, 6),
    jump(JUMP_EQUAL, 17, 1, 0),
    jump(JUMP_EQUAL, 6, 0, 4),
    op(LD_HALF, 40),
    jump(JUMP_EQUAL, 53, 3, 0),
    op(LD_HALF, 42),
    jump(JUMP_EQUAL, 53, 1, 0),
    op(RETURN, 0),
    op(RETURN, SNAP),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use std::net::SocketAddr;

    use super::*;
    use crate::collect::dns::datagram::tests::packet;

    /// Runs the filter as the kernel does: a load beyond the end drops the packet.
    fn run(bytes: &[u8]) -> u32 {
        let half = |at: usize| {
            let pair = bytes.get(at..at + 2)?;
            Some(u32::from(u16::from_be_bytes(pair.try_into().unwrap())))
        };
        let (mut a, mut x, mut at) = (0, 0usize, 0usize);
        loop {
            let sock_filter { code, jt, jf, k } = PORT_53[at];
            at += 1;
            let loaded = match code {
                LD_BYTE => bytes.get(k as usize).map(|byte| u32::from(*byte)),
                LD_HALF => half(k as usize),
                LD_HALF_AT_X => half(x + k as usize),
                LDX_HEADER => {
                    x = usize::from(bytes[k as usize] & 15) * 4;
                    Some(a)
                }
                SHIFT_RIGHT => Some(a >> k),
                JUMP_EQUAL => {
                    at += usize::from(if a == k { jt } else { jf });
                    Some(a)
                }
                JUMP_SET => {
                    at += usize::from(if a & k != 0 { jt } else { jf });
                    Some(a)
                }
                RETURN => return k,
                other => panic!("{other:#x}"),
            };
            match loaded {
                Some(loaded) => a = loaded,
                None => return 0,
            }
        }
    }

    #[test]
    fn takes_port_53_and_nothing_else() {
        let ends =
            |a: &str, b: &str| -> [SocketAddr; 2] { [a.parse().unwrap(), b.parse().unwrap()] };
        for (a, b, wanted) in [
            ("1.1.1.1:5000", "2.2.2.2:53", true),
            ("1.1.1.1:53", "2.2.2.2:5000", true),
            ("1.1.1.1:530", "2.2.2.2:5353", false),
            ("[::1]:5000", "[::2]:53", true),
            ("[::1]:53", "[::2]:5000", true),
            ("[::1]:443", "[::2]:5000", false),
        ] {
            for tcp in [false, true] {
                let [from, to] = ends(a, b);
                let mut bytes = packet(from, to, tcp, b"payload");
                assert_eq!(run(&bytes) > 0, wanted, "{a} {b} {tcp}");
                assert_eq!(run(&bytes[..7]), 0);
                let kind = if from.is_ipv4() { 9 } else { 6 };
                bytes[kind] = 1;
                assert_eq!(run(&bytes), 0, "ICMP");
            }
        }
        let [from, to] = ends("1.1.1.1:5000", "2.2.2.2:53");
        let mut fragment = packet(from, to, false, b"payload");
        fragment[6] = 1;
        assert_eq!(run(&fragment), 0);
        assert_eq!(run(&[0xFF; 64]), 0);
    }
}
