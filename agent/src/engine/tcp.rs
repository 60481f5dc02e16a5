//! TCP: chooses the source, walks it, aggregates.

use std::time::Duration;

use rustc_hash::FxHashMap;

use super::{options::EngineOptions, stages::Stages};
use crate::{
    aggregate::{FAILURE_BUDGET, Owners, SERVICE_BUDGET, TcpConfig, TcpTable, WalkOutcome},
    clock::Moment,
    collect::connect::bpf::ConnectBpf,
    collect::tcp::{
        bpf::{Seeded, TcpBpf},
        bpf_hash::TcpHash,
        diag::DiagCollector,
        ends,
        identity::IdMode,
        netns::{Finder, Hints, Namespace},
        settings::SettingsCache,
        time_wait::{self, TimeWaitCollector},
    },
    kernel::Kernel,
    model::{
        BirthGate, Budget, ConnectionRow, FailureRow, Lost, MapFill, PeerRow, PortUseRow,
        ProgramStatus, Scope, ServiceRow, SourceStatus, UpstreamRow,
    },
};

/// Window of the quantiles.
const WINDOW: Duration = Duration::from_secs(60);
/// A namespace that could not be entered is tried again after this.
const RETRY: Duration = Duration::from_secs(60);

enum Source {
    /// Socket storage: all namespaces at once.
    Storage(Box<TcpBpf>),
    /// A hash map and a walk per namespace.
    Hash(Box<TcpHash>),
    /// Netlink, per namespace.
    Diag(Box<DiagCollector>),
}

/// The TCP half of a cycle.
pub struct TcpStage {
    source: Source,
    /// Why a better source is not used.
    degraded: Option<String>,
    /// Programs of objects that were tried and not used.
    refused: Vec<ProgramStatus>,
    /// Attempts to connect that fail before anything is sent; why they are not seen.
    connect: Result<ConnectBpf, String>,
    table: TcpTable,
    settings: SettingsCache,
    finder: Finder,
    namespaces: Vec<Namespace>,
    /// Namespaces that could not be read: why, and when it was last tried.
    unreadable: FxHashMap<u32, (String, Moment)>,
    time_wait: TimeWaitCollector,
    time_wait_failed: Option<String>,
    /// TIME_WAIT sockets left out, over all cycles, as too many were held.
    time_wait_lost: u64,
    malformed: u64,
}

impl TcpStage {
    /// Takes the best source there is.
    pub fn start(kernel: &Result<Kernel, String>, options: &EngineOptions) -> Self {
        let ring = options.ring_bytes.unwrap_or(ends::RING_BYTES);
        let (source, degraded, mut refused) = choose(kernel, ring);
        let connect = match kernel {
            Ok(kernel) => ConnectBpf::start(kernel).map_err(|(why, programs)| {
                refused.extend(programs);
                why
            }),
            Err(why) => Err(why.clone()),
        };
        if let Some(why) = &degraded {
            options.ebpf.announce("tcp", why);
        }
        Self {
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
            connect,
            settings: SettingsCache::default(),
            finder: Finder::default(),
            namespaces: Vec::new(),
            unreadable: FxHashMap::default(),
            time_wait: TimeWaitCollector::new(time_wait::DEFAULT_BUDGET),
            time_wait_failed: None,
            time_wait_lost: 0,
            malformed: 0,
        }
    }

