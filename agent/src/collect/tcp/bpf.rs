//! TCP through socket storage: one walk over all sockets that carry it, in every namespace, and
//! the final records of those that end in between.

use hostlens_ebpf::wire::{SOCK_BATCH, SockRecord};
use rustc_hash::FxHashSet;

use super::{
    ack::{self, AckHistograms},
    door::Door,
    ends::{Ends, take_records},
    netns::{self, EnterError, Namespace},
    places::{self, Places},
    turns::{self, Turns},
};
use crate::{
    aggregate::Networks,
    collect::{DoorSink, TcpSink},
    kernel::{Batch, Kernel, LoadedObject, Target, WalkError, Walker, objects},
    model::{Lost, MapFill, ProgramStatus},
};

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
    batch: Batch,
    seeder: Walker,
    ends: Ends,
    door: Door,
    seeded: FxHashSet<u32>,
    /// Whether the programs can tell groups of connections apart, and why not.
    placed: Result<(), String>,
    // Last: programs stay attached until everything that uses them is gone.
    object: LoadedObject,
}

impl TcpBpf {
    /// Loads and attaches the programs.
    ///
    /// # Errors
    /// One line saying what this kernel lacks or refused, and the programs' states.
    pub fn start(kernel: &Kernel, ring_bytes: u32) -> Result<Self, (String, Vec<ProgramStatus>)> {
        let mut object = kernel
            .load(&objects::TCP, &[Ends::sized(ring_bytes)])
            .map_err(|error| (error.to_string(), Vec::new()))?;
        for program in ["tcp_state_changed", "tcp_walk", "tcp_seed"] {
            if let Some(why) = object.refusal(program) {
                return Err((why, object.programs()));
            }
        }
        match Self::link(kernel, &mut object, ring_bytes) {
            Ok((walker, batch, seeder, ends, door)) => Ok(Self {
                walker,
                batch,
                seeder,
                ends,
                door,
                seeded: FxHashSet::default(),
                placed: Err(places::UNTOLD.into()),
                object,
            }),
            Err(error) => Err((format!("{error:#}"), object.programs())),
        }
    }

    /// Starts the histograms of every acknowledgement, if their programs run.
    ///
    /// # Errors
    /// One line saying what this kernel lacks or refused.
    pub fn histograms(&mut self) -> Result<AckHistograms, String> {
        self.placed.clone()?;
        for program in ack::PROGRAMS {
            if let Some(why) = self.object.refusal(program) {
                return Err(why);
            }
        }
        AckHistograms::start(&mut self.object).map_err(|error| format!("{error:#}"))
    }

    /// Takes what the programs that time answers fill; they are not attached yet.
    ///
    /// # Errors
    /// One line saying what this kernel lacks or refused.
    pub fn turns(&mut self) -> Result<Turns, String> {
        self.placed.clone()?;
        match turns::refusal(&self.object) {
            Some(why) => Err(why),
            None => Turns::start(&mut self.object),
        }
    }

    /// Times answers from now on. Turns that are under way are left alone.
    ///
    /// # Errors
    /// One line saying why not; then none of the programs runs.
    pub fn attach_turns(&mut self) -> Result<(), String> {
        turns::attach(&mut self.object)
    }

    /// Times no more answers.
    pub fn detach_turns(&mut self) {
        turns::detach(&mut self.object);
    }

    /// Tells the programs the own networks; who listens is to be told by what this gives. Comes
    /// before what needs groups of connections.
    ///
    /// # Errors
    /// One line saying what is missing or too much.
    pub fn places(&mut self, networks: &Networks) -> Result<Places, String> {
        let places =
            Places::start(&mut self.object, networks).map_err(|error| format!("{error:#}"));
        self.placed = places.as_ref().map(|_| ()).map_err(Clone::clone);
        places
    }

