//! Connection requests that were answered with a reset, as nobody listened: the programs count
//! them by address and port.

use std::time::{Duration, Instant};

use hostlens_ebpf::wire::{self, RefusedElement, RefusedKey};
use rustc_hash::FxHashMap;

use super::door::link;
use crate::{
    collect::DoorSink,
    kernel::{Kernel, LoadedObject, Table, Walker},
};

/// An entry leaves the kernel's map after so long without a refusal: a scan of all ports would
/// fill it for ever.
const IDLE: Duration = Duration::from_secs(60);
/// How often idle entries are looked for.
const SWEEP: Duration = Duration::from_secs(10);

/// Reader of the refusals.
pub struct Refused {
    walker: Walker,
    entries: Table,
    known: FxHashMap<RefusedKey, Seen>,
    swept: Instant,
    /// All refusals and those without an entry, as of the last call.
    all: u64,
    elsewhere: u64,
}

/// What was told of one entry.
struct Seen {
    count: u64,
    changed: Instant,
}

impl Refused {
    /// Takes the map out of the object; the inner error says why this kernel tells of no
    /// refusals.
    ///
    /// # Errors
    /// A map is missing.
    pub fn take(kernel: &Kernel, object: &LoadedObject) -> anyhow::Result<Result<Self, String>> {
        let map = object
            .map("REFUSED")
            .ok_or_else(|| anyhow::anyhow!("no map REFUSED"))?;
        let entries = Table::new(map, size_of::<u64>())?;
        if let Some(why) = object.refusal("tcp_reset_sent") {
            return Ok(Err(why));
        }
        // The event says why it resets since the same release in which it began to tell of
        // resets without a socket (6.10).
        if kernel.tracepoint_args("tcp_send_reset") < Some(3) {
            return Ok(Err(
                "tcp_send_reset says nothing of ports where nobody listens before 6.10".into(),
            ));
        }
        Ok(link(object, "tcp_refusals", &entries).map(|walker| Self {
            walker,
            entries,
            known: FxHashMap::default(),
            swept: Instant::now(),
            all: 0,
            elsewhere: 0,
        }))
    }

    /// Hands what came in since the last call to the sink. `all` and `elsewhere` are the totals
    /// so far, read before; without news the map is left alone.
    ///
    /// # Errors
    /// The walk broke off; what came before was delivered.
    pub fn read(
        &mut self,
        all: u64,
        elsewhere: u64,
        sink: &mut dyn DoorSink,
    ) -> Result<(), String> {
        let now = Instant::now();
        if elsewhere > self.elsewhere {
            sink.refused_elsewhere(elsewhere - self.elsewhere);
            self.elsewhere = elsewhere;
        }
        let mut outcome = Ok(());
        if all != self.all {
            outcome = self.walk(now, sink);
            if outcome.is_ok() {
                self.all = all;
            }
        }
        if now.duration_since(self.swept) >= SWEEP {
            self.swept = now;
            self.sweep(now, sink);
        }
        outcome
    }

    fn walk(&mut self, now: Instant, sink: &mut dyn DoorSink) -> Result<(), String> {
        let known = &mut self.known;
        let walked = self.walker.walk(|bytes| {
            let mut at = 0;
            while let Some(element) = wire::read::<RefusedElement>(&bytes[at..]) {
                at += size_of::<RefusedElement>();
                let seen = known.entry(element.key).or_insert(Seen {
                    count: 0,
                    changed: now,
                });
                // An entry may come twice in one walk.
                if element.count > seen.count {
                    sink.refused(&element.key, element.count - seen.count);
                    seen.count = element.count;
                    seen.changed = now;
                }
            }
            at
        });
        walked.map_err(|error| format!("walk over refusals: {error}"))
    }

    /// Takes idle entries out; what came in at the last moment comes with them.
    fn sweep(&mut self, now: Instant, sink: &mut dyn DoorSink) {
        let entries = &self.entries;
        self.known.retain(|key, seen| {
            if now.duration_since(seen.changed) < IDLE {
                return true;
            }
            match entries.take::<_, u64>(key) {
                Ok(last) => {
                    let more = last.unwrap_or(0).saturating_sub(seen.count);
                    if more > 0 {
                        sink.refused(key, more);
                    }
                    false
                }
                Err(_) => true,
            }
        });
        if self.known.capacity() > 4 * self.known.len().max(64) {
            self.known.shrink_to(2 * self.known.len());
        }
    }
}
