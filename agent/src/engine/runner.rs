//! The engine's thread: a cycle per interval, ring buffers emptied in between.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::Context as _;

use super::{Engine, EngineOptions};
use crate::{aggregate::Store, model::BirthGate};

/// How often ring buffers are emptied and listeners polled: waking a reader for each event costs
/// 13 µs, this almost nothing; and queues are to be seen at least ten times a second.
const DRAIN_EVERY: Duration = Duration::from_millis(80);
/// Distance of the first two cycles: the second gives the first rates.
const PRE_SAMPLE: Duration = Duration::from_millis(300);

/// Tells what births wait for, at the start of each cycle.
pub type Gate = Box<dyn Fn() -> BirthGate + Send>;

/// What the engine's thread shares with its owner.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    turns: AtomicU64,
}

/// A running engine; dropping it stops the thread and detaches everything.
pub struct Runner {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    store: Store,
}

impl Runner {
    /// Starts the engine on its own thread and returns once its sources are chosen.
    ///
    /// # Errors
    /// See [`Engine::start`]; or no thread could be started.
    pub fn spawn(
        options: EngineOptions,
        interval: Duration,
        pre_sample: bool,
        store: Store,
        gate: Gate,
    ) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (started, wait) = mpsc::sync_channel(1);
        let thread = thread::Builder::new()
            .name("hostlens-engine".into())
            .spawn({
                let (shared, store) = (Arc::clone(&shared), store.clone());
                move || match Engine::start(&options) {
                    Ok(engine) => {
                        let _ = started.send(Ok(()));
                        run(engine, interval, pre_sample, &shared, &store, &gate);
                    }
                    Err(error) => {
                        let _ = started.send(Err(error));
                    }
                }
            })
            .context("cannot start the engine's thread")?;
        wait.recv()
            .context("the engine's thread ended while starting")??;
        Ok(Self {
            shared,
            thread: Some(thread),
            store,
        })
    }

    /// Where snapshots appear.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// How often the engine has emptied its buffers or finished a cycle: every 80 ms, unless it
    /// hangs or a cycle takes longer.
    pub fn turns(&self) -> u64 {
        self.shared.turns.load(Ordering::Relaxed)
    }

    /// Whether the engine's thread is alive; it only ends by itself if it panicked.
    pub fn is_running(&self) -> bool {
        self.thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic was already reported by the thread itself.
            let _ = thread.join();
        }
    }
}

fn run(
    mut engine: Engine,
    interval: Duration,
    pre_sample: bool,
    shared: &Shared,
    store: &Store,
    gate: &Gate,
) {
    let mut next = Instant::now();
    let mut first = true;
    while !shared.stop.load(Ordering::Relaxed) {
        shared.turns.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        if now < next {
            thread::park_timeout((next - now).min(DRAIN_EVERY));
            engine.drain();
            continue;
        }
        store.publish(engine.cycle(gate()));
        let pause = if first && pre_sample {
            PRE_SAMPLE.min(interval)
        } else {
            interval
        };
        first = false;
        // A late cycle is not made up for: rates are over the time that really passed.
        next = (next + pause).max(Instant::now());
    }
}