    /// Takes over connections that ended since the last call; `owners` knows whose they were.
    pub fn drain(&mut self, owners: &dyn Owners) {
        if let Ok(connect) = &mut self.connect {
            connect.drain(Moment::now(), &self.namespaces, &mut self.table);
        }
        match &mut self.source {
            Source::Storage(source) => source.drain(&mut self.table),
            Source::Hash(source) => source.drain(&mut self.table),
            Source::Diag(_) => return,
        }
        self.table.resolve(owners);
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

        self.table
            .finish(Moment::now(), WalkOutcome { complete }, known, owners);
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

    /// Namespaces found in the last cycle.
    pub fn namespaces(&self) -> &[Namespace] {
        &self.namespaces
    }

    /// Sources of the TCP signals.
    pub fn sources(&self) -> Vec<SourceStatus> {
        let (live, ended) = match &self.source {
            Source::Storage(_) => ("bpf_sk_storage", "bpf_inet_sock_set_state"),
            Source::Hash(_) => ("bpf_iter_tcp", "bpf_inet_sock_set_state"),
            Source::Diag(_) => ("sock_diag", "absent"),
        };
        let beyond = self.unreadable.values().next().map(|(why, _)| {
            format!(
                "{} network namespaces not read: {why}",
                self.unreadable.len()
            )
        });
        let degraded = match (&self.degraded, beyond) {
            (Some(why), Some(more)) => Some(format!("{why}; {more}")),
            (Some(why), None) => Some(why.clone()),
            (None, more) => more,
        };
        let ended_degraded = match &self.source {
            Source::Diag(_) => Some(format!(
                "connections that open and close between two cycles are not seen, nor how any \
                 connection ends: {}",
                self.degraded.as_deref().unwrap_or("no kernel programs")
            )),
            _ => None,
        };
        vec![
            SourceStatus {
                signal: "tcp_live",
                source: live,
                degraded,
            },
            SourceStatus {
                signal: "tcp_ended",
                source: ended,
                degraded: ended_degraded,
            },
            SourceStatus {
                signal: "tcp_connect_local",
                source: match &self.connect {
                    Ok(_) => "bpf_cgroup_connect",
                    Err(_) => "absent",
                },
                degraded: match &self.connect {
                    Ok(connect) => connect.partial().map(str::to_owned),
                    Err(why) => Some(format!(
                        "connects that fail for want of a route are not seen: {why}"
                    )),
                },
            },
            SourceStatus {
                signal: "tcp_time_wait",
                source: "sock_diag",
                degraded: self.time_wait_failed.clone(),
            },
        ]
    }

    /// Programs, those of refused objects included.
    pub fn programs(&self) -> Vec<ProgramStatus> {
        let mut programs = match &self.source {
            Source::Storage(source) => source.programs(),
            Source::Hash(source) => source.programs(),
            Source::Diag(_) => Vec::new(),
        };
        programs.extend(self.connect.iter().flat_map(ConnectBpf::programs));
        programs.extend(self.refused.iter().cloned());
        programs
    }

    /// Losses.
    pub fn lost(&self) -> Vec<Lost> {
        let mut lost = self.table.lost_detail();
        lost.push(Lost {
            what: "time_wait",
            count: self.time_wait_lost,
        });
        let connect = self.connect.as_ref().ok();
        lost.push(Lost {
            what: "connect_attempt",
            count: connect.map_or(0, ConnectBpf::lost),
        });
        let malformed = self.malformed
            + self.ends().map_or(0, |ends| ends.malformed())
            + connect.map_or(0, ConnectBpf::malformed);
        lost.push(Lost {
            what: "malformed",
            count: malformed,
        });
        lost
    }

    /// Fill of ring buffers.
    pub fn maps(&self) -> Vec<MapFill> {
        let ends = self.ends().map(|ends| ends.fill());
        let connect = self.connect.iter().map(ConnectBpf::fill);
        ends.into_iter().chain(connect).collect()
    }

    fn ends(&self) -> Option<&ends::Ends> {
        match &self.source {
            Source::Storage(source) => Some(source.ends()),
            Source::Hash(source) => Some(source.ends()),
            Source::Diag(_) => None,
        }
    }

    /// Budgets.
    pub fn budgets(&self) -> Vec<Budget> {
        self.table.budgets()
    }

    /// Label sets held at 0.
    pub fn held(&self) -> u64 {
        self.table.held()
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

fn choose(
    kernel: &Result<Kernel, String>,
    ring: u32,
) -> (Source, Option<String>, Vec<ProgramStatus>) {
    let diag = || Source::Diag(Box::new(DiagCollector::new(IdMode::Cookie, false)));
    let kernel = match kernel {
        Ok(kernel) => kernel,
        Err(why) => return (diag(), Some(why.clone()), Vec::new()),
    };
    let (why, mut refused) = match TcpBpf::start(kernel, ring) {
        Ok(source) => return (Source::Storage(Box::new(source)), None, Vec::new()),
        Err(refusal) => refusal,
    };
    match TcpHash::start(kernel, ring) {
        Ok(source) => (
            Source::Hash(Box::new(source)),
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
