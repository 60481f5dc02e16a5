//! Accepted connections of either kind, driven by the runtime.

use std::{
    io::{self, IoSlice, Read as _, Write as _},
    net::Shutdown,
    os::fd::AsFd,
    pin::Pin,
    task::{Context, Poll},
};

use rustix::net::RecvFlags;
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
};

use super::{Listener, unix::SocketFile};
use crate::expose::asker::Client;

/// A listener of the runtime.
pub(in crate::expose) enum Acceptor {
    Tcp(TcpListener),
    /// The file goes with the listener.
    Unix(
        UnixListener,
        #[expect(dead_code, reason = "removed when dropped")] Option<SocketFile>,
    ),
}

impl Acceptor {
    /// Hands a socket to the runtime.
    ///
    /// # Errors
    /// The runtime cannot take it.
    pub(in crate::expose) fn new(listener: Listener) -> io::Result<Self> {
        Ok(match listener {
            Listener::Tcp(listener) => Self::Tcp(TcpListener::from_std(listener)?),
            Listener::Unix(listener, file) => Self::Unix(UnixListener::from_std(listener)?, file),
        })
    }

    /// The next connection and who it is.
    ///
    /// # Errors
    /// Those of `accept`.
    pub(in crate::expose) async fn accept(&self) -> io::Result<(Stream, Client)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Stream::Tcp(stream), Client::Ip(peer.ip().to_canonical())))
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((Stream::Unix(stream), Client::Unix))
            }
        }
    }
}

/// A connection.
pub(in crate::expose) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// The first byte that the client sends, which stays to be read; `None` if it closed.
    ///
    /// # Errors
    /// Those of `recv`.
    pub(in crate::expose) async fn first_byte(&self) -> io::Result<Option<u8>> {
        loop {
            let mut byte = [0];
            let peeked = match self {
                Self::Tcp(stream) => {
                    stream.readable().await?;
                    stream.try_io(Interest::READABLE, || peek(stream, &mut byte))
                }
                Self::Unix(stream) => {
                    stream.readable().await?;
                    stream.try_io(Interest::READABLE, || peek(stream, &mut byte))
                }
            };
            match peeked {
                Ok(count) => return Ok((count > 0).then_some(byte[0])),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Says `last` and closes, without waiting for the client.
    pub(in crate::expose) fn dismiss(self, last: &[u8]) {
        // The sockets do not block, and a client that cannot take 80 bytes gets none. Closing with
        // a request unread would reset the connection and take the answer away.
        let mut unread = [0; 4096];
        match self {
            Self::Tcp(stream) => {
                if let Ok(mut stream) = stream.into_std() {
                    let _ = stream.write(last);
                    let _ = stream.shutdown(Shutdown::Write);
                    let _ = stream.read(&mut unread);
                }
            }
            Self::Unix(stream) => {
                if let Ok(mut stream) = stream.into_std() {
                    let _ = stream.write(last);
                    let _ = stream.shutdown(Shutdown::Write);
                    let _ = stream.read(&mut unread);
                }
            }
        }
    }
}

fn peek(stream: impl AsFd, byte: &mut [u8; 1]) -> io::Result<usize> {
    let (count, _) = rustix::net::recv(stream, byte, RecvFlags::PEEK)?;
    Ok(count)
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
