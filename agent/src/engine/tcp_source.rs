//! Where TCP facts come from: the best source there is, and what all of them can be asked.

use crate::{
    aggregate::Networks,
    collect::{
        DoorSink, TcpSink,
        tcp::{
            ack::AckHistograms, bpf::TcpBpf, bpf_hash::TcpHash, diag::DiagCollector, ends::Ends,
            identity::IdMode, netns::Namespace, places::Places, turns::Turns,
        },
    },
    kernel::Kernel,
    model::{Lost, MapFill, ProgramStatus, SourceStatus},
};

/// A source.
pub enum Source {
    /// Socket storage: all namespaces at once.
    Storage(Box<TcpBpf>),
    /// A hash map and a walk per namespace.
    Hash(Box<TcpHash>),
    /// Netlink, per namespace.
    Diag(Box<DiagCollector>),
}

/// Why a poll of the door gave nothing; `None`: it did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DoorPoll {
    /// Listeners.
    pub listeners: Option<String>,
    /// Refusals.
    pub refused: Option<String>,
}

impl Source {
    /// Takes the best source; why it is not a better one, and the programs that were refused.
    pub fn choose(
        kernel: &Result<Kernel, String>,
        ring: u32,
    ) -> (Self, Option<String>, Vec<ProgramStatus>) {
        let diag = || Self::Diag(Box::new(DiagCollector::new(IdMode::Cookie, false)));
        let kernel = match kernel {
            Ok(kernel) => kernel,
            Err(why) => return (diag(), Some(why.clone()), Vec::new()),
        };
        let (why, mut refused) = match TcpBpf::start(kernel, ring) {
            Ok(source) => return (Self::Storage(Box::new(source)), None, Vec::new()),
            Err(refusal) => refusal,
        };
        match TcpHash::start(kernel, ring) {
            Ok(source) => (
                Self::Hash(Box::new(source)),
                Some(format!("no socket storage: {why}")),
                refused,
            ),
            Err((hash_why, more)) => {
                refused.extend(more);
                let both = if why == hash_why {
                    why
                } else {
                    format!("{why}; {hash_why}")
                };
                (diag(), Some(both), refused)
            }
        }
    }

    /// Hands connections that ended since the last call to the sink.
    pub fn drain(&mut self, sink: &mut dyn TcpSink) {
        match self {
            Self::Storage(source) => source.drain(sink),
            Self::Hash(source) => source.drain(sink),
            Self::Diag(_) => {}
        }
    }

    /// What the programs decide by which group a connection belongs to.
    ///
    /// # Errors
    /// Why there is nothing, in one line.
    pub fn places(&mut self, networks: &Networks) -> Result<Places, String> {
        match self {
            Self::Storage(source) => source.places(networks),
            Self::Hash(source) => source.places(networks),
            Self::Diag(_) => Err("no kernel programs".into()),
        }
    }

    /// Histograms of every acknowledgement.
    ///
    /// # Errors
    /// Why there are none, in one line.
    pub fn histograms(&mut self) -> Result<AckHistograms, String> {
        let missing = match self {
            Self::Storage(source) => return source.histograms(),
            Self::Hash(_) => "sockets carry no storage on this kernel (before 5.11)",
            Self::Diag(_) => "no kernel programs",
        };
        Err(format!("no round-trip time per acknowledgement: {missing}"))
    }

    /// Times to first byte; the programs do not run yet.
    ///
    /// # Errors
    /// Why there are none, in one line.
    pub fn turns(&mut self) -> Result<Turns, String> {
        match self {
            Self::Storage(source) => source.turns(),
            Self::Hash(source) => source.turns(),
            Self::Diag(_) => Err("no kernel programs".into()),
        }
    }

