//! What one packet of port 53 carries, from its IP header on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const TCP: u8 = 6;
const UDP: u8 = 17;

/// A packet's ends and payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// From.
    pub source: SocketAddr,
    /// To.
    pub destination: SocketAddr,
    /// TCP, as opposed to UDP.
    pub tcp: bool,
    /// Bytes the transport carries.
    pub length: usize,
    /// Those of them that were captured.
    pub payload: &'a [u8],
}

/// Reads a packet that may be cut off. `None` if it is no first fragment of UDP or TCP.
pub fn parse(packet: &[u8]) -> Option<Datagram<'_>> {
    let (source, destination, protocol, total, header) = match packet.first()? >> 4 {
        4 => {
            let fragment = u16::from_be_bytes([*packet.get(6)?, *packet.get(7)?]);
            if fragment & 0x1FFF != 0 {
                return None;
            }
            let address = |at: usize| -> Option<IpAddr> {
                let bytes: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
                Some(Ipv4Addr::from(bytes).into())
            };
            let header = usize::from(packet.first()? & 15) * 4;
            let total = usize::from(u16::from_be_bytes([*packet.get(2)?, *packet.get(3)?]));
            (address(12)?, address(16)?, *packet.get(9)?, total, header)
        }
        6 => {
            let address = |at: usize| -> Option<IpAddr> {
                let bytes: [u8; 16] = packet.get(at..at + 16)?.try_into().ok()?;
                Some(Ipv6Addr::from(bytes).into())
            };
            let total = usize::from(u16::from_be_bytes([*packet.get(4)?, *packet.get(5)?])) + 40;
            (address(8)?, address(24)?, *packet.get(6)?, total, 40)
        }
        _ => return None,
    };
    let transport = packet.get(header..)?;
    let port = |at: usize| {
        Some(u16::from_be_bytes([
            *transport.get(at)?,
            *transport.get(at + 1)?,
        ]))
    };
    let own = match protocol {
        UDP => 8,
        TCP => usize::from(transport.get(12)? >> 4) * 4,
        _ => return None,
    };
    Some(Datagram {
        source: SocketAddr::new(source, port(0)?),
        destination: SocketAddr::new(destination, port(2)?),
        tcp: protocol == TCP,
        length: total.checked_sub(header + own)?,
        payload: transport.get(own..)?,
    })
}

#[cfg(test)]
pub mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    /// A packet with these ends.
    pub fn packet(
        source: SocketAddr,
        destination: SocketAddr,
        tcp: bool,
        payload: &[u8],
    ) -> Vec<u8> {
        let header = if tcp { 20 } else { 8 };
        let length = (header + payload.len()) as u16;
        let protocol = if tcp { TCP } else { UDP };
        let mut bytes = match (source.ip(), destination.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let total = (length + 20).to_be_bytes();
                let mut bytes = vec![
                    0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, protocol, 0, 0,
                ];
                bytes.extend(from.octets());
                bytes.extend(to.octets());
                bytes
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let length = length.to_be_bytes();
                let mut bytes = vec![0x60, 0, 0, 0, length[0], length[1], protocol, 64];
                bytes.extend(from.octets());
                bytes.extend(to.octets());
                bytes
            }
            _ => Vec::new(),
        };
        bytes.extend(source.port().to_be_bytes());
        bytes.extend(destination.port().to_be_bytes());
        let mut rest = vec![0; header - 4];
        if tcp {
            rest[8] = 5 << 4;
        }
        bytes.extend(rest);
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn reads_all_four_kinds() {
        for (from, to) in [
            ("10.0.0.1:4000", "10.0.0.2:53"),
            ("[fe80::1]:4000", "[fe80::2]:53"),
        ] {
            for tcp in [false, true] {
                let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
                let bytes = packet(from, to, tcp, b"question");
                let whole = parse(&bytes).unwrap();
                let expected = Datagram {
                    source: from,
                    destination: to,
                    tcp,
                    length: 8,
                    payload: b"question",
                };
                assert_eq!(whole, expected);
                let cut = parse(&bytes[..bytes.len() - 3]).unwrap();
                assert_eq!((cut.length, cut.payload), (8, &b"quest"[..]));
            }
        }
    }

    #[test]
    fn later_fragments_and_others_are_none() {
        let mut bytes = packet(
            "1.2.3.4:1".parse().unwrap(),
            "1.2.3.4:53".parse().unwrap(),
            false,
            b"x",
        );
        bytes[7] = 1;
        assert_eq!(parse(&bytes), None);
        bytes[7] = 0;
        bytes[9] = 1;
        assert_eq!(parse(&bytes), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..120), six in any::<bool>()) {
            let _ = parse(&bytes);
            if let Some(first) = bytes.first_mut() {
                *first = if six { 0x60 } else { 0x40 | *first & 15 };
            }
            let _ = parse(&bytes);
        }
    }
}
