//! Rows for the snapshot.

use rustc_hash::FxHashMap;

use super::{
    account::ListenerAccount,
    history::{RECENT, WINDOW, second},
    socket::{Socket, Standing},
    table::ListenerTable,
    verdict::LEAST_POLLS,
    words::{Figures, explain},
    workers::imbalance,
};
use crate::{
    aggregate::{
        birth::View,
        group::{GroupId, RowView},
    },
    collect::listen::Holders,
    model::{
        BirthGate, Budget, ListenerKey, ListenerRow, ProcessId, RefusedRow, Saturation,
        SaturationReason,
    },
};

/// How bad a verdict is: a queue that stands is worse than bursts.
fn rank(reason: Option<SaturationReason>) -> u8 {
    match reason {
        None => 0,
        Some(SaturationReason::BacklogTooSmall) => 1,
        Some(_) => 2,
    }
}

/// `queue / limit` in millionths; full is one beyond the limit.
fn fill(socket: &Socket) -> u64 {
    u64::from(socket.queue) * 1_000_000 / (u64::from(socket.limit) + 1)
}

impl ListenerTable {
    /// The rows of the snapshot with this sequence: heaviest first, all folded groups last. To be
    /// called once after each `finish`: it also decides who keeps a name. Empty before the first.
    pub fn rows(&mut self, sequence: u64, gate: BirthGate) -> Vec<ListenerRow> {
        let Some(view) = self.view(sequence, gate) else {
            return Vec::new();
        };
        let held: Vec<(GroupId, f32)> = self
            .sockets
            .values()
            .filter_map(|socket| match socket.standing {
                Standing::Placed(group, _) => Some((group, socket.queue as f32)),
                Standing::Waiting(..) => None,
            })
            .collect();
        for (group, queue) in held {
            self.groups.hold(group, queue);
        }
        self.groups.arrange(&view);
        if let Some(moved) = self.groups.compact() {
            for socket in self.sockets.values_mut() {
                if let Standing::Placed(group, _) = &mut socket.standing {
                    *group = moved.get(*group as usize).copied().unwrap_or(GroupId::MAX);
                }
            }
        }
        let mut members: Vec<Vec<&Socket>> = vec![Vec::new(); self.groups.gauge_count()];
        for socket in self.sockets.values() {
            if let Standing::Placed(group, _) = socket.standing
                && let Some(members) = members.get_mut(self.groups.gauge_index(group))
            {
                members.push(socket);
            }
        }
        let now = second(view.now.mono_ns);
        let judged = self.polls.over(now, RECENT) >= LEAST_POLLS;
        let rows = self.groups.rows().into_iter();
        rows.map(|row| {
            let sockets = members.get(row.index).filter(|_| row.live);
            let sockets = sockets.map_or::<&[&Socket], _>(&[], Vec::as_slice);
            self.row(&row, sockets, now, judged)
        })
        .collect()
    }

    /// Rows of refused connection requests; as [`ListenerTable::rows`].
    pub fn refused_rows(&mut self, sequence: u64, gate: BirthGate) -> Vec<RefusedRow> {
        let Some(view) = self.view(sequence, gate) else {
            return Vec::new();
        };
        self.refused.rows(&view, &self.doors)
    }

    fn view(&self, sequence: u64, gate: BirthGate) -> Option<View> {
        Some(View {
            sequence,
            gate,
            now: self.now?,
            seconds: self.seconds,
            window_ns: 0,
        })
    }

