//! All listening sockets and their groups.

use hostlens_ebpf::wire::RefusedKey as WireKey;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    ListenerConfig,
    account::{ListenerAccount, ListenerCycle, RefusedAccount},
    doors::Doors,
    history::{Polls, RECENT, WINDOW, second},
    refused::Refused,
    socket::{Socket, Standing},
    verdict::{Evidence, judge},
};
use crate::{
    aggregate::{Owners, ended::Ended, group::Groups, horizon::Horizon, shrink},
    clock::Moment,
    collect::listen::{Holders, Sought, TaskUse},
    model::{ListenerKey, Owner},
};

/// Complete polls without a socket after which it has gone, some two seconds: sources tell of an
/// end themselves, this heals what they missed, and polls under churn may skip one.
pub(super) const GONE: u8 = 24;
/// Cycles for which a socket waits for its owner to be known.
const PATIENCE: u8 = 2;
/// Sockets that ended and wait for their owner at most; further ones are nobody's.
const WAITING: usize = 16_384;

/// Turns polls of listening sockets into rows. `begin_poll` and `end_poll` frame a poll of all,
/// `finish` ends a cycle.
#[derive(Debug)]
pub struct ListenerTable {
    pub(super) config: ListenerConfig,
    pub(super) sockets: FxHashMap<u64, Socket>,
    pub(super) groups: Groups<ListenerKey, ListenerAccount>,
    pub(super) doors: Doors,
    pub(super) refused: Refused,
    /// Sockets without an owner yet.
    pub(super) waiting: Vec<u64>,
    /// Sockets that ended, by their final record, and those that went without one.
    pub(super) ended: Ended<u64>,
    pub(super) vanished: Ended<u64>,
    pub(super) polls: Polls,
    /// How many sockets the poll that runs has seen.
    pub(super) polled: usize,
    pub(super) horizon: Horizon,
    /// When the poll that runs, or the last one, began.
    pub(super) at: Option<Moment>,
    pub(super) now: Option<Moment>,
    pub(super) seconds: f64,
    pub(super) somaxconn: FxHashMap<u32, Option<u64>>,
    /// The source counts connections and resets; as of the last record.
    pub(super) counts_accepted: bool,
    pub(super) counts_resets: bool,
}

impl ListenerTable {
    /// An empty table.
    pub fn new(config: ListenerConfig) -> Self {
        Self {
            sockets: FxHashMap::default(),
            groups: Groups::new(config.budget, config.retention),
            doors: Doors::default(),
            refused: Refused::new(Groups::<_, RefusedAccount>::new(
                config.refused_budget,
                config.retention,
            )),
            waiting: Vec::new(),
            ended: Ended::default(),
            vanished: Ended::default(),
            polls: Polls::default(),
            polled: 0,
            horizon: Horizon::default(),
            at: None,
            now: None,
            seconds: 0.0,
            somaxconn: FxHashMap::default(),
            counts_accepted: true,
            counts_resets: true,
            config,
        }
    }

    /// A poll of all listening sockets begins.
    pub fn begin_poll(&mut self, at: Moment) {
        if self.at.is_none() {
            self.horizon.start(at.mono_ns);
        }
        self.at = Some(at);
        self.polled = 0;
        self.polls.push(second(at.mono_ns));
    }

    /// The poll is over; `complete`: every listening socket was handed in. Others have gone once
    /// they are missing for long enough.
    pub fn end_poll(&mut self, complete: bool) {
        let Some(at) = self.at else {
            return;
        };
        if !complete || self.polled == self.sockets.len() {
            return;
        }
        let poll = self.polls.total;
        let mut gone = Vec::new();
        for (&id, socket) in &mut self.sockets {
            if socket.seen != poll && socket.ended.is_none() {
                socket.missed += 1;
                if socket.missed >= GONE {
                    gone.push(id);
                }
            }
        }
        for id in gone {
            self.vanished.insert(id);
            self.end(id, at);
        }
    }

    /// A socket has gone: its row loses a member now, or as soon as it has one.
    pub(super) fn end(&mut self, id: u64, at: Moment) {
        let Some(socket) = self.sockets.get_mut(&id) else {
            return;
        };
        if matches!(socket.standing, Standing::Waiting(..)) && self.waiting.len() < WAITING {
            socket.ended = Some(at);
            return;
        }
        if let Some(socket) = self.sockets.remove(&id) {
            match &socket.standing {
                Standing::Placed(group, owner) => {
                    self.groups.leave(*group);
                    self.doors.close(socket.place(), owner, at);
                }
                Standing::Waiting(_, counted) => self.groups.other_cycle().add(counted),
            }
        }
    }

