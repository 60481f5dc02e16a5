//! Listening sockets: polled between cycles, their holders found and their rows made once per
//! cycle.

use std::time::{Duration, Instant};

use super::{
    options::EngineOptions, part::Part, process::ProcessStage, stages::Stages, tcp::TcpStage,
    tcp_source::DoorPoll,
};
use crate::{
    aggregate::{ListenerConfig, ListenerTable},
    clock::Moment,
    collect::listen::{Family, HolderFinder, Holders, Sought, TaskSampler},
    model::{
        BirthGate, Budget, ListenSettings, ListenerRow, Lost, RefusedRow, SourceStatus, budget,
    },
};

/// Distance of two looks at the tasks that accept.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Time for one such look.
const LOOK_BUDGET: Duration = Duration::from_millis(3);
/// Time per cycle for finding holders.
const HOLDERS_BUDGET: Duration = Duration::from_millis(5);

/// The door: who listens, and who is turned away.
pub struct DoorStage {
    table: ListenerTable,
    /// How the last poll went.
    polled: DoorPoll,
    /// Why it was less than one of all listeners.
    partial: Option<String>,
    /// Listeners and refusals come from kernel programs, if they come at all.
    by_kernel: bool,
    listen: ListenSettings,
    holders: HolderFinder,
    tasks: TaskSampler,
    looked: Option<Moment>,
    sought: Vec<Sought>,
    standing: Vec<u64>,
    /// Time of the polls since the last cycle, and of the looks at tasks.
    polling: Duration,
    looking: Duration,
}

impl DoorStage {
    /// Nobody has been seen yet.
    pub fn start(options: &EngineOptions) -> Self {
        Self {
            table: ListenerTable::new(ListenerConfig {
                budget: options.label_sets(budget::LISTENERS),
                refused_budget: options.label_sets(budget::REFUSED),
                retention: options.retention,
            }),
            polled: DoorPoll::default(),
            partial: None,
            by_kernel: false,
            listen: ListenSettings::default(),
            holders: HolderFinder::default(),
            tasks: TaskSampler::default(),
            looked: None,
            sought: Vec::new(),
            standing: Vec::new(),
            polling: Duration::ZERO,
            looking: Duration::ZERO,
        }
    }

    /// One poll, to be made at least ten times a second; once a second a look at the tasks that do
    /// not come to accept.
    pub fn poll(&mut self, tcp: &mut TcpStage) {
        let start = Instant::now();
        let at = Moment::now();
        self.table.begin_poll(at);
        self.polled = tcp.poll_door(&mut self.table);
        self.partial = tcp.listeners_partial();
        self.by_kernel = tcp.by_kernel();
        for accept in tcp.accepts() {
            self.table.note_accept(accept.listener, accept.tgid);
        }
        self.table.end_poll(self.polled.listeners.is_none());
        self.polling += start.elapsed();
        if self
            .looked
            .is_none_or(|looked| at.since(looked) >= LOOK_EVERY)
        {
            self.looked = Some(at);
            self.look(at);
        }
    }

    fn look(&mut self, at: Moment) {
        let start = Instant::now();
        let mut standing = std::mem::take(&mut self.standing);
        self.table.standing(&mut standing);
        let watched: Vec<(u64, Holders)> = standing
            .iter()
            .filter_map(|id| Some((*id, self.table.holders(*id)?.clone())))
            .collect();
        let table = &mut self.table;
        self.tasks
            .sample_within(&watched, at, LOOK_BUDGET, |id, used| {
                table.note_tasks(id, used);
            });
        self.standing = standing;
        self.looking += start.elapsed();
    }

