//! Turns of listeners, and their groups.

use std::time::Duration;

use hostlens_ebpf::wire::ListenKey;
use rustc_hash::FxHashMap;

use super::{
    Listeners,
    account::{TurnAccount, activity},
};
use crate::{
    aggregate::{birth::View, group::Groups, shrink, tcp::ip},
    collect::TurnSamples,
    model::{Budget, ListenerKey, ListenerTurnRow},
};

/// Snapshots that turns wait for their listener to become known: one that is new waits itself for
/// its owner.
const PATIENCE: u8 = 3;

/// Turns of a listener nobody has told of yet.
#[derive(Debug, Default)]
struct Waiting {
    turns: TurnSamples,
    cycles: u8,
}

/// Waiting and serving by listener.
#[derive(Debug)]
pub(super) struct ListenerTurns {
    groups: Groups<ListenerKey, TurnAccount>,
    /// Bounded by the slots of the source.
    waiting: FxHashMap<ListenKey, Waiting>,
}

impl ListenerTurns {
    pub fn new(budget: usize, retention: Duration) -> Self {
        Self {
            groups: Groups::new(budget, retention),
            waiting: FxHashMap::default(),
        }
    }

    /// Takes turns of one listener; it is looked up when all listeners are known.
    pub fn add(&mut self, listener: &ListenKey, turns: &TurnSamples) {
        let waiting = &mut self.waiting.entry(*listener).or_default().turns;
        waiting.first.merge(&turns.first);
        waiting.second.merge(&turns.second);
    }

    /// Takes turns of nobody known.
    pub fn elsewhere(&mut self, turns: &TurnSamples) {
        self.groups.other_cycle().add(turns);
    }

    fn resolve(&mut self, listeners: &dyn Listeners) {
        for (place, mut waiting) in std::mem::take(&mut self.waiting) {
            waiting.cycles += 1;
            let turns = &waiting.turns;
            match listeners.listener(place.netns, ip(place.addr), place.port) {
                Some(key) => {
                    let waited_ns = turns.first.sum_ns().saturating_add(turns.second.sum_ns());
                    // A member only while turns are handed in: nothing of it is a gauge.
                    let group = self.groups.join(key);
                    let weight = activity(turns, waited_ns);
                    self.groups.cycle(group, weight).add(turns);
                    self.groups.leave(group);
                }
                None if waiting.cycles > PATIENCE => self.groups.other_cycle().add(turns),
                None => {
                    self.waiting.insert(place, waiting);
                }
            }
        }
        shrink(&mut self.waiting);
    }

    pub fn rows(&mut self, view: &View, listeners: &dyn Listeners) -> Vec<ListenerTurnRow> {
        self.resolve(listeners);
        self.groups.arrange(view);
        // No number of a group is kept here.
        let _ = self.groups.compact();
        let rows = self.groups.rows().into_iter();
        rows.map(|view| ListenerTurnRow {
            key: view.key.cloned().unwrap_or(ListenerKey::Folded),
            held: view.held,
            wait: view.account.first.seconds.clone(),
            serve: view.account.second.seconds.clone(),
            wait_quantiles: view.account.first.quantiles(),
            serve_quantiles: view.account.second.quantiles(),
            rate: view.account.rate,
        })
        .collect()
    }

    pub fn budget(&self) -> Budget {
        self.groups.budget("response_listener")
    }

    pub fn held(&self) -> u64 {
        self.groups.held()
    }
}
