//! A connection that speaks HTTP/1: one request after the other.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::HttpService};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::watch,
    time::Instant,
};

use super::{ANSWER, Delivered, End, Progress, drive, idle};
use crate::expose::Limits;

const REQUEST_TIMEOUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

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
pub(in crate::expose) struct Pace {
    limits: Limits,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    deadline: Instant,
    delivered: Option<Delivered>,
    /// The client has been refused and nothing else yet.
    refused: bool,
}

impl Pace {
    /// A new connection, which has as long for its first request as for sending one.
    pub(in crate::expose) fn new(limits: Limits) -> Self {
        Self {
            state: Mutex::new(State {
                phase: Phase::Idle,
                deadline: Instant::now() + limits.request,
                delivered: None,
                refused: false,
            }),
            limits,
        }
    }

    /// A request is complete and being answered.
    pub(in crate::expose) fn answering(&self) {
        self.enter(Phase::Answering);
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
        let mut state = self.lock();
        let limit = match phase {
            Phase::Idle => idle(&self.limits, state.refused),
            Phase::Reading => self.limits.request,
            Phase::Answering => ANSWER,
            Phase::Writing => self.limits.response,
        };
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
pub(in crate::expose) async fn serve<I, S>(
    io: I,
    pace: Arc<Pace>,
    service: S,
    stop: watch::Receiver<bool>,
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
    let end = drive(
        Pin::new(&mut connection),
        http1::Connection::graceful_shutdown,
        || pace.lock().deadline,
        stop,
    )
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

impl Progress for Pace {
    fn when_delivered(&self, delivered: Delivered) {
        self.lock().delivered = Some(delivered);
    }

    fn refused(&self, refused: bool) {
        self.lock().refused = refused;
    }
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
