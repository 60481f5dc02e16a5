//! Processes: chooses the source, walks it, reads memory from /proc, aggregates.

use std::time::Duration;

use super::{options::EngineOptions, part::Part, stages::Stages};
use crate::{
    aggregate::{ProcessCaps, ProcessConfig, ProcessTable, WalkOutcome},
    clock::Moment,
    collect::{
        cgroup::Cgroups,
        process::{
            bpf::{self, ProcessBpf},
            fds::FdReader,
            memory::MemoryReader,
            names::NameResolver,
            procfs::ProcfsCollector,
            sessions::SessionReader,
        },
        tcp::netns::Hints,
    },
    kernel::Kernel,
    model::{
        BirthGate, Budget, JobRow, Lost, MapFill, MemberRow, ProcessId, ProcessRow, ProgramStatus,
        SourceStatus,
    },
};

/// Time per cycle for reading memory of processes whose record changed.
const MEMORY_BUDGET: Duration = Duration::from_millis(5);
/// The same while some processes were never read: after the start, or a burst of new ones.
const FIRST_MEMORY_BUDGET: Duration = Duration::from_millis(50);
/// Time per cycle for counting descriptors of tables too large for the program.
const FDS_BUDGET: Duration = Duration::from_millis(5);
/// Time per cycle for reading sessions, for who looks at jobs: some 5 µs each.
const SESSION_BUDGET: Duration = Duration::from_millis(50);

/// The process half of a cycle.
pub struct ProcessStage {
    bpf: Option<ProcessBpf>,
    /// Why kernel programs do not serve the walk.
    live_degraded: Option<String>,
    /// Why ends are not seen.
    ended_degraded: Option<String>,
    procfs: ProcfsCollector,
    caps: ProcessCaps,
    caps_degraded: Option<String>,
    table: ProcessTable,
    names: NameResolver,
    memory: MemoryReader,
    memory_failed: u64,
    fds: FdReader,
    sessions: SessionReader,
    wanted: Vec<ProcessId>,
    hints: Hints,
    swap_changes: Vec<(ProcessId, u64, u64)>,
    /// The last walk was complete.
    complete: bool,
}

impl ProcessStage {
    /// Takes the best source there is.
    pub fn start(kernel: &Result<Kernel, String>, options: &EngineOptions) -> Self {
        let ring = options.ring_bytes.unwrap_or(bpf::RING_BYTES);
        let bpf = match kernel {
            Ok(kernel) => ProcessBpf::start(kernel, ring),
            Err(why) => Err(why.clone()),
        };
        let (bpf, live_degraded, ended_degraded) = match bpf {
            Ok(source) => {
                let (live, ended) = (source.walks().err(), source.ends().err());
                (Some(source), live, ended)
            }
            Err(why) => (None, Some(why.clone()), Some(why)),
        };
        if let Some(why) = live_degraded.as_ref().or(ended_degraded.as_ref()) {
            options.ebpf.announce("processes", why);
        }
        Self {
            bpf,
            live_degraded,
            ended_degraded,
            procfs: ProcfsCollector::default(),
            caps: ProcessCaps::default(),
            caps_degraded: None,
            table: ProcessTable::new(ProcessConfig {
                budget: options.process_budget,
                retention: options.retention,
                service_label: options.service_label,
                details: options.details,
            }),
            names: NameResolver::default().with_config(options.config.clone()),
            memory: MemoryReader::default(),
            memory_failed: 0,
            fds: FdReader::default(),
            sessions: SessionReader::default(),
            wanted: Vec::new(),
            hints: Hints::default(),
            swap_changes: Vec::new(),
            complete: false,
        }
    }

    /// Takes over processes that ended since the last call.
    pub fn drain(&mut self) {
        if let Some(source) = &mut self.bpf {
            source.drain(&mut self.table, &mut self.names);
        }
    }

    /// One walk; what went wrong, in one line.
    /// `walked` is called with what it found before that is booked.
    pub fn cycle(
        &mut self,
        at: Moment,
        walked: impl FnOnce(&mut ProcessTable),
        stages: &mut Stages,
    ) -> Option<String> {
        self.names.begin_cycle();
        self.table.begin(at);
        let (complete, failure) = self.walk();
        self.complete = complete;
        self.drain();
        walked(&mut self.table);
        stages.mark("process_walk");
        self.table
            .finish(Moment::now(), WalkOutcome { complete }, self.caps);
        let (table, cgroups) = self.identity();
        cgroups.end_cycle(complete, table.cgroups());
        self.hints.clear();
        for (inode, pid) in self.table.namespaces() {
            self.hints.note(inode, pid);
        }
        stages.mark("process_aggregate");
        self.read_memory(at);
        stages.mark("memory");
        self.count_fds(at);
        self.read_sessions(at);
        stages.mark("fds");
        failure
    }

    fn walk(&mut self) -> (bool, Option<String>) {
        let ends = self.bpf.is_some() && self.ended_degraded.is_none();
        if let (Some(source), None) = (&mut self.bpf, &self.live_degraded) {
            self.caps = ProcessCaps {
                ends,
                disk: true,
                switches: true,
            };
            return match source.walk(&mut self.table, &mut self.names) {
                Ok(()) => (true, None),
                Err(error) => (false, Some(format!("walk over processes: {error}"))),
            };
        }
        match self.procfs.collect(&mut self.table, &mut self.names) {
            Ok(outcome) => {
                let caps = outcome.caps();
                self.caps = ProcessCaps {
                    ends,
                    disk: caps.disk,
                    switches: caps.context_switches,
                };
                self.caps_degraded = (outcome.io_unreadable > 0).then(|| {
                    format!(
                        "disk I/O of {} of {} processes is not readable without CAP_SYS_PTRACE",
                        outcome.io_unreadable, outcome.user_processes
                    )
                });
                (outcome.complete, None)
            }
            Err(error) => (false, Some(format!("walk over /proc: {error}"))),
        }
    }

