//! One connection: hyper speaks HTTP, deadlines keep a slow client from holding memory.

pub(super) mod http1;
pub(super) mod http2;

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::Limits;

/// Time for our own part; a client is not to blame if it passes.
const ANSWER: Duration = Duration::from_secs(60);

/// A response that is whole in memory.
pub(super) type Answer = Response<Full<Bytes>>;
/// A request as hyper hands it over.
pub(super) type Ask = Request<Incoming>;

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// By the client, by an error of the transport, or by a shutdown.
    Closed,
    /// By us: the client was too slow.
    TimedOut,
}

/// What is to be done once a response has been delivered.
pub(super) type Delivered = Box<dyn FnOnce() + Send>;

/// The way of one response to its client.
pub(super) trait Progress: Send + Sync {
    /// Calls `delivered` once the response has been handed to the transport completely.
    fn when_delivered(&self, delivered: Delivered);

    /// Whether the client was turned away: it gets less time between two requests.
    fn refused(&self, refused: bool);
}

/// Time between two requests.
fn idle(limits: &Limits, refused: bool) -> Duration {
    if refused {
        limits.idle.min(limits.request)
    } else {
        limits.idle
    }
}

/// Completes when the server is to stop.
pub(super) async fn asked_to_stop(stop: &mut watch::Receiver<bool>) {
    // An error means that the server is gone, which is as good as asked to stop.
    let _ = stop.wait_for(|&stop| stop).await;
}

/// Drives a connection until it ends, its deadline, which may move, passes, or `stop` becomes true
/// and the requests in hand are answered.
async fn drive<C: Future>(
    mut connection: Pin<&mut C>,
    finish: impl Fn(Pin<&mut C>),
    deadline: impl Fn() -> Instant,
    mut stop: watch::Receiver<bool>,
) -> End {
    let mut sleep = pin!(sleep_until(deadline()));
    let mut stopped = pin!(asked_to_stop(&mut stop));
    let mut stopping = false;
    poll_fn(|context| {
        if !stopping && stopped.as_mut().poll(context).is_ready() {
            stopping = true;
            finish(connection.as_mut());
        }
        if connection.as_mut().poll(context).is_ready() {
            return Poll::Ready(End::Closed);
        }
        let mut now = deadline();
        loop {
            if sleep.deadline() != now {
                sleep.as_mut().reset(now);
            }
            if sleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            // It may have moved while we slept, in another task.
            now = deadline();
            if sleep.deadline() == now {
                return Poll::Ready(End::TimedOut);
            }
        }
    })
    .await
}
