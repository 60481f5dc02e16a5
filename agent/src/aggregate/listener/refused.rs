//! Connection requests that were answered with a reset: to whom they came.

use hostlens_ebpf::wire::RefusedKey as WireKey;
use rustc_hash::FxHashMap;

use super::{account::RefusedAccount, doors::Doors, ip};
use crate::{
    aggregate::{birth::View, group::Groups, shrink},
    clock::Moment,
    model::{RefusedKey, RefusedRow},
};

/// Ports that wait for the end of the cycle at most; further refusals are `other`.
const WAITING: usize = 8_192;
/// Cycles for which refusals wait for the listener's owner to be known.
const PATIENCE: u8 = 3;

/// Refusals by port and by who listened there last.
#[derive(Debug)]
pub(super) struct Refused {
    groups: Groups<RefusedKey, RefusedAccount>,
    /// What was refused in this cycle, or before and whose owner is not known yet: how many, and
    /// cycles waited.
    waiting: FxHashMap<WireKey, (u64, u8)>,
    /// Network namespace of the last refusal of each row.
    netns: FxHashMap<RefusedKey, u32>,
}

impl Refused {
    pub fn new(groups: Groups<RefusedKey, RefusedAccount>) -> Self {
        Self {
            groups,
            waiting: FxHashMap::default(),
            netns: FxHashMap::default(),
        }
    }

    /// `more` requests to a port were refused.
    pub fn note(&mut self, key: &WireKey, more: u64) {
        if more == 0 {
            return;
        }
        let room = self.waiting.len() < WAITING;
        match self.waiting.get_mut(key) {
            Some((count, _)) => *count += more,
            None if room => {
                self.waiting.insert(*key, (more, 0));
            }
            None => self.elsewhere(more),
        }
    }

    /// `more` requests were refused, nobody knows where.
    pub fn elsewhere(&mut self, more: u64) {
        *self.groups.other_cycle() += more;
    }

    /// Names those that can be named.
    pub fn resolve(&mut self, doors: &Doors, may: impl Fn(&WireKey) -> bool) {
        for (key, (count, waited)) in std::mem::take(&mut self.waiting) {
            if waited < PATIENCE && !may(&key) {
                self.waiting.insert(key, (count, waited + 1));
                continue;
            }
            let asked = ip(key.local_addr);
            let door = doors.find((key.netns, asked, key.local_port));
            let row = RefusedKey::Port {
                ip: door.map_or(asked, |door| door.ip),
                port: key.local_port,
                last: door.map(|door| door.owner.clone()),
            };
            let group = self.groups.join(row.clone());
            *self.groups.cycle(group, count as f32) += count;
            self.groups.leave(group);
            if door.is_some() {
                self.netns.insert(row, key.netns);
            }
        }
        shrink(&mut self.waiting);
    }

    /// The rows of the snapshot, heaviest first, all folded ones last.
    pub fn rows(&mut self, view: &View, doors: &Doors) -> Vec<RefusedRow> {
        self.groups.arrange(view);
        // Nothing keeps a group's number beyond the call that asked for it.
        let _ = self.groups.compact();
        let rows: Vec<RefusedRow> = self
            .groups
            .rows()
            .into_iter()
            .map(|row| RefusedRow {
                key: row.key.cloned().unwrap_or(RefusedKey::Folded),
                held: row.held,
                refused: row.account.refused,
                gone_seconds: row
                    .key
                    .and_then(|key| self.gone_seconds(key, doors, view.now)),
                rate: row.account.rate,
            })
            .collect();
        if self.netns.len() > rows.len() {
            let shown: rustc_hash::FxHashSet<&RefusedKey> =
                rows.iter().map(|row| &row.key).collect();
            self.netns.retain(|key, _| shown.contains(key));
            shrink(&mut self.netns);
        }
        rows
    }

    fn gone_seconds(&self, key: &RefusedKey, doors: &Doors, now: Moment) -> Option<f64> {
        let RefusedKey::Port {
            ip,
            port,
            last: Some(owner),
        } = key
        else {
            return None;
        };
        let netns = *self.netns.get(key)?;
        let gone = doors.gone((netns, *ip, *port), owner)?;
        Some(now.since(gone).as_secs_f64())
    }

    pub fn groups(&self) -> &Groups<RefusedKey, RefusedAccount> {
        &self.groups
    }
}
