//! The server as its clients see it, over real sockets on port 0.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod answers;
mod clients;
mod http2;
mod reload;
mod response_time;
mod tls;
mod unix;
mod web;

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::{runtime::Runtime, sync::oneshot, task::JoinHandle};

use super::{LatestSnapshot, Limits, ListenAddress, Scrapers, Server, ServerOptions, Sockets};
use crate::{clock::Moment, metric::fixture, model::Snapshot};

/// Far more than any answer takes, so that a hang fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Store {
    latest: Mutex<Option<Arc<Snapshot>>>,
    reads: AtomicU64,
}

impl LatestSnapshot for Store {
    fn latest(&self) -> Option<Arc<Snapshot>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.latest.lock().unwrap().clone()
    }
}

impl Store {
    fn put(&self, sequence: u64, snapshot: Snapshot) {
        let snapshot = Snapshot {
            sequence,
            ..snapshot
        };
        *self.latest.lock().unwrap() = Some(Arc::new(snapshot));
    }
}

/// A running server; stopped when dropped.
struct Running {
    address: SocketAddr,
    /// Listened on, too.
    second: SocketAddr,
    store: Arc<Store>,
    scrapers: Arc<Scrapers>,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<anyhow::Result<()>>>,
    runtime: Runtime,
}

impl Running {
    fn new(limits: Limits) -> Self {
        Self::with(ServerOptions {
            limits,
            ..ServerOptions::default()
        })
    }

    fn with(options: ServerOptions) -> Self {
        let store = Arc::new(Store::default());
        let any = ["127.0.0.1:0", "127.0.0.2:0"].map(|any| any.parse().unwrap());
        Self::on(Sockets::bind(&any).unwrap(), options, store)
    }

    fn on(sockets: Sockets, options: ServerOptions, store: Arc<Store>) -> Self {
        let server = Server::new(sockets, options, Arc::clone(&store) as _).unwrap();
        let tcp = |at: usize| match server.addresses().get(at) {
            Some(ListenAddress::Tcp(address)) => *address,
            _ => ([127, 0, 0, 1], 0).into(),
        };
        let (address, second) = (tcp(0), tcp(1));
        let scrapers = server.scrapers();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = runtime.spawn(server.run(async {
            let _ = stopped.await;
        }));
        Self {
            address,
            second,
            store,
            scrapers,
            stop: Some(stop),
            task: Some(task),
            runtime,
        }
    }

    fn ready(limits: Limits) -> Self {
        let running = Self::new(limits);
        running.store.put(1, fixture::small());
        running
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// One request on its own connection.
    fn ask(&self, request: &str) -> Answer {
        let mut stream = self.connect();
        // A server that refuses early may close before it has read everything.
        let _ = stream.write_all(request.as_bytes());
        Answer::read(stream)
    }

    fn get(&self, path: &str) -> Answer {
        self.ask(&get(path, ""))
    }

    fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(task) = self.task.take() {
            self.runtime.block_on(task).unwrap().unwrap();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

fn post(path: &str, headers: &str) -> String {
    get(path, &format!("content-length: 0\r\n{headers}")).replace("GET", "POST")
}

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n")
}

/// What came until the server closed.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn read(mut stream: TcpStream) -> Self {
        let mut bytes = Vec::new();
        match stream.read_to_end(&mut bytes) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
            _ => {}
        }
        Self::parse(&bytes)
    }

    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no answer: {bytes:?}"));
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        Self {
            status: head[9..12].parse().unwrap(),
            head: head.to_lowercase(),
            body: bytes[end + 4..].to_vec(),
        }
    }

    fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().skip(1);
        lines
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
            .unwrap_or_default()
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}
