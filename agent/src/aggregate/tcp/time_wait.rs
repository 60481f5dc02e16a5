//! TIME_WAIT sockets: no counters, only a place among the gauges.

use rustc_hash::FxHashMap;

use super::{
    account::PeerGroup,
    connection::{GroupRef, Side},
    direction::Ends,
    table::TcpTable,
};
use crate::{aggregate::shrink, model::PeerKey};

impl TcpTable {
    /// Takes over the TIME_WAIT sockets of the walk.
    pub(super) fn take_time_wait(&mut self, complete: bool, known: bool) {
        if complete || !known {
            let mut now: FxHashMap<GroupRef, u32> = FxHashMap::default();
            self.time_wait_paths.clear();
            let waiting = std::mem::take(&mut self.waiting);
            for ends in waiting.iter().filter(|_| known) {
                let group = self.time_wait_group(ends);
                if group.side() == Side::Outbound {
                    *self.time_wait_paths.entry(ends.path()).or_default() += 1;
                }
                let count = now.entry(group).or_default();
                *count += 1;
                if *count > 1 {
                    self.sides.leave(group);
                }
            }
            for (group, _) in std::mem::replace(&mut self.time_wait, now) {
                self.sides.leave(group);
            }
            for side in [Side::Inbound, Side::Outbound] {
                let ungrouped = self.time_wait.contains_key(&GroupRef::none(side));
                self.sides.get(side).set_ungrouped(ungrouped);
            }
            self.time_wait_known = known;
            self.waiting = waiting;
            shrink(&mut self.time_wait_paths);
        }
        let used = self.waiting.len();
        self.waiting.clear();
        if self.waiting.capacity() > 1024 && used < self.waiting.capacity() / 4 {
            self.waiting.shrink_to(used * 2);
        }
    }

    /// The group a TIME_WAIT socket counts for. It makes no group of its own: without a listener
    /// the end that was connected to is unknown, and ephemeral ports would use up the budget.
    fn time_wait_group(&mut self, ends: &Ends) -> GroupRef {
        if self
            .listeners
            .find(ends.netns, ends.local_ip, ends.local_port)
            .is_some()
        {
            let (side, key) = ends.group_by(&self.listeners, &self.config.networks);
            return self.sides.join(side, self.ownerless(key));
        }
        for (side, key) in ends.candidates(&self.config.networks) {
            let key = self.ownerless(key);
            if let Some(number) = self.sides.get(side).join_known(&key) {
                return GroupRef::new(side, number);
            }
        }
        GroupRef::none(ends.likely_side())
    }

    /// The group of sockets that belong to nobody any more.
    fn ownerless(&self, peer: PeerKey) -> PeerGroup {
        let owner = self
            .config
            .process_label
            .then(|| self.owners.unknown().clone());
        PeerGroup { peer, owner }
    }
}
