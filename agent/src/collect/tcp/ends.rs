//! The final records of connections, out of the ring buffer, and the totals of those that found
//! no room in it.

use aya::maps::{MapData, PerCpuArray, RingBuf};
use hostlens_ebpf::wire::{self, SockRecord, SockTotals};

use crate::{
    collect::TcpSink,
    kernel::{LoadedObject, RingBytes},
    model::MapFill,
};

/// Final records in flight: enough for 8,000 connections that end between two polls.
pub const RING_BYTES: u32 = 1 << 20;
const RING: &str = "SOCK_ENDS";
/// What the kernel puts before each record.
const HEADER_BYTES: u64 = 8;

/// Reader of one object's final records.
pub struct Ends {
    ring: RingBuf<MapData>,
    overflow: PerCpuArray<MapData, SockTotals>,
    malformed: u64,
    fill: MapFill,
}

impl Ends {
    /// The size to load the object with.
    pub fn sized(bytes: u32) -> RingBytes {
        RingBytes { map: RING, bytes }
    }

    /// Takes the maps out of the object.
    ///
    /// # Errors
    /// A map is missing or cannot be mapped into memory.
    pub fn take(object: &mut LoadedObject, bytes: u32) -> anyhow::Result<Self> {
        Ok(Self {
            ring: object.ring(RING)?,
            overflow: object.per_cpu("SOCK_OVERFLOW")?,
            malformed: 0,
            fill: MapFill {
                map: RING,
                used: 0,
                capacity: u64::from(bytes),
            },
        })
    }

    /// Hands what came in since the last call to the sink, then the overflow totals so far.
    /// `amend` may complete a record.
    pub fn drain(&mut self, sink: &mut dyn TcpSink, amend: impl Fn(&mut SockRecord)) {
        let mut used = 0;
        while let Some(item) = self.ring.next() {
            used += item.len() as u64 + HEADER_BYTES;
            match wire::read::<SockRecord>(&item) {
                Some(mut record) => {
                    amend(&mut record);
                    sink.socket(&record);
                }
                None => self.malformed += 1,
            }
        }
        self.fill.used = used;
        sink.lost(&self.totals());
    }

    fn totals(&self) -> [SockTotals; 3] {
        let mut totals = [SockTotals::default(); 3];
        for (direction, total) in (0u32..).zip(totals.iter_mut()) {
            let Ok(values) = self.overflow.get(&direction, 0) else {
                continue;
            };
            for value in values.iter() {
                total.connections += value.connections;
                total.sent_bytes += value.sent_bytes;
                total.received_bytes += value.received_bytes;
                total.data_segs_out += value.data_segs_out;
                total.total_retrans += value.total_retrans;
            }
        }
        totals
    }

    /// Records that could not be decoded.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// Bytes found in the ring buffer at the last call.
    pub fn fill(&self) -> MapFill {
        self.fill
    }
}

/// Hands the records of a walk's buffer to the sink; returns the bytes of whole records.
pub fn take_records(
    bytes: &[u8],
    sink: &mut dyn TcpSink,
    amend: impl Fn(&mut SockRecord),
) -> usize {
    let mut at = 0;
    while let Some(mut record) = wire::read::<SockRecord>(&bytes[at..]) {
        amend(&mut record);
        sink.socket(&record);
        at += size_of::<SockRecord>();
    }
    at
}
