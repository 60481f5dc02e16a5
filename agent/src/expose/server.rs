//! Listens, and stops.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
};

use super::{
    LatestSnapshot, ListenAddress, Scrapers, Sockets,
    accept::accept,
    counters::Counters,
    exposure,
    listen::{Acceptor, Listener},
    routes::App,
};
use crate::{
    config::{LiveConfig, LiveWeb},
    request::ResponseRequest,
};

/// What a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections; more are answered 503.
    pub connections: usize,
    /// Time from the first byte of a request to its last; then 408. As long for a handshake of
    /// TLS.
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
    /// What the server demands of its clients; `None`: nothing.
    pub web: Option<LiveWeb>,
    /// What `POST /api/response-time` asks: the same as the engine's.
    pub response: ResponseRequest,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            series_limit: 25_000,
            limits: Limits::default(),
            config: None,
            web: None,
            response: ResponseRequest::default(),
        }
    }
}

/// The HTTP server: listening since it was bound, answering while it runs.
pub struct Server {
    listeners: Vec<Listener>,
    app: Arc<App>,
}

impl Server {
    /// The address listened on unless told otherwise: loopback, because the agent tells which
    /// processes run and whom they talk to.
    pub const DEFAULT_ADDRESS: SocketAddr =
        SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 10_477);

    /// A server on `sockets`.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn new(
        sockets: Sockets,
        options: ServerOptions,
        store: Arc<dyn LatestSnapshot>,
    ) -> anyhow::Result<Self> {
        let scrapers = Arc::new(Scrapers::default());
        let counters = Arc::new(Counters::new(options.series_limit, Arc::clone(&scrapers)));
        let Sockets {
            listeners,
            addresses,
        } = sockets;
        Ok(Self {
            listeners,
            app: Arc::new(App::new(store, scrapers, counters, options, addresses)?),
        })
    }

    /// The addresses listened on, with the ports that were taken.
    pub fn addresses(&self) -> &[ListenAddress] {
        self.app.addresses()
    }

    /// What strangers could see or overhear, and the cure; `None` if that is nothing.
    pub fn warning(&self) -> Option<String> {
        exposure::warning(self.app.addresses(), self.app.guard())
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
            let acceptor =
                Acceptor::new(listener).context("cannot hand a listening socket to the runtime")?;
            acceptors.spawn(accept(
                acceptor,
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
