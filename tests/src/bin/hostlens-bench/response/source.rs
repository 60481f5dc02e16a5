//! The programs alone, in the object with socket storage or in that with a hash map.

use hostlens::{
    aggregate::Networks,
    clock::Moment,
    collect::{
        TurnSamples, TurnSink,
        tcp::{bpf::TcpBpf, bpf_hash::TcpHash, ends::RING_BYTES, places::Places, turns::Turns},
    },
    kernel::Kernel,
    model::ProgramStatus,
};
use hostlens_ebpf::wire::{ListenKey, RttKey, TurnCost, TurnGroup};

/// An object of the TCP programs.
enum Object {
    Storage(TcpBpf),
    Hash(TcpHash),
}

/// One of them, watching.
pub struct Source {
    object: Object,
    turns: Turns,
    /// Without it no group could be told.
    _places: Places,
}

/// How often programs ran and how long, ns.
#[derive(Clone, Copy, Debug, Default)]
pub struct Runs {
    /// Times.
    pub count: u64,
    /// All together, ns.
    pub nanos: u64,
}

impl Runs {
    /// Since then.
    pub fn since(self, before: Self) -> Self {
        Self {
            count: self.count - before.count,
            nanos: self.nanos - before.nanos,
        }
    }
}

impl Source {
    /// Loads one and attaches what watches turns.
    ///
    /// # Errors
    /// What this kernel refuses, in one line.
    pub fn start(hash: bool) -> Result<Self, String> {
        let kernel = Kernel::probe(false).map_err(|error| error.to_string())?;
        let networks = Networks::default();
        let (object, turns, places) = if hash {
            let mut source = TcpHash::start(&kernel, RING_BYTES).map_err(|(why, _)| why)?;
            let places = source.places(&networks)?;
            let turns = source.turns()?;
            source.attach_turns()?;
            (Object::Hash(source), turns, places)
        } else {
            let mut source = TcpBpf::start(&kernel, RING_BYTES).map_err(|(why, _)| why)?;
            let places = source.places(&networks)?;
            let turns = source.turns()?;
            source.attach_turns()?;
            (Object::Storage(source), turns, places)
        };
        Ok(Self {
            object,
            turns,
            _places: places,
        })
    }

    /// Runs of a program by the kernel's statistics, while they are on.
    pub fn runs(&self, program: &str) -> Runs {
        let programs = match &self.object {
            Object::Storage(source) => source.programs(),
            Object::Hash(source) => source.programs(),
        };
        let found = programs.into_iter().find(|status| status.name == program);
        let counts = |status: ProgramStatus| Runs {
            count: status.run_count.unwrap_or(0),
            nanos: status.run_time_ns.unwrap_or(0),
        };
        found.map(counts).unwrap_or_default()
    }

    /// What the programs say of themselves so far.
    pub fn cost(&self) -> TurnCost {
        self.turns.cost()
    }

    /// Answers since the last call, those of both ends, and turns left out.
    pub fn take(&mut self) -> Seen {
        let mut seen = Seen::default();
        self.turns.take(Moment::now(), &mut seen);
        seen
    }
}

/// Turns that were handed over.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// With an answer.
    pub answers: u64,
    /// Left out.
    pub excluded: u64,
}

impl Seen {
    fn add(&mut self, turns: &TurnSamples) {
        self.answers += turns.first.count();
        let excluded = turns.excluded.iter().map(|&count| u64::from(count));
        self.excluded += excluded.sum::<u64>();
    }
}

impl TurnSink for Seen {
    fn response(&mut self, _: &RttKey, turns: &TurnSamples) {
        self.add(turns);
    }

    fn listener(&mut self, _: &ListenKey, _: &TurnSamples) {}

    fn elsewhere(&mut self, group: TurnGroup, turns: &TurnSamples) {
        if group != TurnGroup::Listener {
            self.add(turns);
        }
    }
}
