//! TCP without socket storage (kernels 5.8 to 5.10): the programs remember sockets in a hash map,
//! and each network namespace is walked by itself. Netlink would be cheaper below some 3,500
//! sockets a namespace, but it knows neither birth nor direction: what a connection moved before
//! it was first seen would be lost.

use hostlens_ebpf::wire::SockRecord;

use super::{
    door::Door,
    ends::{Ends, take_records},
    identity::tuple_id,
    netns::{self, EnterError, Namespace},
    places::{self, Places},
    turns::{self, Turns},
};
use crate::{
    aggregate::Networks,
    collect::{DoorSink, TcpSink},
    kernel::{Kernel, LoadedObject, Target, Walker, objects},
    model::{Lost, MapFill, ProgramStatus},
};

/// The source.
pub struct TcpHash {
    walker: Walker,
    ends: Ends,
    door: Door,
    /// Whether the programs can tell groups of connections apart, and why not.
    placed: Result<(), String>,
    // Last: programs stay attached until everything that uses them is gone.
    object: LoadedObject,
}

impl TcpHash {
    /// Loads and attaches the programs.
    ///
    /// # Errors
    /// One line saying what this kernel lacks or refused, and the programs' states.
    pub fn start(kernel: &Kernel, ring_bytes: u32) -> Result<Self, (String, Vec<ProgramStatus>)> {
        let mut object = kernel
            .load(&objects::TCP_HASH, &[Ends::sized(ring_bytes)])
            .map_err(|error| (error.to_string(), Vec::new()))?;
        for program in ["tcp_state_changed", "tcp_destroyed", "tcp_walk"] {
            if let Some(why) = object.refusal(program) {
                return Err((why, object.programs()));
            }
        }
        match Self::link(kernel, &mut object, ring_bytes) {
            Ok((walker, ends, door)) => Ok(Self {
                walker,
                ends,
                door,
                placed: Err(places::UNTOLD.into()),
                object,
            }),
            Err(error) => Err((format!("{error:#}"), object.programs())),
        }
    }

    fn link(
        kernel: &Kernel,
        object: &mut LoadedObject,
        ring_bytes: u32,
    ) -> anyhow::Result<(Walker, Ends, Door)> {
        let door = Door::take(kernel, object)?;
        let ends = Ends::take(object, ring_bytes)?;
        let walk = object
            .iterator("tcp_walk")
            .ok_or_else(|| anyhow::anyhow!("no tcp_walk"))?;
        Ok((Walker::link(walk, Target::All)?, ends, door))
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

    /// Hands the living sockets of each namespace to the sink; the namespaces that could not be
    /// walked, with the reason. One that has ended is none of them.
    pub fn walk(&mut self, namespaces: &[Namespace], sink: &mut dyn TcpSink) -> Vec<(u32, String)> {
        let mut failed = Vec::new();
        for namespace in namespaces {
            let opened = match netns::within(namespace, || self.walker.open()) {
                Ok(Ok(file)) => file,
                Ok(Err(error)) => {
                    failed.push((
                        namespace.inode,
                        format!("cannot open the iterator: {error}"),
                    ));
                    continue;
                }
                Err(EnterError::Gone { .. }) => continue,
                Err(error) => {
                    failed.push((namespace.inode, error.to_string()));
                    continue;
                }
            };
            let walked = self
                .walker
                .drain(opened, |bytes| take_records(bytes, sink, complete));
            if let Err(error) = walked {
                failed.push((namespace.inode, error.to_string()));
            }
        }
        failed
    }

    /// Hands the final records that came in since the last call to the sink.
    pub fn drain(&mut self, sink: &mut dyn TcpSink) {
        self.ends.drain(sink, complete);
        self.object.flush_log();
    }

    /// Owners of sockets older than the programs: not from here.
    ///
    /// # Errors
    /// Always: programs find the socket of a file from 5.11 on, where sockets have storage.
    pub fn seed_owners(&mut self) -> Result<u64, String> {
        Err("programs cannot tell the socket of a descriptor before 5.11".into())
    }

    /// Hands every listener, and each that ended since the last call, to the sink. A connection is
    /// counted for the listener that last took its address and port.
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

/// A socket the full map could not take gets its identity from its addresses.
fn complete(record: &mut SockRecord) {
    if record.id == 0 {
        record.id = tuple_id(record);
    }
}
