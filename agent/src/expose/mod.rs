//! The last complete snapshot for Prometheus and for people, over HTTP.
//!
//! ```text
//! server ──► connection ──► routes ──► cache ──► walk ──► text      0.0.4, OpenMetrics
//!  listen     deadlines      answer     once per  plan     protobuf  native histograms
//!                                       snapshot
//! ```
//!
//! Nothing here starts a cycle or waits for one.

mod asker;
mod cache;
mod classic;
mod connection;
mod counters;
mod door;
mod negotiate;
mod page;
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
