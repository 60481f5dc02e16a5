//! TCP: chooses the source, walks it, aggregates.

use std::time::Duration;

use rustc_hash::FxHashMap;

use super::{
    connect::ConnectStage,
    options::{EngineOptions, RttSource},
    stages::Stages,
    tcp_source::{DoorPoll, Source},
};
use crate::{
    aggregate::{Accept, FAILURE_BUDGET, Owners, SERVICE_BUDGET, TcpConfig, TcpTable, WalkOutcome},
    clock::Moment,
    collect::{
        DoorSink,
        tcp::{
            ack::AckHistograms,
            bpf::Seeded,
            ends,
            netns::{Finder, Hints, Namespace},
            places::Places,
            refused_fallback::RefusedBound,
            settings::SettingsCache,
            time_wait::{self, TimeWaitCollector},
            turns::Turns,
        },
    },
    kernel::Kernel,
    model::{
        BirthGate, ConnectionRow, FailureRow, PeerRow, PortUseRow, ProgramStatus, Scope,
        ServiceRow, UpstreamRow,
    },
};

/// Window of the quantiles.
const WINDOW: Duration = Duration::from_secs(60);
/// A namespace that could not be entered is tried again after this.
const RETRY: Duration = Duration::from_secs(60);

/// The TCP half of a cycle.
pub struct TcpStage {
    pub(super) source: Source,
    /// Why a better source is not used.
    pub(super) degraded: Option<String>,
    /// Programs of objects that were tried and not used.
    pub(super) refused: Vec<ProgramStatus>,
    /// Attempts to connect that fail before anything is sent.
    pub(super) connect: ConnectStage,
    /// Why sockets older than the programs have no owner.
    pub(super) owners_unknown: Option<String>,
    pub(super) table: TcpTable,
    settings: SettingsCache,
    finder: Finder,
    namespaces: Vec<Namespace>,
    /// Namespaces that could not be read: why, and when it was last tried.
    pub(super) unreadable: FxHashMap<u32, (String, Moment)>,
    time_wait: TimeWaitCollector,
    pub(super) time_wait_failed: Option<String>,
    /// TIME_WAIT sockets left out, over all cycles, as too many were held.
    pub(super) time_wait_lost: u64,
    pub(super) malformed: u64,
    /// The source does not tell of refusals: their number is bounded by other means.
    refusals_unseen: bool,
    refused_bound: RefusedBound,
    /// Histograms of every acknowledgement, if asked for and to be had.
    pub(super) ack: Option<Box<AckHistograms>>,
    /// By which programs tell groups of connections apart, or why they cannot.
    places: Result<Places, String>,
    /// Why they are not, if asked for.
    pub(super) no_ack: Option<String>,
}

impl TcpStage {
    /// Takes the best source there is.
    pub fn start(kernel: &Result<Kernel, String>, options: &EngineOptions) -> Self {
        let ring = options.ring_bytes.unwrap_or(ends::RING_BYTES);
        let (mut source, degraded, refused) = Source::choose(kernel, ring);
        let owners_unknown = source.seed_owners().err();
        if let Some(why) = &degraded {
            options.ebpf.announce("tcp", why);
        }
        let places = source.places(&options.networks);
        let (ack, no_ack) = match options.rtt_source {
            RttSource::Walk => (None, None),
            RttSource::Ack => match source.histograms() {
                Ok(ack) => (Some(Box::new(ack)), None),
                Err(why) => {
                    options.ebpf.announce("tcp_rtt", &why);
                    (None, Some(why))
                }
            },
        };
        let mut stage = Self {
            table: TcpTable::new(TcpConfig {
                networks: options.networks.clone(),
                peer_budget: options.peer_budget,
                window: WINDOW,
                service_budget: options.label_sets(SERVICE_BUDGET),
                failure_budget: options.label_sets(FAILURE_BUDGET),
                retention: options.retention,
                details: options.details,
                ends: !matches!(source, Source::Diag(_)),
                process_label: options.tcp_process_label,
            }),
            source,
            degraded,
            refused,
            owners_unknown,
            connect: ConnectStage::start(kernel),
            settings: SettingsCache::default(),
            finder: Finder::default(),
            namespaces: Vec::new(),
            unreadable: FxHashMap::default(),
            time_wait: TimeWaitCollector::new(time_wait::DEFAULT_BUDGET),
            time_wait_failed: None,
            time_wait_lost: 0,
            malformed: 0,
            refusals_unseen: false,
            refused_bound: RefusedBound::default(),
            ack,
            places,
            no_ack,
        };
        stage.table.sample_walks(stage.ack.is_none());
        stage
    }