    /// Books what a record of a socket added.
    pub(super) fn book(&mut self, id: u64, more: &ListenerCycle) {
        if *more == ListenerCycle::default() {
            return;
        }
        match self.sockets.get_mut(&id).map(|socket| &mut socket.standing) {
            Some(Standing::Waiting(_, counted)) => counted.add(more),
            Some(Standing::Placed(group, _)) => {
                let cycle = self.groups.cycle(*group, more.activity());
                cycle.add(more);
            }
            None => {}
        }
    }

    /// The cycle is over at `now`: every process that lived in it is known to `owners` if
    /// `complete`, and sockets and refusals that waited for a name get it.
    pub fn finish(&mut self, now: Moment, owners: &dyn Owners, complete: bool) {
        if let Some(before) = self.now {
            self.seconds = now.since(before).as_secs_f64();
        }
        self.now = Some(now);
        self.place_waiting(owners, complete);
        self.resolve_refused();
        self.judge_all(now);
        self.doors.age(now, self.config.retention);
        self.ended.age();
        self.vanished.age();
        self.horizon.walked(now.mono_ns);
        shrink(&mut self.sockets);
    }

    fn place_waiting(&mut self, owners: &dyn Owners, complete: bool) {
        for id in std::mem::take(&mut self.waiting) {
            let Some(socket) = self.sockets.get_mut(&id) else {
                continue;
            };
            let Standing::Waiting(waited, counted) = &mut socket.standing else {
                continue;
            };
            let found = match socket.owner.tgid {
                0 => None,
                tgid => owners.owner(tgid, socket.owner.start_ns),
            };
            let owner = match found {
                Some(owner) => owner,
                None if *waited >= PATIENCE => Owner::unknown(),
                // Nobody will tell any more.
                None if socket.owner.tgid == 0 && socket.ended.is_some() => Owner::unknown(),
                None => {
                    *waited += u8::from(complete);
                    self.waiting.push(id);
                    continue;
                }
            };
            let counted = std::mem::take(counted);
            let group = self.groups.join(ListenerKey::Bound {
                ip: socket.ip,
                port: socket.port,
                owner: owner.clone(),
            });
            self.doors.open(socket.place(), owner.clone());
            socket.standing = Standing::Placed(group, owner);
            let ended = socket.ended;
            self.book(id, &counted);
            if let Some(at) = ended {
                self.end(id, at);
            }
        }
    }

    /// Another owner was found for a socket that has a row: it moves.
    pub(super) fn displace(&mut self, id: u64, at: Moment) {
        let Some(socket) = self.sockets.get_mut(&id) else {
            return;
        };
        let place = socket.place();
        let waiting = Standing::Waiting(0, ListenerCycle::default());
        if let Standing::Placed(group, owner) = std::mem::replace(&mut socket.standing, waiting) {
            self.groups.leave(group);
            self.doors.close(place, &owner, at);
        }
        if !self.waiting.contains(&id) {
            self.waiting.push(id);
        }
    }

    fn resolve_refused(&mut self) {
        let waiting: FxHashSet<(u32, u16)> = self
            .waiting
            .iter()
            .filter_map(|id| self.sockets.get(id))
            .map(|socket| (socket.netns, socket.port))
            .collect();
        let may_resolve = |key: &WireKey| !waiting.contains(&(key.netns, key.local_port));
        self.refused.resolve(&self.doors, may_resolve);
    }

    fn judge_all(&mut self, now: Moment) {
        let (now_ns, now) = (now.mono_ns, second(now.mono_ns));
        let verdicts: Vec<_> = self
            .sockets
            .iter()
            .map(|(&id, socket)| (id, judge(&self.evidence(socket, now), socket.verdict)))
            .collect();
        for (id, verdict) in verdicts {
            if let Some(socket) = self.sockets.get_mut(&id) {
                socket.verdict = verdict;
                socket.history.prune(now);
                socket.forget_tasks(now);
                if let Some(workers) = &mut socket.workers {
                    workers.turn(now_ns);
                }
                socket.workers.take_if(|workers| workers.is_empty());
            }
        }
    }

