//! A peer that opens a connection from its side while ours is being opened, and resets it before
//! either is: the only way to have a handshake reset that is no refusal.

use std::{
    io::Read as _,
    mem,
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::AsRawFd as _,
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, Type};

const SYN: u8 = 2;
const RST: u8 = 4;
const SEQUENCE: u32 = 1_000;

/// The peer; it takes the place of whoever SYNs on one device are sent to.
#[derive(Debug)]
pub struct Peer {
    ear: Socket,
    voice: Socket,
}

impl Peer {
    /// Listens on a device of the namespace of the calling thread.
    ///
    /// # Panics
    /// Without the privilege.
    pub fn on(device: &str) -> Self {
        let ear = Socket::new(Domain::PACKET, Type::DGRAM, Some(Protocol::from(0)))
            .expect("packet socket");
        let name = std::ffi::CString::new(device).expect("a device name");
        // SAFETY: a valid string, and all-zero bytes are a valid address.
        let (index, mut address): (u32, libc::sockaddr_ll) =
            unsafe { (libc::if_nametoindex(name.as_ptr()), mem::zeroed()) };
        assert_ne!(index, 0, "no device {device}");
        address.sll_family = libc::AF_PACKET as u16;
        // Only ETH_P_ALL shows what is sent.
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = index as i32;
        // SAFETY: the address is valid for the length given.
        let status = unsafe {
            libc::bind(
                ear.as_raw_fd(),
                (&raw const address).cast(),
                size_of_val(&address) as u32,
            )
        };
        assert_eq!(status, 0, "bind: {}", std::io::Error::last_os_error());
        ear.set_read_timeout(Some(Duration::from_millis(100)))
            .expect("timeout");
        let voice = Socket::new(
            Domain::IPV4,
            Type::RAW,
            Some(Protocol::from(libc::IPPROTO_RAW)),
        )
        .expect("raw socket");
        Self { ear, voice }
    }

    /// Answers a SYN by one of its own and a reset.
    ///
    /// # Errors
    /// No SYN has come yet.
    pub fn cross_and_reset(&self) -> Result<(), String> {
        let mut packet = [0; 128];
        let length = (&self.ear)
            .read(&mut packet)
            .map_err(|error| error.to_string())?;
        let packet = &packet[..length];
        if length < 40 || packet[0] != 0x45 || packet[9] != 6 || packet[33] != SYN {
            return Err("something else".to_owned());
        }
        let address =
            |at: usize| Ipv4Addr::new(packet[at], packet[at + 1], packet[at + 2], packet[at + 3]);
        let port = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
        let us = SocketAddrV4::new(address(16), port(22));
        let them = SocketAddrV4::new(address(12), port(20));
        for (sequence, flags) in [(SEQUENCE, SYN), (SEQUENCE + 1, RST)] {
            let segment = segment(us, them, sequence, flags);
            self.voice
                .send_to(&segment, &them.into())
                .expect("inject a segment");
        }
        Ok(())
    }
}

/// An IPv4 packet with a bare TCP header; the kernel fills in the IP checksum.
fn segment(from: SocketAddrV4, to: SocketAddrV4, sequence: u32, flags: u8) -> Vec<u8> {
    let mut tcp = Vec::with_capacity(20);
    tcp.extend(from.port().to_be_bytes());
    tcp.extend(to.port().to_be_bytes());
    tcp.extend(sequence.to_be_bytes());
    tcp.extend([0; 4]);
    tcp.extend([5 << 4, flags, 0xFF, 0xFF, 0, 0, 0, 0]);
    let mut sum: u32 = 6 + 20;
    let pseudo = [from.ip().octets(), to.ip().octets()].concat();
    for pair in pseudo.chunks(2).chain(tcp.chunks(2)) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair[1]]));
    }
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    tcp[16..18].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0];
    packet.extend(from.ip().octets());
    packet.extend(to.ip().octets());
    packet.extend(tcp);
    packet
}