    /// The end of a cycle, after those of processes and connections: names, holders, settings.
    pub fn cycle(&mut self, tcp: &TcpStage, process: &ProcessStage, stages: &mut Stages) {
        stages.book("listener_poll", std::mem::take(&mut self.polling));
        stages.book("listener_tasks", std::mem::take(&mut self.looking));
        let now = Moment::now();
        let settings = tcp.settings();
        self.table
            .set_somaxconn(|netns| settings.of(netns).somaxconn);
        if let Some(own) = tcp.namespaces().iter().find(|namespace| namespace.own) {
            let own = settings.of(own.inode);
            self.listen = ListenSettings {
                abort_on_overflow: own.abort_on_overflow,
                somaxconn: own.somaxconn,
            };
        }
        self.table.finish(now, process.table(), process.complete());
        stages.mark("listener_aggregate");
        self.table.sought(&mut self.sought);
        if !self.sought.is_empty() {
            let table = &mut self.table;
            self.holders.find_within(
                &self.sought,
                &mut Family::new(process.table().kin()),
                now,
                HOLDERS_BUDGET,
                |id, holders| table.set_holders(id, holders),
            );
        }
        stages.mark("listener_holders");
    }

    /// Who listens where.
    pub fn table(&self) -> &ListenerTable {
        &self.table
    }

    /// Rows of listeners.
    pub fn rows(&mut self, sequence: u64, gate: BirthGate) -> Vec<ListenerRow> {
        self.table.rows(sequence, gate)
    }

    /// Rows of refused connection requests.
    pub fn refused(&mut self, sequence: u64, gate: BirthGate) -> Vec<RefusedRow> {
        self.table.refused_rows(sequence, gate)
    }

    /// What a full queue does in our own network namespace.
    pub fn settings(&self) -> ListenSettings {
        self.listen
    }
}

impl Part for DoorStage {
    fn sources(&self) -> Vec<SourceStatus> {
        let (unreadable, left) = (self.holders.unreadable(), self.holders.left_out());
        let acceptors = if unreadable > 0 {
            Some(format!(
                "descriptors of {unreadable} processes are not readable without CAP_SYS_PTRACE"
            ))
        } else {
            (left > 0).then(|| format!("{left} processes are left to the next cycles"))
        };
        let source = |degraded: &Option<String>, kernel: &'static str, other: &'static str| match (
            degraded,
            self.by_kernel,
        ) {
            (Some(_), _) => "absent",
            (None, true) => kernel,
            (None, false) => other,
        };
        let DoorPoll { listeners, refused } = &self.polled;
        vec![
            SourceStatus {
                signal: "tcp_listeners",
                source: source(listeners, "bpf_listeners", "sock_diag"),
                degraded: listeners_degraded(
                    listeners.as_deref(),
                    self.by_kernel,
                    self.partial.as_deref(),
                ),
            },
            SourceStatus {
                signal: "tcp_refused",
                source: source(refused, "bpf_tcp_send_reset", "nstat"),
                degraded: refused.clone(),
            },
            SourceStatus {
                signal: "tcp_acceptors",
                source: "procfs",
                degraded: acceptors,
            },
        ]
    }

    fn lost(&self) -> Vec<Lost> {
        vec![Lost {
            what: "listener_tasks",
            count: self.tasks.left_out(),
        }]
    }

    fn budgets(&self) -> Vec<Budget> {
        self.table.budgets()
    }

    fn held(&self) -> u64 {
        self.table.held()
    }
}

/// Why listeners are not seen as kernel programs see them; `None` if they are. `partial`: why the
/// last poll was less than one of all listeners.
fn listeners_degraded(
    failure: Option<&str>,
    by_kernel: bool,
    partial: Option<&str>,
) -> Option<String> {
    let without = "without kernel programs accepts, resets and waiting times are not seen";
    match (failure, partial) {
        (Some(why), _) => Some(why.to_owned()),
        (None, partial) if by_kernel => partial.map(str::to_owned),
        (None, None) => Some(without.to_owned()),
        (None, Some(partial)) => Some(format!("{without}; {partial}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_netlink_does_not_tell_of_listeners_has_a_reason() {
        assert_eq!(listeners_degraded(None, true, None), None);
        let missing = listeners_degraded(None, false, Some("late")).unwrap_or_default();
        assert!(
            missing.contains("waiting times") && missing.ends_with("late"),
            "{missing}"
        );
        for by_kernel in [false, true] {
            let failed = listeners_degraded(Some("no memory"), by_kernel, None);
            assert_eq!(failed.as_deref(), Some("no memory"));
        }
    }
}
