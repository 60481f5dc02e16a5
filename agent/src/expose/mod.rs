//! The last complete snapshot for Prometheus and for people, over HTTP.
//!
//! ```text
//! listen ──► accept ──► connection ──► guard ──► routes ──► cache ──► walk ──► text
//!  sockets   handshake   deadlines    password   answer     once per  plan     protobuf
//!                                                           snapshot
//! ```
//!
//! Nothing here starts a cycle or waits for one.

mod accept;
mod asker;
mod cache;
mod classic;
mod connection;
mod counters;
mod door;
mod exposure;
mod guard;
mod handshake;
mod listen;
mod negotiate;
mod page;
mod password;
mod plan;
mod protobuf;
mod reload;
mod response_time;
mod routes;
mod scrapers;
mod server;
mod status;
mod text;
mod walk;

#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod http_tests;

use std::sync::Arc;

use crate::model::Snapshot;

pub use cache::encode;
pub use listen::{ListenAddress, Sockets};
pub use negotiate::Format;
pub use scrapers::Scrapers;
pub use server::{Limits, Server, ServerOptions};

/// Where the last complete snapshot is found.
pub trait LatestSnapshot: Send + Sync + 'static {
    /// The last complete snapshot; `None` before the first cycle is done.
    fn latest(&self) -> Option<Arc<Snapshot>>;
}

impl LatestSnapshot for crate::aggregate::Store {
    fn latest(&self) -> Option<Arc<Snapshot>> {
        Self::latest(self)
    }
}