    /// What a socket is judged by in second `now`.
    pub(super) fn evidence(&self, socket: &Socket, now: u32) -> Evidence {
        let own = (self.polls.total + 1).saturating_sub(socket.first_poll);
        let polls = |length| {
            let polls = self.polls.over(now, length);
            polls.min(u32::try_from(own).unwrap_or(u32::MAX))
        };
        let (recent, window) = (
            socket.history.over(now, RECENT),
            socket.history.over(now, WINDOW),
        );
        Evidence {
            limit: socket.limit,
            somaxconn: self.somaxconn(socket.netns),
            polls: polls(RECENT),
            standing: recent.standing,
            wait_ms: recent.mean_wait_ms(),
            turned_away: recent.drops + recent.resets,
            queue: socket.queue,
            window_polls: polls(WINDOW),
            window_standing: window.standing,
            window_wait_ms: window.mean_wait_ms(),
            overflows: window.overflows,
            filled: self
                .counts_accepted
                .then_some(window.high_water >= socket.limit),
            tasks: socket.tasks(),
        }
    }

    /// `net.core.somaxconn` of a network namespace.
    pub(super) fn somaxconn(&self, netns: u32) -> Option<u64> {
        self.somaxconn.get(&netns).copied().flatten()
    }

    /// Takes `net.core.somaxconn` of the network namespaces (inode numbers) in which someone
    /// listens; `None`: it could not be read.
    pub fn set_somaxconn(&mut self, of: impl Fn(u32) -> Option<u64>) {
        self.somaxconn.clear();
        for socket in self.sockets.values() {
            let netns = socket.netns;
            self.somaxconn.entry(netns).or_insert_with(|| of(netns));
        }
    }

    /// The sockets whose holders are worth knowing. `out` is cleared first.
    pub fn sought(&self, out: &mut Vec<Sought>) {
        out.clear();
        let living = self.sockets.iter().filter(|(_, socket)| {
            socket.ended.is_none() && socket.inode != 0 && socket.owner.tgid != 0
        });
        out.extend(living.map(|(&id, socket)| Sought {
            id,
            inode: socket.inode,
            owner: socket.owner,
        }));
    }

    /// What was found of the processes that hold a socket.
    pub fn holders(&self, id: u64) -> Option<&Holders> {
        self.sockets.get(&id)?.holders.as_ref()
    }

    /// Takes what was found of the processes that hold a socket.
    pub fn set_holders(&mut self, id: u64, holders: Holders) {
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.holders = Some(holders);
        }
    }

    /// The sockets in which a queue stands now and stood in most polls of the last seconds: the
    /// tasks that accept there are worth a look. `out` is cleared first.
    pub fn standing(&self, out: &mut Vec<u64>) {
        out.clear();
        let Some(now) = self.at.map(|at| second(at.mono_ns)) else {
            return;
        };
        let polls = self.polls.over(now, RECENT);
        let queues = self
            .sockets
            .iter()
            .filter(|(_, socket)| socket.queue > 0 && socket.ended.is_none());
        out.extend(
            queues
                .filter(|(_, socket)| {
                    let own = (self.polls.total + 1).saturating_sub(socket.first_poll);
                    let polls = u64::from(polls).min(own);
                    u64::from(socket.history.over(now, RECENT).standing) * 2 >= polls
                })
                .map(|(&id, _)| id),
        );
    }

    /// Takes what the tasks that accept at a socket did until now.
    pub fn note_tasks(&mut self, id: u64, tasks: TaskUse) {
        if let Some(at) = self.at
            && let Some(socket) = self.sockets.get_mut(&id)
        {
            socket.note_tasks(second(at.mono_ns), tasks);
        }
    }

    /// A connection of listener `id` was read from by process `tgid`: it accepted it.
    pub fn note_accept(&mut self, id: u64, tgid: u32) {
        if let Some(at) = self.at
            && let Some(socket) = self.sockets.get_mut(&id)
        {
            let workers = socket.workers.get_or_insert_default();
            workers.note(at.mono_ns, tgid);
        }
    }

    /// Listening sockets.
    pub fn tracked(&self) -> u64 {
        self.sockets.len() as u64
    }
}
