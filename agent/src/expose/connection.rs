//! One connection: hyper speaks HTTP, deadlines keep a slow client from holding memory.

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::HttpService};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::watch,
    time::{Instant, sleep_until},
};

use super::server::Limits;

const REQUEST_TIMEOUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Time for our own part; a client is not to blame if it passes.
const ANSWER: Duration = Duration::from_secs(60);

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// By the client, by an error of the transport, or by a shutdown.
    Closed,
    /// By us: the client was too slow.
    TimedOut,
}

/// What the connection is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The next request.
    Idle,
    /// The rest of a request.
    Reading,
    /// Our own answer.
    Answering,
    /// The client to take the response.
    Writing,
}

/// Progress of one connection: its transport and its requests report, its deadline follows.
pub(super) struct Pace {
    limits: Limits,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    deadline: Instant,
    delivered: Option<Box<dyn FnOnce() + Send>>,
}

impl Pace {
    /// A new connection, which has as long for its first request as for sending one.
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            state: Mutex::new(State {
                phase: Phase::Idle,
                deadline: Instant::now() + limits.request,
                delivered: None,
            }),
            limits,
        }
    }

    /// A request is complete and being answered.
    pub(super) fn answering(&self) {
        self.enter(Phase::Answering);
    }

    /// Calls `delivered` once the response has been handed to the transport completely.
    pub(super) fn when_delivered(&self, delivered: impl FnOnce() + Send + 'static) {
        self.lock().delivered = Some(Box::new(delivered));
    }

    fn read(&self) {
        if self.lock().phase == Phase::Idle {
            self.enter(Phase::Reading);
        }
    }

    fn writing(&self) {
        if self.lock().phase != Phase::Writing {
            self.enter(Phase::Writing);
        }
    }

    fn flushed(&self) {
        let delivered = {
            let mut state = self.lock();
            if state.phase != Phase::Writing {
                return;
            }
            state.delivered.take()
        };
        self.enter(Phase::Idle);
        if let Some(delivered) = delivered {
            delivered();
        }
    }

    fn enter(&self, phase: Phase) {
        let limit = match phase {
            Phase::Idle => self.limits.idle,
            Phase::Reading => self.limits.request,
            Phase::Answering => ANSWER,
            Phase::Writing => self.limits.response,
        };
        let mut state = self.lock();
        state.phase = phase;
        state.deadline = Instant::now() + limit;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is complete before the lock is released, even by a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves one connection until it ends, its deadline passes, or `stop` becomes true and the
/// request in hand is answered.
pub(super) async fn serve<I, S>(
    io: I,
    pace: Arc<Pace>,
    service: S,
    mut stop: watch::Receiver<bool>,
) -> End
where
    I: AsyncRead + AsyncWrite + Unpin,
    S: HttpService<Incoming, ResBody = Full<Bytes>> + Unpin,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: Unpin,
{
    let limits = pace.limits;
    let io = TokioIo::new(Paced {
        io,
        pace: Arc::clone(&pace),
    });
    let mut connection = http1::Builder::new()
        .max_buf_size(limits.header_bytes)
        .max_headers(limits.headers)
        .half_close(false)
        .serve_connection(io, service);
    let mut deadline = pin!(sleep_until(pace.lock().deadline));
    let mut stopped = pin!(asked_to_stop(&mut stop));
    let mut stopping = false;

    let end = poll_fn(|context| {
        if !stopping && stopped.as_mut().poll(context).is_ready() {
            stopping = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        if Pin::new(&mut connection).poll(context).is_ready() {
            return Poll::Ready(End::Closed);
        }
        let now = pace.lock().deadline;
        if deadline.deadline() != now {
            deadline.as_mut().reset(now);
        }
        deadline.as_mut().poll(context).map(|()| End::TimedOut)
    })
    .await;

    if end == End::TimedOut && pace.lock().phase == Phase::Reading {
        let mut io = connection.into_parts().io.into_inner().io;
        // As much as goes out at once; whoever sends slowly may not be listening either.
        poll_fn(|context| {
            let _ = Pin::new(&mut io).poll_write(context, REQUEST_TIMEOUT);
            Poll::Ready(())
        })
        .await;
    }
    end
}

/// Completes when the server is to stop.
pub(super) async fn asked_to_stop(stop: &mut watch::Receiver<bool>) {
    // An error means that the server is gone, which is as good as asked to stop.
    let _ = stop.wait_for(|&stop| stop).await;
}

/// A transport that reports its progress.
struct Paced<I> {
    io: I,
    pace: Arc<Pace>,
}

impl<I: AsyncRead + Unpin> AsyncRead for Paced<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.pace.read();
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Paced<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.pace.writing();
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.pace.writing();
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_flush(context))?;
        self.pace.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

/// A response that is whole in memory.
pub(super) type Answer = Response<Full<Bytes>>;
/// A request as hyper hands it over.
pub(super) type Ask = Request<Incoming>;
