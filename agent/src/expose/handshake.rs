//! The beginning of a connection that speaks TLS.

use std::{io, pin::pin};

use rustls::server::Acceptor;
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};

use super::{guard::Guard, listen::Stream};

/// A TLS record: fatal alert, `internal_error`.
const BROKEN: &[u8] = &[21, 3, 3, 0, 2, 2, 80];

/// For those who do not speak TLS.
const HTTPS: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 26\r\n\r\nHTTPS is spoken here only\n";

/// Reads the client's hello, and only then looks at the configuration, so that whoever connects
/// sees the one in force.
///
/// # Errors
/// What the client did wrong, or that there is no configuration.
pub(super) async fn accept(stream: Stream, guard: &Guard) -> io::Result<TlsStream<Stream>> {
    let first = stream.first_byte().await?;
    // A method; a record of TLS begins with its type.
    if first.is_some_and(|byte| byte.is_ascii_uppercase()) {
        stream.dismiss(HTTPS);
        return Err(io::Error::other("plain HTTP"));
    }
    let hello = pin!(LazyConfigAcceptor::new(Acceptor::default(), stream)).await?;
    let config = guard.current().await;
    match config.and_then(|config| config.tls.clone()) {
        Some(tls) => hello.into_stream(tls).await,
        None => {
            hello.io.dismiss(BROKEN);
            Err(io::Error::other("no TLS configuration in force"))
        }
    }
}

/// Whether the client chose HTTP/2.
pub(super) fn chose_http2(stream: &TlsStream<Stream>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(b"h2")
}
