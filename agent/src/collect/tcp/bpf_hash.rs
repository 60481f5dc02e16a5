//! TCP without socket storage (kernels 5.8 to 5.10): the programs remember sockets in a hash map,
//! and each network namespace is walked by itself. Netlink would be cheaper below some 3,500
//! sockets a namespace, but it knows neither birth nor direction: what a connection moved before
//! it was first seen would be lost.

use hostlens_ebpf::wire::SockRecord;

use super::{
    ends::{Ends, take_records},
    identity::tuple_id,
    netns::{self, EnterError, Namespace},
};
use crate::{
    collect::TcpSink,
    kernel::{Kernel, LoadedObject, Target, Walker, objects},
    model::ProgramStatus,
};

/// The source.
pub struct TcpHash {
    walker: Walker,
    ends: Ends,
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
        match Self::link(&mut object, ring_bytes) {
            Ok((walker, ends)) => Ok(Self {
                walker,
                ends,
                object,
            }),
            Err(error) => Err((format!("{error:#}"), object.programs())),
        }
    }

    fn link(object: &mut LoadedObject, ring_bytes: u32) -> anyhow::Result<(Walker, Ends)> {
        let ends = Ends::take(object, ring_bytes)?;
        let walk = object
            .iterator("tcp_walk")
            .ok_or_else(|| anyhow::anyhow!("no tcp_walk"))?;
        Ok((Walker::link(walk, Target::All)?, ends))
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