    fn row(
        &self,
        view: &RowView<'_, ListenerKey, ListenerAccount>,
        sockets: &[&Socket],
        now: u32,
        judged: bool,
    ) -> ListenerRow {
        let account = view.account;
        let fullest = sockets
            .iter()
            .max_by_key(|socket| (fill(socket), socket.limit, socket.netns));
        let high_water = sockets
            .iter()
            .map(|socket| socket.history.over(now, WINDOW).high_water);
        let worst = sockets
            .iter()
            .max_by_key(|socket| (rank(socket.verdict), fill(socket), socket.netns));
        let (processes, threads) = holders(sockets);
        let netns = fullest.map_or(0, |socket| socket.netns);
        ListenerRow {
            key: view.key.cloned().unwrap_or(ListenerKey::Folded),
            held: view.held,
            live: view.live,
            sockets: sockets.len() as u64,
            queue_length: fullest.map_or(0, |socket| u64::from(socket.queue)),
            queue_limit: fullest.map_or(0, |socket| u64::from(socket.limit)),
            high_water: u64::from(high_water.max().unwrap_or(0)),
            oldest_wait_seconds: oldest_wait(sockets),
            drops: account.sum.drops,
            accepted: self.counts_accepted.then_some(account.sum.accepted),
            resets: self.counts_resets.then_some(account.sum.resets),
            processes,
            threads,
            accept_imbalance: accept_imbalance(sockets, now),
            netns,
            somaxconn: self.somaxconn(netns),
            saturation: worst.and_then(|socket| self.saturation(socket, now)),
            judged,
            rates: account.rates,
        }
    }

    fn saturation(&self, socket: &Socket, now: u32) -> Option<Saturation> {
        let reason = socket.verdict?;
        let Standing::Placed(_, owner) = &socket.standing else {
            return None;
        };
        let window = socket.history.over(now, WINDOW);
        let figures = Figures {
            process: &owner.process,
            netns: socket.netns,
            oldest_wait: socket.wait_ns.map(|ns| ns as f64 / 1e9),
            turned_away: window.drops + window.resets,
        };
        Some(explain(reason, &self.evidence(socket, now), &figures))
    }

    /// State of the budgets.
    pub fn budgets(&self) -> Vec<Budget> {
        vec![
            self.groups.budget("listener"),
            self.refused.groups().budget("refused"),
        ]
    }

    /// Label sets shown as 0 until scrapers have seen their birth.
    pub fn held(&self) -> u64 {
        self.groups.held() + self.refused.groups().held()
    }
}

/// Seconds the longest waiting connection of any socket has waited; `None` if no source can tell.
fn oldest_wait(sockets: &[&Socket]) -> Option<f64> {
    let waits = sockets.iter().filter_map(|socket| match socket.queue {
        0 => socket.wait_ns.map(|_| 0),
        _ => socket.wait_ns,
    });
    waits.max().map(|ns| ns as f64 / 1e9)
}

/// Processes that hold any of the sockets, each counted once, and their threads.
fn holders(sockets: &[&Socket]) -> (Option<u64>, Option<u64>) {
    let known: Vec<_> = sockets
        .iter()
        .filter_map(|socket| socket.holders.as_ref())
        .filter(|holders| !holders.processes.is_empty())
        .collect();
    if known.is_empty() {
        return (None, None);
    }
    let all: FxHashMap<ProcessId, u32> = known
        .iter()
        .flat_map(|holders| holders.processes.iter().copied())
        .collect();
    let threads = all.values().map(|threads| u64::from(*threads)).sum();
    (Some(all.len() as u64), Some(threads))
}

/// The most uneven of: sockets that share a port in one network namespace, workers that share a
/// socket.
fn accept_imbalance(sockets: &[&Socket], now: u32) -> Option<f64> {
    let mut by_netns: FxHashMap<u32, Vec<u64>> = FxHashMap::default();
    for socket in sockets {
        let accepted = socket.history.over(now, WINDOW).accepted;
        by_netns.entry(socket.netns).or_default().push(accepted);
    }
    let shared = by_netns.values().filter_map(|counts| imbalance(counts));
    let by_worker = sockets.iter().filter_map(|socket| {
        let workers = socket.workers.as_ref()?;
        workers.imbalance(socket.holders.as_ref().map_or(0, accepting))
    });
    shared.chain(by_worker).max_by(f64::total_cmp)
}

/// Processes that may accept: a parent that only opened the socket for its children does not.
fn accepting(holders: &Holders) -> usize {
    let all = holders.processes.len();
    all - usize::from(holders.parent && all > 1)
}
