//! One listening socket: its last record, its window, and what a new record of it adds.

use std::{collections::VecDeque, net::IpAddr};

use hostlens_ebpf::wire::{ListenRecord, UNKNOWN_U64};

use super::{
    account::ListenerCycle,
    doors::Place,
    history::{History, Poll, RECENT},
    ip,
    workers::Workers,
};
use crate::{
    aggregate::group::GroupId,
    clock::Moment,
    collect::listen::{Holders, TaskUse},
    model::{Owner, ProcessId, SaturationReason},
};

/// Whether a socket counts for a row yet.
#[derive(Clone, Debug)]
pub(super) enum Standing {
    /// Its owner is not known; cycles it has waited, and what was counted meanwhile.
    Waiting(u8, ListenerCycle),
    /// A member of this group.
    Placed(GroupId, Owner),
}

/// A listening socket.
#[derive(Clone, Debug)]
pub(super) struct Socket {
    pub ip: IpAddr,
    pub port: u16,
    pub netns: u32,
    pub inode: u64,
    /// Who called `listen()`; id 0 unknown.
    pub owner: ProcessId,
    pub standing: Standing,
    pub queue: u32,
    pub limit: u32,
    /// `None` where the source cannot tell.
    pub wait_ns: Option<u64>,
    pub history: History,
    /// Number of the first poll it was in, and of the last.
    pub first_poll: u64,
    pub seen: u64,
    /// Complete polls in a row without it.
    pub missed: u8,
    /// It has gone, and waits for its owner to be known.
    pub ended: Option<Moment>,
    pub verdict: Option<SaturationReason>,
    /// Looks at the accepting tasks, by second.
    pub tasks: VecDeque<(u32, TaskUse)>,
    pub holders: Option<Holders>,
    pub workers: Option<Box<Workers>>,
    drops: u32,
    /// `None`: the source does not count them.
    resets: Option<u64>,
    /// Connections established; `None`: the source does not count them.
    established: Option<u64>,
    /// Accepted so far, on the scale of `established` less the queue.
    accepted: i64,
}

fn known(value: u64) -> Option<u64> {
    (value != UNKNOWN_U64).then_some(value)
}

/// Connections that left the queue, on a scale of its own.
fn left(record: &ListenRecord) -> i64 {
    (record.established as i64).saturating_sub(i64::from(record.queue))
}

impl Socket {
    /// At first sight. `newborn`: all that its counters say happened since we look; else they are
    /// a baseline.
    pub fn new(record: &ListenRecord, newborn: bool, poll: u64) -> Self {
        Self {
            ip: ip(record.local_addr),
            port: record.local_port,
            netns: record.netns,
            inode: record.inode,
            owner: owner(record),
            standing: Standing::Waiting(0, ListenerCycle::default()),
            queue: record.queue,
            limit: record.limit,
            wait_ns: known(record.oldest_wait_ns),
            history: History::default(),
            first_poll: poll,
            seen: poll,
            missed: 0,
            ended: None,
            verdict: None,
            tasks: VecDeque::new(),
            holders: None,
            workers: None,
            drops: if newborn { 0 } else { record.drops },
            resets: known(record.resets).map(|now| if newborn { 0 } else { now }),
            established: known(record.established).map(|now| if newborn { 0 } else { now }),
            accepted: if newborn { 0 } else { left(record) },
        }
    }

    /// Takes a record of second `now`; what it adds. `again`: the same poll had one before.
    pub fn take(&mut self, record: &ListenRecord, now: u32, again: bool) -> ListenerCycle {
        self.inode = record.inode;
        self.queue = record.queue;
        self.limit = record.limit;
        self.wait_ns = known(record.oldest_wait_ns);
        let more = ListenerCycle {
            drops: u64::from(self.take_drops(record.drops)),
            accepted: self.take_accepted(record),
            resets: self.take_resets(record.resets),
        };
        let small = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        self.history.push(
            now,
            &Poll {
                queue: if again { 0 } else { record.queue },
                high_water: record.high_water.max(record.queue),
                wait_ns: self.wait_ns,
                drops: small(more.drops),
                resets: small(more.resets),
                accepted: small(more.accepted),
            },
        );
        more
    }

    fn take_drops(&mut self, now: u32) -> u32 {
        let more = now.wrapping_sub(self.drops);
        self.drops = now;
        // Counters wrap upwards; one that fell by less than half its range began again.
        if more > u32::MAX / 2 { now } else { more }
    }

    fn take_resets(&mut self, now: u64) -> u64 {
        let Some(now) = known(now) else {
            self.resets = None;
            return 0;
        };
        let before = self.resets.replace(now).unwrap_or(now);
        if now < before { now } else { now - before }
    }

    fn take_accepted(&mut self, record: &ListenRecord) -> u64 {
        let Some(now) = known(record.established) else {
            self.established = None;
            return 0;
        };
        let left = left(record);
        let restarted = self.established.is_none_or(|before| now < before);
        self.established = Some(now);
        if restarted {
            self.accepted = left;
            return 0;
        }
        // Queue and counter are not read at one instant: what seems to come back to the queue is
        // made up for by the next record.
        let more = left.saturating_sub(self.accepted).max(0);
        self.accepted += more;
        more as u64
    }

    /// Another process is named as the owner: the first answer was none, or wrong.
    pub fn owner_changed(&mut self, record: &ListenRecord) -> bool {
        let owner = owner(record);
        let changed = owner.tgid != 0 && owner != self.owner;
        if changed {
            self.owner = owner;
        }
        changed
    }

    /// Where it is bound.
    pub fn place(&self) -> Place {
        (self.netns, self.ip, self.port)
    }

    /// What the accepting tasks did in the second `now`.
    pub fn note_tasks(&mut self, now: u32, tasks: TaskUse) {
        self.tasks.push_back((now, tasks));
        self.forget_tasks(now);
    }

    /// Forgets looks that are not recent.
    pub fn forget_tasks(&mut self, now: u32) {
        while let Some((first, _)) = self.tasks.front()
            && now.saturating_sub(*first) >= RECENT
        {
            self.tasks.pop_front();
        }
        if self.tasks.is_empty() && self.tasks.capacity() > 0 {
            self.tasks = VecDeque::new();
        }
    }

    /// What they did over the recent looks, if those cover a second at least.
    pub fn tasks(&self) -> Option<TaskUse> {
        let mut sum = self.tasks.back()?.1;
        for (_, look) in self.tasks.iter().rev().skip(1) {
            sum.seconds += look.seconds;
            sum.running += look.running;
            sum.waiting += look.waiting;
        }
        (sum.seconds >= 1.0).then_some(sum)
    }
}

fn owner(record: &ListenRecord) -> ProcessId {
    ProcessId {
        tgid: record.owner_tgid,
        start_ns: record.owner_start_ns,
    }
}
