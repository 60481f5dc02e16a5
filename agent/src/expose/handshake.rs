//! The beginning of a connection that speaks TLS.

use std::pin::pin;

use rustls::server::Acceptor;
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};

use super::{guard::Guard, listen::Stream};

/// A TLS record: fatal alert, `internal_error`.
const BROKEN: &[u8] = &[21, 3, 3, 0, 2, 2, 80];

/// Reads the client's hello, and only then looks at the configuration, so that whoever connects
/// sees the one in force.
///
/// # Errors
/// What the client did wrong, or that there is no configuration.
pub(super) async fn accept(stream: Stream, guard: &Guard) -> std::io::Result<TlsStream<Stream>> {
    let hello = pin!(LazyConfigAcceptor::new(Acceptor::default(), stream)).await?;
    let config = guard.current().await;
    match config.and_then(|config| config.tls.clone()) {
        Some(tls) => hello.into_stream(tls).await,
        None => {
            hello.io.dismiss(BROKEN);
            Err(std::io::Error::other("no TLS configuration in force"))
        }
    }
}

/// Whether the client chose HTTP/2.
pub(super) fn chose_http2(stream: &TlsStream<Stream>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(b"h2")
}