    /// Times to first byte; the programs do not run yet.
    ///
    /// # Errors
    /// Why there are none, in one line.
    pub fn turns(&mut self) -> Result<Turns, String> {
        match (&self.source, &self.degraded) {
            (Source::Diag(_), Some(why)) => Err(why.clone()),
            _ => self.source.turns(),
        }
    }

    /// Takes over connections that ended since the last call; `owners` knows whose they were.
    pub fn drain(&mut self, owners: &dyn Owners) {
        self.source.drain(&mut self.table);
        self.connect.drain(&self.namespaces, &mut self.table);
        // The cycle asks after its walk over processes; until then a process that has just
        // executed another program would be named by what it was before.
        if self.table.crowded() {
            self.table.resolve(owners);
        }
    }

    /// Who accepted which listener's connections since the last call.
    pub fn accepts(&mut self) -> impl Iterator<Item = Accept> {
        self.table.accepts()
    }

    /// Listeners as they stand, and refusals since the last call; several times a second.
    pub fn poll_door(&mut self, sink: &mut dyn DoorSink) -> DoorPoll {
        let mut poll = self.source.poll_door(&self.namespaces, sink);
        self.refusals_unseen = poll.refused.is_some();
        poll.refused = poll.refused.map(|cause| self.refused_bound.reason(&cause));
        poll
    }

    /// One walk; what went wrong, in one line. `owners` has walked over the processes before.
    pub fn cycle(
        &mut self,
        at: Moment,
        hints: &Hints,
        owners: &dyn Owners,
        stages: &mut Stages,
    ) -> Option<String> {
        let mut failure = None;
        match self.finder.find(hints) {
            Ok(found) => self.namespaces = found.namespaces,
            Err(error) => failure = Some(format!("cannot list network namespaces: {error}")),
        }
        let alive: Vec<u32> = self
            .namespaces
            .iter()
            .map(|namespace| namespace.inode)
            .collect();
        self.unreadable.retain(|inode, _| alive.contains(inode));
        self.settings.refresh(&self.namespaces, at);
        self.seed(at, &alive);
        if self.refusals_unseen {
            self.refused_bound.read(&self.namespaces);
        }
        stages.mark("namespaces");

        self.table.begin(at);
        let complete = self.walk(at, &mut failure);
        self.drain(owners);
        stages.mark("tcp_walk");

        let outcome = self.time_wait.collect(&self.namespaces, &mut self.table);
        let known = !outcome
            .walk
            .errors
            .iter()
            .any(|error| Some(&error.inode) == alive.first());
        self.time_wait_lost += outcome.beyond_limit;
        self.time_wait_failed = outcome
            .walk
            .errors
            .first()
            .map(|error| error.error.to_string());
        stages.mark("tcp_time_wait");

        if let Some(ack) = &mut self.ack {
            ack.take(at, &mut self.table);
        }
        self.table
            .finish(Moment::now(), WalkOutcome { complete }, known, owners);
        if let Ok(places) = &mut self.places {
            places.publish(self.table.listening());
        }
        stages.mark("tcp_aggregate");
        failure
    }

