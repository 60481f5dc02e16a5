//! What the server counts about itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{Format, Scrapers};
use crate::{
    clock::Moment,
    model::{FormatStats, ServerStats},
};

/// Counters of one server. Each stands for itself, so relaxed order is enough.
#[derive(Debug, Default)]
pub(super) struct Counters {
    formats: [FormatCounters; Format::ALL.len()],
    connections: AtomicU64,
    rejected: AtomicU64,
    timed_out: AtomicU64,
    handshakes_failed: AtomicU64,
    unauthorized: AtomicU64,
    passwords_not_checked: AtomicU64,
    series_limit: usize,
    scrapers: Arc<Scrapers>,
}

#[derive(Debug, Default)]
struct FormatCounters {
    scrapes: AtomicU64,
    encodings: AtomicU64,
    encode_ns: AtomicU64,
}

impl Counters {
    pub(super) fn new(series_limit: usize, scrapers: Arc<Scrapers>) -> Self {
        Self {
            series_limit,
            scrapers,
            ..Self::default()
        }
    }

    /// Series an exposition may have.
    pub(super) fn series_limit(&self) -> usize {
        self.series_limit
    }

    /// A response in this format begins.
    pub(super) fn scraped(&self, format: Format) {
        self.add(format, |counters| &counters.scrapes, 1);
    }

    /// A snapshot was encoded in this format.
    pub(super) fn encoded(&self, format: Format, took: Duration) {
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.add(format, |counters| &counters.encodings, 1);
        self.add(format, |counters| &counters.encode_ns, ns);
    }

    fn add(&self, format: Format, which: fn(&FormatCounters) -> &AtomicU64, value: u64) {
        if let Some(counters) = self.formats.get(format.index()) {
            which(counters).fetch_add(value, Relaxed);
        }
    }

    /// A connection is open until the result is dropped.
    pub(super) fn connected(self: &Arc<Self>) -> OpenConnection {
        self.connections.fetch_add(1, Relaxed);
        OpenConnection(Arc::clone(self))
    }

    /// A connection was turned away.
    pub(super) fn rejected(&self) {
        self.rejected.fetch_add(1, Relaxed);
    }

    /// A connection was closed because its client was too slow.
    pub(super) fn timed_out(&self) {
        self.timed_out.fetch_add(1, Relaxed);
    }

    /// A client and we could not agree on TLS, or its certificate was not taken.
    pub(super) fn handshake_failed(&self) {
        self.handshakes_failed.fetch_add(1, Relaxed);
    }

    /// A request came without a right password.
    pub(super) fn unauthorized(&self) {
        self.unauthorized.fetch_add(1, Relaxed);
    }

    /// A password was not looked at because too many were waiting.
    pub(super) fn password_unchecked(&self) {
        self.passwords_not_checked.fetch_add(1, Relaxed);
    }

    /// All figures; those of the series of an exposition are set by who encodes it.
    pub(super) fn stats(&self) -> ServerStats {
        let (scrapers, scrapers_evicted) = self.scrapers.counts(Moment::now());
        ServerStats {
            formats: Format::ALL
                .iter()
                .zip(&self.formats)
                .map(|(format, counters)| FormatStats {
                    format: format.name(),
                    scrapes: counters.scrapes.load(Relaxed),
                    encodings: counters.encodings.load(Relaxed),
                    encode_seconds: counters.encode_ns.load(Relaxed) as f64 / 1e9,
                })
                .collect(),
            connections: self.connections.load(Relaxed),
            connections_rejected: self.rejected.load(Relaxed),
            connections_timed_out: self.timed_out.load(Relaxed),
            tls_handshakes_failed: self.handshakes_failed.load(Relaxed),
            unauthorized: self.unauthorized.load(Relaxed),
            passwords_not_checked: self.passwords_not_checked.load(Relaxed),
            scrapers,
            scrapers_evicted,
            series_limit: self.series_limit as u64,
            ..ServerStats::default()
        }
    }
}

/// Counts one open connection.
pub(super) struct OpenConnection(Arc<Counters>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Relaxed);
    }
}
