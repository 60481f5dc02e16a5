//! A netlink socket that dumps the TCP sockets of its network namespace (sock_diag(7)).

use std::io;

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader, NetlinkMessage,
};
use netlink_packet_sock_diag::{
    SOCK_DIAG_BY_FAMILY, SockDiagMessage,
    constants::{AF_INET, AF_INET6, IPPROTO_TCP},
    inet::{ExtensionFlags, InetRequest, SocketId, StateFlags},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG};

/// A dump fills datagrams of at most 32 KiB (`netlink_dump`), as large as the reader's buffer.
const BUFFER_BYTES: usize = 32 * 1024;

/// The netlink header, padded to its alignment of 4.
const HEADER_BYTES: usize = 16;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;

/// Why a dump ended early. Its socket is not to be used again: answers may be left in it.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// The kernel refused the request.
    #[error("sock_diag refused the request: {0}")]
    Refused(io::Error),
    /// The kernel had no room for an answer (`ENOBUFS`).
    #[error("sock_diag ran out of buffer space")]
    Overrun,
    /// The dump stopped without its end mark.
    #[error("sock_diag stopped before the end of the dump")]
    Unfinished,
    /// The socket failed.
    #[error("sock_diag socket: {0}")]
    Socket(io::Error),
}

/// What to dump.
#[derive(Clone, Debug)]
pub struct Request {
    /// Sockets of family `AF_INET6` instead of `AF_INET`.
    pub v6: bool,
    /// States to include.
    pub states: StateFlags,
    /// What to ask for beside addresses, state and queues.
    pub extensions: ExtensionFlags,
}

/// How a dump that reached its end went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DumpReport {
    /// Messages that did not fit their own length or were cut off.
    pub malformed: u64,
    /// The kernel said that its tables changed under the dump (`NLM_F_DUMP_INTR`): sockets may be
    /// missing or repeated.
    pub interrupted: bool,
}

/// Where the answers of dumps are read into; one serves all sockets.
pub struct DumpBuffer(Box<[u8]>);

impl Default for DumpBuffer {
    fn default() -> Self {
        Self(vec![0; BUFFER_BYTES].into_boxed_slice())
    }
}

/// A netlink socket of the namespace it was opened in. It keeps that namespace alive.
#[derive(Debug)]
pub struct DiagSocket {
    socket: Socket,
    sequence: u32,
}

impl DiagSocket {
    /// Opens a socket in the namespace of the calling thread. No privilege is needed.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self {
            socket,
            sequence: 0,
        })
    }

    /// Dumps what `request` asks for; `answer` gets the payload of each message.
    pub fn dump(
        &mut self,
        request: &Request,
        buffer: &mut DumpBuffer,
        mut answer: impl FnMut(&[u8]),
    ) -> Result<DumpReport, DumpError> {
        self.sequence = self.sequence.wrapping_add(1);
        let message = encode(request, self.sequence);
        self.socket.send(&message, 0).map_err(failed)?;
        let mut report = DumpReport::default();
        loop {
            // The kernel queues the first datagram while it takes the request and the next one
            // while it hands out the one before. So there is never a wait: an empty queue means
            // that the dump broke off.
            let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
            let len = match self.socket.recv(&mut &mut buffer.0[..], flags) {
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed(error)),
            };
            // With MSG_TRUNC the length is that of the datagram, also beyond the buffer.
            let datagram = buffer.0.get(..len).unwrap_or_else(|| {
                report.malformed += 1;
                &buffer.0
            });
            if read_datagram(datagram, self.sequence, &mut report, &mut answer)? {
                return Ok(report);
            }
        }
    }
}

fn failed(error: io::Error) -> DumpError {
    match error.raw_os_error() {
        Some(libc::ENOBUFS) => DumpError::Overrun,
        Some(libc::EAGAIN) => DumpError::Unfinished,
        _ => DumpError::Socket(error),
    }
}

fn encode(request: &Request, sequence: u32) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    header.sequence_number = sequence;
    let (family, socket_id) = if request.v6 {
        (AF_INET6, SocketId::new_v6())
    } else {
        (AF_INET, SocketId::new_v4())
    };
    let body = SockDiagMessage::InetRequest(InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions: request.extensions.clone(),
        states: request.states.clone(),
        socket_id,
    });
    let mut message = NetlinkMessage::new(header, body.into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// Hands the messages of one datagram on; true if the dump's end mark was among them.
fn read_datagram(
    mut datagram: &[u8],
    sequence: u32,
    report: &mut DumpReport,
    answer: &mut impl FnMut(&[u8]),
) -> Result<bool, DumpError> {
    while !datagram.is_empty() {
        let Ok(message) = NetlinkBuffer::new_checked(datagram) else {
            // Its length cannot be trusted, so neither can the place of the next one.
            report.malformed += 1;
            return Ok(false);
        };
        let len = message.length() as usize;
        let payload = datagram.get(HEADER_BYTES..len).unwrap_or_default();
        if message.sequence_number() == sequence {
            report.interrupted |= message.flags() & NLM_F_DUMP_INTR != 0;
            match message.message_type() {
                SOCK_DIAG_BY_FAMILY => answer(payload),
                NLMSG_DONE => {
                    return match code(payload) {
                        Some(0) => Ok(true),
                        Some(errno) => Err(refused(errno)),
                        None => {
                            report.malformed += 1;
                            Ok(true)
                        }
                    };
                }
                NLMSG_ERROR => return Err(refused(code(payload).unwrap_or(-libc::EPROTO))),
                _ => report.malformed += 1,
            }
        }
        datagram = datagram.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

/// The negative errno at the front of an error or end message.
fn code(payload: &[u8]) -> Option<i32> {
    payload
        .first_chunk()
        .map(|bytes| i32::from_ne_bytes(*bytes))
}

fn refused(errno: i32) -> DumpError {
    DumpError::Refused(io::Error::from_raw_os_error(errno.saturating_neg()))
}

#[cfg(test)]
#[path = "diag_socket_tests.rs"]
mod tests;
