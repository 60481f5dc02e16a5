//! Accepts connections, bounds how many there are, and serves each as its client speaks.

use std::{convert::Infallible, sync::Arc, time::Duration};

use hyper::{Method, service::service_fn};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::timeout,
};

use super::{
    asker::Client,
    connection::{
        Ask, End, asked_to_stop,
        http1::{self, Pace},
        http2::{self, Streams},
    },
    guard::{self, From, Guard},
    handshake,
    listen::{Acceptor, Stream},
    routes::App,
};

/// Connections that are still answered may take so long after a stop.
const GRACE: Duration = Duration::from_millis(700);
/// Pause after an accept that failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const BUSY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n";

/// Accepts until asked to stop, then lets the open connections finish for a moment.
pub(super) async fn accept(
    acceptor: Acceptor,
    app: Arc<App>,
    slots: Arc<Semaphore>,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    let stopped = stop.clone();
    loop {
        tokio::select! {
            accepted = acceptor.accept() => match accepted {
                Ok((stream, client)) => match Arc::clone(&slots).try_acquire_owned() {
                    Ok(slot) => {
                        let (app, stop) = (Arc::clone(&app), stopped.clone());
                        connections.spawn(async move {
                            converse(stream, client, app, stop).await;
                            drop(slot);
                        });
                    }
                    Err(_) => {
                        app.counters().rejected();
                        // Whoever awaits a handshake could not read it.
                        let tls = app.guard().is_some_and(|guard| guard.web.speaks_tls());
                        stream.dismiss(if tls { b"" } else { BUSY });
                    }
                },
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = asked_to_stop(&mut stop) => break,
        }
    }
    drop(acceptor);
    // What is not done by then is aborted with the set.
    let _ = timeout(GRACE, async {
        while connections.join_next().await.is_some() {}
    })
    .await;
}

/// One connection from its beginning to its end.
async fn converse(stream: Stream, client: Client, app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let _open = app.counters().connected();
    let end = match app.guard() {
        Some(guard) if wants_tls(guard).await => {
            let limit = app.limits().request;
            let handshake = timeout(limit, handshake::accept(stream, guard));
            let shaken = tokio::select! {
                shaken = handshake => shaken,
                () = asked_to_stop(&mut stop) => return,
            };
            match shaken {
                Ok(Ok(stream)) if handshake::chose_http2(&stream) => {
                    several(stream, client, &app, stop).await
                }
                Ok(Ok(stream)) => one_by_one(stream, client, true, &app, stop).await,
                Ok(Err(error)) => {
                    app.counters().handshake_failed();
                    tracing::debug!(?client, "TLS: {error}");
                    End::Closed
                }
                Err(_) => End::TimedOut,
            }
        }
        _ => one_by_one(stream, client, false, &app, stop).await,
    };
    if end == End::TimedOut {
        app.counters().timed_out();
    }
}

/// Whether clients are to speak TLS; by what held last while the configuration is broken.
async fn wants_tls(guard: &Guard) -> bool {
    match guard.current().await {
        Some(config) => config.tls.is_some(),
        None => guard.web.speaks_tls(),
    }
}

/// HTTP/1.
async fn one_by_one<I: AsyncRead + AsyncWrite + Unpin>(
    stream: I,
    client: Client,
    encrypted: bool,
    app: &Arc<App>,
    stop: watch::Receiver<bool>,
) -> End {
    let pace = Arc::new(Pace::new(*app.limits()));
    let from = From { client, encrypted };
    let service = {
        let pace = Arc::clone(&pace);
        service_fn(move |request| {
            let (app, pace) = (Arc::clone(app), Arc::clone(&pace));
            Box::pin(async move {
                pace.answering();
                Ok::<_, Infallible>(guard::answer(&app, request, from, &*pace).await)
            })
        })
    };
    http1::serve(stream, pace, service, stop).await
}

/// HTTP/2, which is only spoken through TLS.
async fn several<I: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: I,
    client: Client,
    app: &Arc<App>,
    stop: watch::Receiver<bool>,
) -> End {
    let streams = Arc::new(Streams::new(*app.limits()));
    let from = From {
        client,
        encrypted: true,
    };
    let service = {
        let streams = Arc::clone(&streams);
        service_fn(move |request: Ask| {
            let (app, stream) = (Arc::clone(app), streams.open());
            let head = request.method() == Method::HEAD;
            async move {
                let answer = guard::answer(&app, request, from, &stream).await;
                Ok::<_, Infallible>(stream.respond(answer, head))
            }
        })
    };
    http2::serve(stream, streams, service, stop).await
}