    /// Runs the programs of [`Source::turns`].
    ///
    /// # Errors
    /// The kernel refused one, in one line; none runs then.
    pub fn attach_turns(&mut self) -> Result<(), String> {
        match self {
            Self::Storage(source) => source.attach_turns(),
            Self::Hash(source) => source.attach_turns(),
            Self::Diag(_) => Err("no kernel programs".into()),
        }
    }

    /// Runs them no longer.
    pub fn detach_turns(&mut self) {
        match self {
            Self::Storage(source) => source.detach_turns(),
            Self::Hash(source) => source.detach_turns(),
            Self::Diag(_) => {}
        }
    }

    /// Finds the owners of sockets that are older than the programs; how many.
    ///
    /// # Errors
    /// Why that cannot be told, in one line.
    pub fn seed_owners(&mut self) -> Result<u64, String> {
        match self {
            Self::Storage(source) => source.seed_owners(),
            Self::Hash(source) => source.seed_owners(),
            Self::Diag(_) => Err("no kernel programs".into()),
        }
    }

    /// Listeners of these namespaces as they stand, and refusals since the last call.
    pub fn poll_door(&mut self, namespaces: &[Namespace], sink: &mut dyn DoorSink) -> DoorPoll {
        let (listeners, refused) = match self {
            Self::Storage(source) => (source.poll_listeners(sink), source.take_refused(sink)),
            Self::Hash(source) => (source.poll_listeners(sink), source.take_refused(sink)),
            Self::Diag(source) => {
                let polled = source.poll_listeners(namespaces, sink);
                (polled.own(), Err("no kernel programs".to_owned()))
            }
        };
        DoorPoll {
            listeners: listeners.err(),
            refused: refused.err(),
        }
    }

    /// Whence the owners of sockets come; `unseeded` says why older ones have none.
    pub fn owner_status(&self, unseeded: Option<&str>) -> SourceStatus {
        let (source, reads) = match self {
            Self::Storage(source) => ("bpf_current_task", source.reads_refused()),
            Self::Hash(source) => ("bpf_current_task", source.reads_refused()),
            Self::Diag(source) => {
                return SourceStatus {
                    signal: "tcp_owner",
                    source: "proc_fd",
                    degraded: source.owners_degraded(),
                };
            }
        };
        let seeds = unseeded.map(|why| format!("older sockets have no owner: {why}"));
        let reads = reads.map(|why| format!("owners are who opened, not who reads: {why}"));
        SourceStatus {
            signal: "tcp_owner",
            source,
            degraded: match (seeds, reads) {
                (Some(one), Some(other)) => Some(format!("{one}; {other}")),
                (one, other) => one.or(other),
            },
        }
    }

    /// Why listeners of some namespaces are seen late or not at all, where others are polled.
    pub fn listeners_degraded(&self) -> Option<String> {
        match self {
            Self::Storage(_) | Self::Hash(_) => None,
            Self::Diag(source) => source.listeners_degraded(),
        }
    }

    /// State of the programs.
    pub fn programs(&self) -> Vec<ProgramStatus> {
        match self {
            Self::Storage(source) => source.programs(),
            Self::Hash(source) => source.programs(),
            Self::Diag(_) => Vec::new(),
        }
    }

    /// Reader of final records, where there are any.
    pub fn ends(&self) -> Option<&Ends> {
        match self {
            Self::Storage(source) => Some(source.ends()),
            Self::Hash(source) => Some(source.ends()),
            Self::Diag(_) => None,
        }
    }

    /// Losses of the listeners' maps.
    pub fn door_lost(&self) -> Vec<Lost> {
        match self {
            Self::Storage(source) => source.door_lost().into(),
            Self::Hash(source) => source.door_lost().into(),
            Self::Diag(_) => Vec::new(),
        }
    }

    /// Fill of the listeners' map.
    pub fn door_fill(&self) -> Option<MapFill> {
        match self {
            Self::Storage(source) => Some(source.door_fill()),
            Self::Hash(source) => Some(source.door_fill()),
            Self::Diag(_) => None,
        }
    }
}