    /// Gives sockets older than the programs their storage, in namespaces not seen before.
    fn seed(&mut self, at: Moment, alive: &[u32]) {
        let Source::Storage(source) = &mut self.source else {
            return;
        };
        source.forget_namespaces_but(|inode| alive.contains(&inode));
        let due: Vec<Namespace> = self
            .namespaces
            .iter()
            .filter(|namespace| match self.unreadable.get(&namespace.inode) {
                Some((_, tried)) => at.since(*tried) >= RETRY,
                None => true,
            })
            .cloned()
            .collect();
        for (inode, outcome) in source.seed(&due) {
            match outcome {
                Seeded::Sockets(count) => {
                    tracing::debug!(netns = inode, sockets = count, "older sockets found");
                    self.unreadable.remove(&inode);
                }
                Seeded::Gone => {}
                Seeded::Failed(why) => {
                    self.unreadable.insert(inode, (why, at));
                }
            }
        }
    }

    fn walk(&mut self, at: Moment, failure: &mut Option<String>) -> bool {
        let failed: Vec<(u32, String)> = match &mut self.source {
            Source::Storage(source) => {
                return match source.walk(&mut self.table) {
                    Ok(()) => true,
                    Err(error) => {
                        *failure = Some(format!("walk over sockets: {error}"));
                        false
                    }
                };
            }
            Source::Hash(source) => source.walk(&self.namespaces, &mut self.table),
            Source::Diag(source) => {
                let outcome = source.collect(&self.namespaces, &mut self.table);
                self.malformed += outcome.malformed;
                outcome
                    .errors
                    .iter()
                    .map(|error| (error.inode, error.error.to_string()))
                    .collect()
            }
        };
        self.unreadable.clear();
        let own = self
            .namespaces
            .first()
            .map_or(0, |namespace| namespace.inode);
        let mut complete = true;
        for (inode, why) in failed {
            if inode == own {
                *failure = Some(format!("walk over sockets: {why}"));
                complete = false;
            }
            self.unreadable.insert(inode, (why, at));
        }
        complete
    }

    /// Groups of connections.
    pub fn rows(&mut self, sequence: u64, gate: BirthGate) -> Vec<PeerRow> {
        self.table.rows(sequence, gate)
    }

    /// Lives of connections.
    pub fn services(&mut self, sequence: u64, gate: BirthGate) -> Vec<ServiceRow> {
        self.table.services(sequence, gate)
    }

    /// Attempts to connect that failed.
    pub fn failures(&mut self, sequence: u64, gate: BirthGate) -> Vec<FailureRow> {
        self.table.failures(sequence, gate)
    }

    /// Pools of peers.
    pub fn upstreams(&mut self) -> Vec<UpstreamRow> {
        self.table.upstreams()
    }

    /// Local ports in use.
    pub fn port_use(&self) -> Vec<PortUseRow> {
        self.table
            .port_use(&|netns| self.settings.of(netns).ephemeral_ports)
    }

    /// Single connections, if wanted.
    pub fn connections(&self) -> Vec<ConnectionRow> {
        self.table.connections()
    }

    /// The table, for the cross-check.
    pub fn table(&self) -> &TcpTable {
        &self.table
    }

    /// Settings of the namespaces found in the last cycle.
    pub fn settings(&self) -> &SettingsCache {
        &self.settings
    }

    /// Why the last poll of the door was less than one of all listeners.
    pub fn listeners_partial(&self) -> Option<String> {
        self.source.listeners_degraded()
    }

    /// Facts come from kernel programs.
    pub fn by_kernel(&self) -> bool {
        !matches!(self.source, Source::Diag(_))
    }

    /// Namespaces found in the last cycle.
    pub fn namespaces(&self) -> &[Namespace] {
        &self.namespaces
    }

    /// How far this signal sees.
    pub fn scope(&self) -> Scope {
        let unreadable = self.unreadable.len() as u64;
        Scope {
            namespaces: (self.namespaces.len() as u64).saturating_sub(unreadable),
            namespaces_unreadable: unreadable,
            connections: self.table.tracked(),
            ..Scope::default()
        }
    }
}
