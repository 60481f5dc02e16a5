//! Listens, accepts, bounds what clients may hold, and stops.

use std::{
    convert::Infallible,
    io::{Read, Write},
    net::{IpAddr, Shutdown, SocketAddr, TcpListener as StdListener},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use hyper::service::service_fn;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::timeout,
};

use super::{
    LatestSnapshot, Scrapers,
    connection::{End, Pace, asked_to_stop, serve},
    counters::Counters,
    routes::App,
};
use crate::{config::LiveConfig, request::ResponseRequest};

/// Connections that are still answered may take so long after a stop.
const GRACE: Duration = Duration::from_millis(700);
/// Pause after an accept that failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const BUSY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n";

/// What a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections; more are answered 503.
    pub connections: usize,
    /// Time from the first byte of a request to its last; then 408.
    pub request: Duration,
    /// Time to take a response.
    pub response: Duration,
    /// Time between two requests of a connection.
    pub idle: Duration,
    /// Size of request line and headers, bytes (8 KiB at least); beyond it 431.
    pub header_bytes: usize,
    /// Number of headers; beyond it 431.
    pub headers: usize,
    /// Length of the request target, bytes; beyond it 414.
    pub target_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            request: Duration::from_secs(10),
            response: Duration::from_secs(15),
            idle: Duration::from_secs(120),
            header_bytes: 16 * 1024,
            headers: 64,
            target_bytes: 4 * 1024,
        }
    }
}

/// How to serve.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Series an exposition may have; beyond it label sets are left out.
    pub series_limit: usize,
    /// What a client may take.
    pub limits: Limits,
    /// What `POST /-/reload` reads again; `None`: nothing.
    pub config: Option<LiveConfig>,
    /// What `POST /api/response-time` asks: the same as the engine's.
    pub response: ResponseRequest,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            series_limit: 25_000,
            limits: Limits::default(),
            config: None,
            response: ResponseRequest::default(),
        }
    }
}

/// The HTTP server: listening since it was bound, answering while it runs.
pub struct Server {
    listeners: Vec<StdListener>,
    addresses: Vec<SocketAddr>,
    app: Arc<App>,
}

impl Server {
    /// The address listened on unless told otherwise: loopback, because the agent tells which
    /// processes run and whom they talk to.
    pub const DEFAULT_ADDRESS: SocketAddr =
        SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 10_477);

    /// Listens on all `addresses`; port 0 takes a free one.
    ///
    /// # Errors
    /// If an address cannot be listened on, naming it and the cure.
    pub fn bind(
        addresses: &[SocketAddr],
        options: ServerOptions,
        store: Arc<dyn LatestSnapshot>,
    ) -> anyhow::Result<Self> {
        let mut listeners = Vec::with_capacity(addresses.len());
        let mut bound = Vec::with_capacity(addresses.len());
        for address in addresses {
            let listener = StdListener::bind(address).with_context(|| {
                format!("cannot listen on {address} (choose another address with --listen)")
            })?;
            listener
                .set_nonblocking(true)
                .with_context(|| format!("cannot listen on {address}"))?;
            bound.push(
                listener
                    .local_addr()
                    .with_context(|| format!("cannot tell the port of {address}"))?,
            );
            listeners.push(listener);
        }
        let scrapers = Arc::new(Scrapers::default());
        let counters = Arc::new(Counters::new(options.series_limit, Arc::clone(&scrapers)));
        Ok(Self {
            listeners,
            addresses: bound,
            app: Arc::new(App::new(
                store,
                scrapers,
                counters,
                options.limits,
                options.config,
                options.response,
            )),
        })
    }

    /// The addresses listened on, with the ports that were taken.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Who scrapes.
    pub fn scrapers(&self) -> Arc<Scrapers> {
        Arc::clone(self.app.scrapers())
    }

    /// Answers requests until `shutdown` completes; then ends within a second.
    ///
    /// # Errors
    /// If a listener cannot be driven by the runtime.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let slots = Arc::new(Semaphore::new(self.app.limits().connections));
        let (stop, stopped) = watch::channel(false);
        let mut acceptors = JoinSet::new();
        for listener in self.listeners {
            let listener = TcpListener::from_std(listener)
                .context("cannot hand a listening socket to the runtime")?;
            acceptors.spawn(accept(
                listener,
                Arc::clone(&self.app),
                Arc::clone(&slots),
                stopped.clone(),
            ));
        }
        shutdown.await;
        // Without a receiver there is nobody left to stop.
        let _ = stop.send(true);
        while acceptors.join_next().await.is_some() {}
        Ok(())
    }
}

/// Accepts until asked to stop, then lets the open connections finish for a moment.
async fn accept(
    listener: TcpListener,
    app: Arc<App>,
    slots: Arc<Semaphore>,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    let stopped = stop.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => match Arc::clone(&slots).try_acquire_owned() {
                    Ok(slot) => {
                        let (app, stop) = (Arc::clone(&app), stopped.clone());
                        connections.spawn(async move {
                            answer(stream, peer, app, stop).await;
                            drop(slot);
                        });
                    }
                    Err(_) => {
                        app.counters().rejected();
                        reject(stream);
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
    drop(listener);
    // What is not done by then is aborted with the set.
    let _ = timeout(GRACE, async {
        while connections.join_next().await.is_some() {}
    })
    .await;
}

async fn answer(stream: TcpStream, peer: SocketAddr, app: Arc<App>, stop: watch::Receiver<bool>) {
    let _open = app.counters().connected();
    let pace = Arc::new(Pace::new(*app.limits()));
    let service = {
        let (app, pace) = (Arc::clone(&app), Arc::clone(&pace));
        service_fn(move |request| {
            let (app, pace) = (Arc::clone(&app), Arc::clone(&pace));
            Box::pin(async move {
                pace.answering();
                let address = peer.ip().to_canonical();
                Ok::<_, Infallible>(app.answer(request, Some(address), &pace).await)
            })
        })
    };
    if serve(stream, pace, service, stop).await == End::TimedOut {
        app.counters().timed_out();
    }
}

/// Tells a client that there are too many, without waiting for it.
fn reject(stream: TcpStream) {
    let Ok(mut stream) = stream.into_std() else {
        return;
    };
    // The socket does not block, and a client that cannot take 80 bytes gets none.
    let _ = stream.write(BUSY);
    let _ = stream.shutdown(Shutdown::Write);
    // Closing with a request unread would reset the connection and take the answer away.
    let _ = stream.read(&mut [0; 4096]);
}
