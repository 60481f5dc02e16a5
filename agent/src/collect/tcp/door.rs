//! Listening sockets and refusals, as the programs of either object keep them: what is polled
//! several times a second.

use aya::maps::{MapData, PerCpuArray};
use hostlens_ebpf::wire::{self, DoorTotals, LISTENERS, ListenElement, ListenRecord};

use super::refused::Refused;
use crate::{
    collect::DoorSink,
    kernel::{Kernel, LoadedObject, Table, Target, Walker},
    model::{Lost, MapFill},
};

/// Reader of one object's listeners and refusals.
pub struct Door {
    listeners: Result<Walker, String>,
    entries: Table,
    totals: PerCpuArray<MapData, u64>,
    refused: Result<Refused, String>,
    used: u64,
    /// Ended ones of a poll, whose entries go.
    ended: Vec<ListenElement>,
}

impl Door {
    /// Takes the maps out of the object. Programs that do not run are told of by each poll.
    ///
    /// # Errors
    /// A map is missing.
    pub fn take(kernel: &Kernel, object: &mut LoadedObject) -> anyhow::Result<Self> {
        let map = object
            .map("LISTENERS")
            .ok_or_else(|| anyhow::anyhow!("no map LISTENERS"))?;
        let entries = Table::new(map, size_of::<ListenRecord>())?;
        let listeners = link(object, "tcp_listeners", &entries);
        let refused = Refused::take(kernel, object)?;
        Ok(Self {
            listeners,
            entries,
            totals: object.per_cpu("DOOR_TOTALS")?,
            refused,
            used: 0,
            ended: Vec::new(),
        })
    }

    /// Hands every listener to the sink; one that ended since the last call once more, for the
    /// last time. While listeners come and go one may be missing from a poll, or come twice.
    ///
    /// # Errors
    /// Why there are none, in one line.
    pub fn poll_listeners(&mut self, sink: &mut dyn DoorSink) -> Result<(), String> {
        let walker = self.listeners.as_mut().map_err(|why| why.clone())?;
        let ended = &mut self.ended;
        let mut used = 0;
        let walked = walker.walk(|bytes| {
            let mut at = 0;
            while let Some(element) = wire::read::<ListenElement>(&bytes[at..]) {
                at += size_of::<ListenElement>();
                used += 1;
                if element.record.ended == 0 {
                    sink.listener(&element.record);
                } else if !ended.iter().any(|seen| seen.record.id == element.record.id) {
                    ended.push(element);
                }
            }
            at
        });
        self.used = used;
        for element in self.ended.drain(..) {
            // What cannot be removed would be told again: it stays untold for as long.
            match self.entries.remove(&element.key) {
                Ok(true) => sink.listener(&element.record),
                Ok(false) => {}
                Err(error) => return Err(format!("cannot remove a listener: {error}")),
            }
        }
        walked.map_err(|error| format!("poll of listeners: {error}"))
    }

    /// Hands the refusals since the last call to the sink.
    ///
    /// # Errors
    /// Why there are none, in one line.
    pub fn take_refused(&mut self, sink: &mut dyn DoorSink) -> Result<(), String> {
        let all = self.total(DoorTotals::REFUSED);
        let elsewhere = self.total(DoorTotals::ELSEWHERE);
        let refused = self.refused.as_mut().map_err(|why| why.clone())?;
        refused.read(all, elsewhere, sink)
    }

    /// Listeners without room, and last words on what was never read.
    pub fn lost(&self) -> [Lost; 2] {
        [
            Lost {
                what: "listener",
                count: self.total(DoorTotals::LISTENERS_LOST),
            },
            Lost {
                what: "tcp_unread",
                count: self.total(DoorTotals::UNREAD_LOST),
            },
        ]
    }

    /// Entries at the last poll.
    pub fn fill(&self) -> MapFill {
        MapFill {
            map: "LISTENERS",
            used: self.used,
            capacity: LISTENERS as u64,
        }
    }

    fn total(&self, place: u32) -> u64 {
        self.totals
            .get(&place, 0)
            .map_or(0, |values| values.iter().sum())
    }
}

/// Links an iterator to a map, or says why not.
pub(super) fn link(object: &LoadedObject, program: &str, map: &Table) -> Result<Walker, String> {
    if let Some(why) = object.refusal(program) {
        return Err(why);
    }
    let iterator = object
        .iterator(program)
        .ok_or_else(|| format!("no {program}"))?;
    Walker::link(iterator, Target::Map(map.map())).map_err(|error| format!("{program}: {error}"))
}