    fn link(
        kernel: &Kernel,
        object: &mut LoadedObject,
        ring_bytes: u32,
    ) -> anyhow::Result<(Walker, Batch, Walker, Ends, Door)> {
        let door = Door::take(kernel, object)?;
        let ends = Ends::take(object, ring_bytes)?;
        let sockets = object
            .map("SOCKETS")
            .ok_or_else(|| anyhow::anyhow!("no map SOCKETS"))?;
        let batch = object
            .map("SOCKET_BATCH")
            .ok_or_else(|| anyhow::anyhow!("no map SOCKET_BATCH"))?;
        let batch = Batch::map(batch, SOCK_BATCH, size_of::<SockRecord>())?;
        let walk = object
            .iterator("tcp_walk")
            .ok_or_else(|| anyhow::anyhow!("no tcp_walk"))?;
        let seed = object
            .iterator("tcp_seed")
            .ok_or_else(|| anyhow::anyhow!("no tcp_seed"))?;
        let walker = Walker::link(walk, Target::Map(sockets))?;
        let seeder = Walker::link(seed, Target::All)?;
        Ok((walker, batch, seeder, ends, door))
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
    pub fn forget_namespaces_but(&mut self, alive: impl Fn(u32) -> bool) {
        self.seeded.retain(|&inode| alive(inode));
    }

    /// Whether a namespace was seeded.
    pub fn is_seeded(&self, inode: u32) -> bool {
        self.seeded.contains(&inode)
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
            let whole = bytes.len() / size_of::<u64>();
            sockets += whole as u64;
            whole * size_of::<u64>()
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
        self.walker.walk_batches(&self.batch, |bytes| {
            take_records(bytes, sink, |_| {});
        })
    }

    /// Hands the final records that came in since the last call to the sink.
    pub fn drain(&mut self, sink: &mut dyn TcpSink) {
        self.ends.drain(sink, |_| {});
        self.object.flush_log();
    }

    /// Gives the sockets that processes hold since before the programs their owners, in all
    /// namespaces at once; how many there were. It visits every descriptor of every process
    /// (0.7 µs each): once, at start.
    ///
    /// # Errors
    /// Why it cannot be told, in one line.
    pub fn seed_owners(&mut self) -> Result<u64, String> {
        if let Some(why) = self.object.refusal("tcp_owners") {
            return Err(why);
        }
        let program = self.object.iterator("tcp_owners").ok_or("no tcp_owners")?;
        let mut walker =
            Walker::link(program, Target::All).map_err(|error| format!("tcp_owners: {error}"))?;
        let mut sockets = 0;
        let walked = walker.walk(|bytes| {
            let whole = bytes.len() / size_of::<u64>();
            sockets += whole as u64;
            whole * size_of::<u64>()
        });
        walked
            .map(|()| sockets)
            .map_err(|error| format!("walk over descriptors: {error}"))
    }

    /// Hands every listener, and each that ended since the last call, to the sink.
    ///
    /// # Errors
    /// Why there are none, in one line.
    pub fn poll_listeners(&mut self, sink: &mut dyn DoorSink) -> Result<(), String> {
        self.door.poll_listeners(sink)
    }

    /// Hands the refusals since the last call to the sink.
    ///
    /// # Errors
    /// Why there are none, in one line.
    pub fn take_refused(&mut self, sink: &mut dyn DoorSink) -> Result<(), String> {
        self.door.take_refused(sink)
    }

    /// Why owners are not corrected by who reads; `None` if they are.
    pub fn reads_refused(&self) -> Option<String> {
        self.object.refusal("tcp_read")
    }

    /// Losses of the listeners' maps.
    pub fn door_lost(&self) -> [Lost; 2] {
        self.door.lost()
    }

    /// Fill of the listeners' map.
    pub fn door_fill(&self) -> MapFill {
        self.door.fill()
    }

    /// Losses and fill.
    pub fn ends(&self) -> &Ends {
        &self.ends
    }

    /// State of the programs.
    pub fn programs(&self) -> Vec<ProgramStatus> {
        self.object.programs()
    }
}
