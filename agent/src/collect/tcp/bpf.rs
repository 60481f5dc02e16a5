//! TCP through kernel programs: one walk over all sockets with storage, in every namespace, and
//! the final records of those that end in between.

use aya::maps::{MapData, PerCpuArray, RingBuf};
use hostlens_ebpf::wire::{self, SockRecord, SockTotals};
use rustc_hash::FxHashSet;

use super::netns::{self, EnterError, Namespace};
use crate::{
    collect::TcpSink,
    kernel::{Kernel, LoadedObject, RingBytes, Target, WalkError, Walker, objects},
    model::{MapFill, ProgramStatus},
};

/// Final records in flight: enough for 8,000 connections that end between two polls.
pub const RING_BYTES: u32 = 1 << 20;

/// What seeding one namespace gave.
#[derive(Debug)]
pub enum Seeded {
    /// Its older sockets now carry storage; how many there were.
    Sockets(u64),
    /// It could not be entered or walked.
    Failed(String),
    /// It has ended meanwhile.
    Gone,
}

/// The source.
pub struct TcpBpf {
    walker: Walker,
    seeder: Walker,
    ends: RingBuf<MapData>,
    overflow: PerCpuArray<MapData, SockTotals>,
    seeded: FxHashSet<u32>,
    malformed: u64,
    fill: MapFill,
    // Last: programs stay attached until everything that uses them is gone.
    object: LoadedObject,
}

impl TcpBpf {
    /// Loads and attaches the programs.
    ///
    /// # Errors
    /// One line saying what this kernel lacks or refused, and the programs' states.
    pub fn start(kernel: &Kernel, ring_bytes: u32) -> Result<Self, (String, Vec<ProgramStatus>)> {
        let rings = [RingBytes { map: "SOCK_ENDS", bytes: ring_bytes }];
        let mut object =
            kernel.load(&objects::TCP, &rings).map_err(|error| (error.to_string(), Vec::new()))?;
        for program in ["tcp_state_changed", "tcp_walk", "tcp_seed"] {
            if let Some(why) = object.refusal(program) {
                return Err((why, object.programs()));
            }
        }
        match Self::assemble(&mut object, ring_bytes) {
            Ok((walker, seeder, ends, overflow)) => Ok(Self {
                walker,
                seeder,
                ends,
                overflow,
                seeded: FxHashSet::default(),
                malformed: 0,
                fill: MapFill { map: "SOCK_ENDS", used: 0, capacity: u64::from(ring_bytes) },
                object,
            }),
            Err(error) => Err((format!("{error:#}"), object.programs())),
        }
    }

    #[expect(clippy::type_complexity, reason = "the parts of one constructor")]
    fn assemble(
        object: &mut LoadedObject,
        _ring_bytes: u32,
    ) -> anyhow::Result<(Walker, Walker, RingBuf<MapData>, PerCpuArray<MapData, SockTotals>)> {
        let ends = object.ring("SOCK_ENDS")?;
        let overflow = object.per_cpu("SOCK_OVERFLOW")?;
        let sockets = object.map("SOCKETS").ok_or_else(|| anyhow::anyhow!("no map SOCKETS"))?;
        let walk = object.iterator("tcp_walk").ok_or_else(|| anyhow::anyhow!("no tcp_walk"))?;
        let seed = object.iterator("tcp_seed").ok_or_else(|| anyhow::anyhow!("no tcp_seed"))?;
        let walker = Walker::link(walk, Target::Map(sockets))?;
        let seeder = Walker::link(seed, Target::All)?;
        Ok((walker, seeder, ends, overflow))
    }

    /// Gives the older sockets of namespaces not seen before their storage. Sockets opened since
    /// the programs were attached carry it in any namespace.
    pub fn seed(&mut self, namespaces: &[Namespace]) -> Vec<(u32, Seeded)> {
        let mut outcome = Vec::new();
        for namespace in namespaces {
            if self.seeded.contains(&namespace.inode) {
                continue;
            }
            let result = self.seed_one(namespace);
            if matches!(result, Seeded::Sockets(_)) {
                self.seeded.insert(namespace.inode);
            }
            outcome.push((namespace.inode, result));
        }
        outcome
    }

    /// Forgets namespaces that ended: their inode numbers may be reused.
    pub fn retain_seeded(&mut self, alive: impl Fn(u32) -> bool) {
        self.seeded.retain(|&inode| alive(inode));
    }

    /// Whether a namespace was seeded.
    pub fn is_seeded(&self, inode: u32) -> bool {
        self.seeded.contains(&inode)
    }

    /// Namespaces seeded so far.
    pub fn seeded(&self) -> u64 {
        self.seeded.len() as u64
    }

    fn seed_one(&mut self, namespace: &Namespace) -> Seeded {
        let opened = match netns::within(namespace, || self.seeder.open()) {
            Ok(Ok(file)) => file,
            Ok(Err(error)) => return Seeded::Failed(format!("cannot open the iterator: {error}")),
            Err(EnterError::Gone { .. }) => return Seeded::Gone,
            Err(error) => return Seeded::Failed(error.to_string()),
        };
        let mut sockets = 0;
        let walked = self.seeder.drain(opened, |bytes| {
            sockets += (bytes.len() / size_of::<u64>()) as u64;
            bytes.len() / size_of::<u64>() * size_of::<u64>()
        });
        match walked {
            Ok(()) => Seeded::Sockets(sockets),
            Err(error) => Seeded::Failed(error.to_string()),
        }
    }

    /// Hands every living socket to the sink.
    ///
    /// # Errors
    /// The walk broke off; what came before was delivered.
    pub fn walk(&mut self, sink: &mut dyn TcpSink) -> Result<(), WalkError> {
        self.walker.walk(|bytes| {
            let mut at = 0;
            while let Some(record) = wire::read::<SockRecord>(&bytes[at..]) {
                sink.socket(&record);
                at += size_of::<SockRecord>();
            }
            at
        })
    }

    /// Hands the final records that came in since the last call to the sink, then the totals of
    /// those that found no room.
    pub fn drain(&mut self, sink: &mut dyn TcpSink) {
        let mut bytes = 0;
        while let Some(item) = self.ends.next() {
            bytes += item.len() as u64 + 8;
            match wire::read::<SockRecord>(&item) {
                Some(record) => sink.socket(&record),
                None => self.malformed += 1,
            }
        }
        self.fill.used = bytes;
        sink.lost(&self.totals());
    }

    fn totals(&self) -> [SockTotals; 3] {
        let mut totals = [SockTotals::default(); 3];
        for (index, total) in totals.iter_mut().enumerate() {
            let Ok(values) = self.overflow.get(&(index as u32), 0) else { continue };
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

    /// Final records that could not be decoded.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// Bytes found in the ring buffer at the last poll.
    pub fn fill(&self) -> MapFill {
        self.fill
    }

    /// State of the programs.
    pub fn programs(&self) -> Vec<ProgramStatus> {
        self.object.programs()
    }
}