    fn read_memory(&mut self, at: Moment) {
        self.wanted.clear();
        self.table.memory_wanted(&mut self.wanted);
        let first = self.table.memory_pending() > 0;
        let budget = if first {
            FIRST_MEMORY_BUDGET
        } else {
            MEMORY_BUDGET
        };
        let (table, changes) = (&mut self.table, &mut self.swap_changes);
        changes.clear();
        let outcome = self.memory.read_within(&self.wanted, budget, |id, memory| {
            let before = table.set_memory(id, Some(memory), at);
            if let Some(before) = before.filter(|before| before.swap != memory.swap) {
                changes.push((id, before.swap, memory.swap));
            }
        });
        self.memory_failed = outcome.failed;
    }

    fn count_fds(&mut self, at: Moment) {
        self.wanted.clear();
        self.table.fds_wanted(&mut self.wanted);
        let table = &mut self.table;
        self.fds
            .count_within(&self.wanted, FDS_BUDGET, |id, count| {
                table.set_open_fds(id, count, at)
            });
    }

    fn read_sessions(&mut self, at: Moment) {
        self.table.sessions_wanted(at, &mut self.wanted);
        let table = &mut self.table;
        self.sessions
            .read_within(&self.wanted, SESSION_BUDGET, |id, session| {
                table.set_session(id, session, at)
            });
    }

    /// Groups of processes.
    pub fn rows(&mut self, sequence: u64, gate: BirthGate) -> Vec<ProcessRow> {
        self.table.rows(sequence, gate)
    }

    /// Processes whose `VmSwap` was found to have changed in this cycle: bytes before and now.
    pub fn swap_changes(&self) -> &[(ProcessId, u64, u64)] {
        &self.swap_changes
    }

    /// Single processes, if wanted.
    pub fn members(&self) -> Vec<MemberRow> {
        self.table.members()
    }

    /// Jobs of these members.
    pub fn jobs(&mut self, members: &[MemberRow]) -> Vec<JobRow> {
        self.table.jobs(members)
    }

    /// The table, for the cross-check.
    pub fn table(&self) -> &ProcessTable {
        &self.table
    }

    /// Who a process is, and which service a cgroup belongs to.
    pub fn identity(&mut self) -> (&ProcessTable, &mut Cgroups) {
        (&self.table, self.names.cgroups())
    }

    /// Whether the last walk saw everything.
    pub fn complete(&self) -> bool {
        self.complete
    }

    /// Which processes live in which network namespace.
    pub fn namespaces(&self) -> &Hints {
        &self.hints
    }

    /// Living processes.
    pub fn tracked(&self) -> u64 {
        self.table.tracked()
    }

    /// Processes whose memory was never read.
    pub fn memory_pending(&self) -> u64 {
        self.table.memory_pending()
    }
}

impl Part for ProcessStage {
    fn sources(&self) -> Vec<SourceStatus> {
        let walks = self.live_degraded.is_none();
        let ends = self.ended_degraded.is_none();
        vec![
            SourceStatus {
                signal: "process_live",
                source: if walks { "bpf_iter_task" } else { "procfs" },
                degraded: match (&self.live_degraded, &self.caps_degraded) {
                    (Some(why), Some(more)) => Some(format!("{why}; {more}")),
                    (why, _) => why.clone(),
                },
            },
            SourceStatus {
                signal: "process_ended",
                source: if ends {
                    "bpf_sched_process_free"
                } else {
                    "absent"
                },
                degraded: self.ended_degraded.as_ref().map(|why| {
                    format!("processes that start and end between two cycles are not seen: {why}")
                }),
            },
            SourceStatus {
                signal: "service",
                source: self.names.known_cgroups().source(),
                degraded: self.names.known_cgroups().degraded().map(str::to_owned),
            },
            SourceStatus {
                signal: "process_memory",
                source: "procfs",
                degraded: (self.memory_failed > 0)
                    .then(|| format!("memory of {} processes is not readable", self.memory_failed)),
            },
        ]
    }

    fn programs(&self) -> Vec<ProgramStatus> {
        self.bpf
            .as_ref()
            .map(ProcessBpf::programs)
            .unwrap_or_default()
    }

    fn lost(&self) -> Vec<Lost> {
        let mut lost = self.table.lost_detail();
        if let Some(source) = &self.bpf {
            lost.push(Lost {
                what: "exec",
                count: source.exec_lost(),
            });
            lost.push(Lost {
                what: "malformed",
                count: source.malformed(),
            });
        }
        lost
    }

    fn maps(&self) -> Vec<MapFill> {
        let ring = self.bpf.as_ref().map(ProcessBpf::fill);
        let cgroups = self.names.known_cgroups().fill();
        ring.into_iter().chain(cgroups).collect()
    }

    fn budgets(&self) -> Vec<Budget> {
        self.table.budgets()
    }

    fn held(&self) -> u64 {
        self.table.held()
    }
}
