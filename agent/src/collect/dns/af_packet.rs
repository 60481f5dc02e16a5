//! Lookups of our own network namespace through a packet socket, where programs cannot be attached
//! to a cgroup. It sees no process, and the kernel clones for it each packet that is sent.

use std::{
    hash::{Hash as _, Hasher as _},
    io,
    mem::{self, MaybeUninit},
    net::SocketAddr,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    ptr,
};

use rustc_hash::FxHasher;

use super::{
    Packet, datagram,
    filter::{PORT_53, SNAP},
};
use crate::clock::Moment;

const PORT: u16 = 53;
/// Receive buffer, bytes: some thousand packets between two polls.
const BUFFER: libc::c_int = 4 << 20;
/// Room for one control message with a time.
const CONTROL: usize = 64;

/// The source.
pub struct AfPacket {
    socket: OwnedFd,
    dropped: u64,
    malformed: u64,
}

impl AfPacket {
    /// Opens the socket.
    ///
    /// # Errors
    /// No CAP_NET_RAW, or no packet sockets in this kernel.
    pub fn open() -> io::Result<Self> {
        let kind = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // Protocol 0: nothing arrives before the filter is in place.
        // SAFETY: no pointers.
        let fd = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a new descriptor that nobody else owns.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        let filter = libc::sock_fprog {
            len: PORT_53.len() as u16,
            filter: PORT_53.as_ptr().cast_mut(),
        };
        set(&socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &filter)?;
        set(&socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &1)?;
        // Without CAP_NET_ADMIN the usual limit has to do.
        let _ = set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &BUFFER);
        // SAFETY: all-zero bytes are a valid address.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        // SAFETY: the address is valid for the length given.
        let status = unsafe {
            libc::bind(
                socket.as_raw_fd(),
                (&raw const address).cast(),
                size_of_val(&address) as libc::socklen_t,
            )
        };
        if status != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            socket,
            dropped: 0,
            malformed: 0,
        })
    }

    /// Hands over what came in since the last call.
    pub fn drain(&mut self, mut take: impl FnMut(&Packet<'_>)) {
        let mut bytes = [0; SNAP as usize];
        let now = Moment::now();
        let wall = now.wall.duration_since(std::time::UNIX_EPOCH);
        let wall_ns = wall.map_or(0, |wall| u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX));
        while let Some((length, time_ns, outgoing)) = receive(&self.socket, &mut bytes) {
            let Some(found) = bytes.get(..length).and_then(datagram::parse) else {
                self.malformed += 1;
                continue;
            };
            // Stamps are of the wall clock: how long ago is the same on any.
            let ago = wall_ns.saturating_sub(time_ns);
            let query = outgoing && found.destination.port() == PORT;
            let answer = !outgoing && found.source.port() == PORT;
            let (resolver, asker) = match (query, answer) {
                (true, _) => (found.destination, found.source),
                (_, true) => (found.source, found.destination),
                // The resolver's side of what passes a loopback device both ways.
                _ => continue,
            };
            take(&Packet {
                time_ns: now.mono_ns.saturating_sub(ago),
                socket: socket_of(asker, found.tcp),
                owner: (0, 0),
                resolver: resolver.ip(),
                query,
                tcp: found.tcp,
                length: found.length,
                bytes: found.payload,
            });
        }
        self.dropped += self.newly_dropped();
    }

    /// Packets that found no room.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Packets that were not understood.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// The kernel forgets its count when it is read.
    fn newly_dropped(&self) -> u64 {
        let mut stats = libc::tpacket_stats {
            tp_packets: 0,
            tp_drops: 0,
        };
        let mut size = size_of_val(&stats) as libc::socklen_t;
        // SAFETY: the kernel writes at most `size` bytes to `stats`.
        let status = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut stats).cast(),
                &raw mut size,
            )
        };
        if status == 0 {
            u64::from(stats.tp_drops)
        } else {
            0
        }
    }
}

/// A number for the asker's end, the same on query and answer.
fn socket_of(asker: SocketAddr, tcp: bool) -> u64 {
    let mut hasher = FxHasher::default();
    (asker.ip(), asker.port(), tcp).hash(&mut hasher);
    hasher.finish()
}

fn set<T>(socket: &OwnedFd, level: libc::c_int, name: libc::c_int, value: &T) -> io::Result<()> {
    // SAFETY: the value is valid for the length given.
    let status = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    match status {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// One packet: its length, when it passed (wall clock, ns), and whether it was sent from here.
/// `None` if none is left.
fn receive(socket: &OwnedFd, bytes: &mut [u8]) -> Option<(usize, u64, bool)> {
    // SAFETY: all-zero bytes are valid for both.
    let (mut address, mut header): (libc::sockaddr_ll, libc::msghdr) =
        unsafe { (mem::zeroed(), mem::zeroed()) };
    let mut part = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    };
    let mut control = MaybeUninit::<[u64; CONTROL / 8]>::zeroed();
    header.msg_name = (&raw mut address).cast();
    header.msg_namelen = size_of_val(&address) as libc::socklen_t;
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = CONTROL as _;
    // SAFETY: everything the header points to is valid for the lengths given.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, 0) };
    let length = usize::try_from(length).ok()?;
    let mut time_ns = 0;
    // SAFETY: the kernel filled the control messages; the macros stay within their length.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(&raw const header);
        while let Some(found) = message.as_ref() {
            if (found.cmsg_level, found.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) {
                let time: libc::timespec = libc::CMSG_DATA(message)
                    .cast::<libc::timespec>()
                    .read_unaligned();
                time_ns = time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64;
            }
            message = libc::CMSG_NXTHDR(&raw const header, message);
        }
    }
    Some((
        length,
        time_ns,
        address.sll_pkttype == libc::PACKET_OUTGOING,
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::{
        net::UdpSocket,
        time::{Duration, Instant},
    };

    use super::*;
    use crate::collect::dns::message::tests::message;

    #[test]
    fn a_query_and_its_answer_are_seen_once_each() {
        let (Ok(mut source), Ok(server)) = (AfPacket::open(), UdpSocket::bind("127.9.9.9:53"))
        else {
            println!("SKIP: packet sockets and port 53 need root");
            return;
        };
        let asker = UdpSocket::bind("127.0.0.1:0").unwrap();
        asker.connect("127.9.9.9:53").unwrap();
        let question = message(4711, [1, 0], "loop.test");
        asker.send(&question).unwrap();
        let mut bytes = [0; 512];
        let (length, from) = server.recv_from(&mut bytes).unwrap();
        assert_eq!(length, question.len());
        server
            .send_to(&message(4711, [0x81, 0x80], "loop.test"), from)
            .unwrap();
        asker.recv(&mut bytes).unwrap();
        let mut seen = Vec::new();
        let begun = Instant::now();
        while seen.len() < 2 && begun.elapsed() < Duration::from_secs(10) {
            source.drain(|packet| {
                if packet.resolver.to_string() == "127.9.9.9" {
                    seen.push((
                        packet.query,
                        packet.socket,
                        packet.time_ns,
                        packet.bytes.to_vec(),
                    ));
                }
            });
        }
        source.drain(|_| {});
        let [
            (true, first, asked_ns, query),
            (false, second, answered_ns, _),
        ] = &seen[..]
        else {
            unreachable!("{seen:?}");
        };
        assert_eq!((first, query), (second, &question));
        assert!(answered_ns >= asked_ns);
    }
}
