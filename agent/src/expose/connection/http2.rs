//! A connection that speaks HTTP/2: several requests at once, each with its deadline.

use std::{
    collections::HashMap,
    convert::Infallible,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::{
    Response,
    body::{Body, Frame, Incoming, SizeHint},
    header::CONTENT_LENGTH,
    server::conn::http2,
    service::HttpService,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time::Instant,
};

use super::{ANSWER, Answer, Delivered, End, Progress, drive, idle};
use crate::expose::Limits;

/// Requests at once; a scraper has one.
const STREAMS: u32 = 8;
/// What a client may send before it is read, bytes: our requests have no bodies.
const WINDOW: u32 = 64 * 1024;
/// What of a response is handed over at once, bytes: a frame.
const PIECE: usize = 16 * 1024;
/// What of all responses may wait to be sent, bytes.
const UNSENT: usize = 4 * PIECE;

/// The open requests of one connection; its deadline is the earliest of theirs.
pub(in crate::expose) struct Streams {
    limits: Limits,
    table: Mutex<Table>,
}

struct Table {
    next: u64,
    open: HashMap<u64, Instant>,
    /// The deadline while none is open. What arrives meanwhile does not move it.
    idle: Instant,
    refused: bool,
}

impl Streams {
    /// A new connection, which has as long for its first request as for sending one.
    pub(in crate::expose) fn new(limits: Limits) -> Self {
        Self {
            table: Mutex::new(Table {
                next: 0,
                open: HashMap::new(),
                idle: Instant::now() + limits.request,
                refused: false,
            }),
            limits,
        }
    }

    /// A request is complete and being answered.
    pub(in crate::expose) fn open(self: &Arc<Self>) -> Stream {
        let mut table = self.lock();
        let id = table.next;
        table.next += 1;
        table.open.insert(id, Instant::now() + ANSWER);
        Stream {
            id,
            delivered: Mutex::default(),
            streams: Arc::clone(self),
        }
    }

    fn deadline(&self) -> Instant {
        let table = self.lock();
        table.open.values().min().copied().unwrap_or(table.idle)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Every change is complete before the lock is released, even by a panic.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request and its response; over when dropped.
pub(in crate::expose) struct Stream {
    id: u64,
    delivered: Mutex<Option<Delivered>>,
    streams: Arc<Streams>,
}

impl Stream {
    /// The response begins: from now on it is the client's turn. To `HEAD` its body is only told.
    pub(in crate::expose) fn respond(self, answer: Answer, head: bool) -> Response<Pieces> {
        let deadline = Instant::now() + self.streams.limits.response;
        self.streams.lock().open.insert(self.id, deadline);
        let mut told = None;
        let mut answer = answer.map(|body| {
            // A body that is whole in memory is there at once.
            let mut rest = whole(body);
            if head {
                told = Some(std::mem::take(&mut rest).len());
            }
            Pieces { rest, stream: self }
        });
        if let Some(length) = told {
            let headers = answer.headers_mut();
            headers.insert(CONTENT_LENGTH, length.into());
        }
        answer
    }

    fn finished(&self) {
        let mut delivered = self
            .delivered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(delivered) = delivered.take() {
            delivered();
        }
    }
}

impl Progress for Stream {
    fn when_delivered(&self, delivered: Delivered) {
        let mut slot = self
            .delivered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *slot = Some(delivered);
    }

    fn refused(&self, refused: bool) {
        self.streams.lock().refused = refused;
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut table = self.streams.lock();
        table.open.remove(&self.id);
        if table.open.is_empty() {
            table.idle = Instant::now() + idle(&self.streams.limits, table.refused);
        }
    }
}

fn whole(body: http_body_util::Full<Bytes>) -> Bytes {
    let mut body = body;
    let mut context = Context::from_waker(std::task::Waker::noop());
    match Pin::new(&mut body).poll_frame(&mut context) {
        Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        _ => Bytes::new(),
    }
}

/// A body in pieces, of which the next is taken only as the client takes those before.
pub(in crate::expose) struct Pieces {
    rest: Bytes,
    stream: Stream,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let size = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(size);
        if self.rest.is_empty() {
            self.stream.finished();
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

/// Serves one connection until it ends, a deadline passes, or `stop` becomes true and the requests
/// in hand are answered.
pub(in crate::expose) async fn serve<I, S>(
    io: I,
    streams: Arc<Streams>,
    service: S,
    stop: watch::Receiver<bool>,
) -> End
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: HttpService<Incoming, ResBody = Pieces>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: Send + 'static,
{
    let headers = u32::try_from(streams.limits.header_bytes).unwrap_or(u32::MAX);
    let connection = http2::Builder::new(TokioExecutor::new())
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_header_list_size(headers)
        .max_send_buf_size(UNSENT)
        .serve_connection(TokioIo::new(io), service);
    let connection = pin!(connection);
    drive(
        connection,
        http2::Connection::graceful_shutdown,
        || streams.deadline(),
        stop,
    )
    .await
}
