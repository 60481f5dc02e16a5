//! Encoded expositions: at most one per snapshot and format, shared by all who ask for it.

use std::{sync::Arc, time::Instant};

use anyhow::Context;
use bytes::Bytes;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{
    Format, LatestSnapshot,
    counters::Counters,
    plan,
    protobuf::ProtobufEncoder,
    text::{Dialect, TextEncoder},
    walk::walk,
};
use crate::{
    metric::Exposed,
    model::{ServerStats, Snapshot},
};

/// An encoded snapshot.
#[derive(Clone, Debug)]
pub(super) struct Exposition {
    /// Sequence of the snapshot.
    pub(super) sequence: u64,
    /// The body.
    pub(super) body: Bytes,
}

/// The last encoded exposition of each format.
pub(super) struct Cache {
    store: Arc<dyn LatestSnapshot>,
    counters: Arc<Counters>,
    slots: [Arc<Mutex<Slot>>; Format::ALL.len()],
}

#[derive(Default)]
struct Slot {
    exposition: Option<Exposition>,
    /// Size of the last body, bytes; the next will be much like it.
    size: usize,
}

impl Cache {
    /// An empty cache over a store.
    pub(super) fn new(store: Arc<dyn LatestSnapshot>, counters: Arc<Counters>) -> Self {
        Self {
            store,
            counters,
            slots: Default::default(),
        }
    }

    /// The exposition of the last snapshot; `None` before the first. Whoever comes first encodes,
    /// on a thread for blocking work; the others wait for it. The work is finished and kept even
    /// if the one who asked goes away.
    ///
    /// # Errors
    /// If the encoder panicked or the runtime shuts down.
    pub(super) async fn get(&self, format: Format) -> anyhow::Result<Option<Exposition>> {
        let Some(slot) = self.slots.get(format.index()) else {
            return Ok(None);
        };
        let slot = Arc::clone(slot).lock_owned().await;
        let Some(snapshot) = self.store.latest() else {
            return Ok(None);
        };
        if let Some(exposition) = &slot.exposition
            && exposition.sequence == snapshot.sequence
        {
            return Ok(Some(exposition.clone()));
        }
        self.release_older_than(snapshot.sequence);
        let counters = Arc::clone(&self.counters);
        tokio::task::spawn_blocking(move || refresh(slot, &snapshot, format, &counters))
            .await
            .map(Some)
            .with_context(|| format!("cannot encode metrics as {}", format.name()))
    }

    /// Gives back what other formats hold of older snapshots. A slot that is locked is about to be
    /// refreshed anyway.
    fn release_older_than(&self, sequence: u64) {
        for slot in &self.slots {
            if let Ok(mut slot) = slot.try_lock() {
                slot.exposition.take_if(|old| old.sequence < sequence);
            }
        }
    }
}

fn refresh(
    mut slot: OwnedMutexGuard<Slot>,
    snapshot: &Snapshot,
    format: Format,
    counters: &Counters,
) -> Exposition {
    // The old body goes before the new one grows.
    slot.exposition = None;
    let start = Instant::now();
    let body = encode(
        snapshot,
        counters.stats(),
        counters.series_limit(),
        format,
        slot.size,
    );
    counters.encoded(format, start.elapsed());
    slot.size = body.len();
    let exposition = Exposition {
        sequence: snapshot.sequence,
        body: body.into(),
    };
    slot.exposition = Some(exposition.clone());
    exposition
}

/// Encodes a snapshot. `server` is shown beside it, its figures of series set to what
/// `series_limit` lets pass; `expected` is a guess of the size, bytes.
pub fn encode(
    snapshot: &Snapshot,
    mut server: ServerStats,
    series_limit: usize,
    format: Format,
    expected: usize,
) -> Vec<u8> {
    let plan = plan::plan(
        Exposed {
            snapshot,
            server: &server,
        },
        series_limit,
    );
    server.series_limit = series_limit as u64;
    server.series = plan.series as u64;
    server.series_dropped = plan.series_dropped as u64;
    server.label_sets_dropped = plan.rows_dropped as u64;
    let exposed = Exposed {
        snapshot,
        server: &server,
    };
    // A little more than the last time, so that a body that grew slightly does not move.
    let expected = expected + expected / 16;
    let text = |dialect| {
        let mut encoder = TextEncoder::new(dialect, expected);
        walk(exposed, &plan, &mut encoder);
        encoder.finish()
    };
    let mut body = match format {
        Format::Text => text(Dialect::Prometheus),
        Format::OpenMetrics => text(Dialect::OpenMetrics),
        Format::Protobuf => {
            let mut encoder = ProtobufEncoder::new(expected);
            walk(exposed, &plan, &mut encoder);
            encoder.finish()
        }
    };
    body.shrink_to_fit();
    body
}
