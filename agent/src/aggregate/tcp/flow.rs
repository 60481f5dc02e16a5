//! Outbound connections by owner and by the two addresses and the port they lie between: what
//! pools of peers and the use of local ports are counted from.

use std::{net::IpAddr, sync::Arc};

use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    direction::Ends,
    owner::{OwnerBook, OwnerId},
    port_use::Path,
};
use crate::{
    aggregate::{group::slots::Slots, shrink},
    model::Owner,
};

/// Parts of the window; the oldest is forgotten at once.
const PARTS: usize = 6;
/// Flows held at most. Connections beyond count in no pool.
const LIMIT: usize = 262_144;
/// No flow.
pub(super) const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct FlowKey {
    owner: OwnerId,
    netns: u32,
    local: IpAddr,
    remote: IpAddr,
    port: u16,
}

/// One flow.
#[derive(Debug)]
pub(super) struct Flow {
    key: FlowKey,
    /// Living ones.
    connections: u32,
    opened: [u32; PARTS],
    bytes: [u64; PARTS],
}

impl Flow {
    pub fn owner(&self) -> OwnerId {
        self.key.owner
    }

    pub fn port(&self) -> u16 {
        self.key.port
    }

    pub fn remote(&self) -> IpAddr {
        self.key.remote
    }

    /// Namespace, local and remote address, remote port.
    pub fn path(&self) -> Path {
        let FlowKey {
            netns,
            local,
            remote,
            port,
            ..
        } = self.key;
        (netns, local, remote, port)
    }

    pub fn connections(&self) -> u32 {
        self.connections
    }

    /// Connections opened and bytes moved over the window.
    pub fn window(&self) -> (u64, u64) {
        let opened = self.opened.iter().map(|&count| u64::from(count)).sum();
        (opened, self.bytes.iter().sum())
    }

    fn is_over(&self) -> bool {
        self.connections == 0 && self.window() == (0, 0)
    }
}

/// All flows.
#[derive(Debug, Default)]
pub(super) struct Flows {
    ids: FxHashMap<FlowKey, u32>,
    slots: Slots<Flow>,
    /// Part of the window that is written.
    part: usize,
    /// When that part began, ns.
    began_ns: u64,
    /// Pools that had a row of their own in the last cycle.
    pub(super) shown: FxHashSet<(Arc<Owner>, u16)>,
}

impl Flows {
    /// A connection joins its flow; its number.
    pub fn join(&mut self, owners: &mut OwnerBook, owner: OwnerId, ends: &Ends) -> u32 {
        let key = FlowKey {
            owner,
            netns: ends.netns,
            local: ends.local_ip,
            remote: ends.remote_ip,
            port: ends.remote_port,
        };
        self.join_key(owners, key)
    }

    fn join_key(&mut self, owners: &mut OwnerBook, key: FlowKey) -> u32 {
        let id = match self.ids.get(&key) {
            Some(&id) => id,
            None if self.ids.len() >= LIMIT => return NONE,
            None => {
                owners.hold(key.owner);
                let id = self.slots.insert(Flow {
                    key,
                    connections: 0,
                    opened: [0; PARTS],
                    bytes: [0; PARTS],
                });
                self.ids.insert(key, id);
                id
            }
        };
        if let Some(flow) = self.slots.get_mut(id) {
            flow.connections += 1;
        }
        id
    }

    /// A connection leaves.
    pub fn leave(&mut self, id: u32) {
        if let Some(flow) = self.slots.get_mut(id) {
            flow.connections = flow.connections.saturating_sub(1);
        }
    }

    /// A connection has another owner now; its new flow.
    pub fn change_owner(&mut self, owners: &mut OwnerBook, id: u32, owner: OwnerId) -> u32 {
        let Some(flow) = self.slots.get(id) else {
            return NONE;
        };
        let key = FlowKey { owner, ..flow.key };
        self.leave(id);
        self.join_key(owners, key)
    }

    /// A connection moved bytes.
    #[inline]
    pub fn add_bytes(&mut self, id: u32, bytes: u64) {
        if let Some(flow) = self.slots.get_mut(id)
            && let Some(sum) = flow.bytes.get_mut(self.part)
        {
            *sum += bytes;
        }
    }

    /// A connection was opened.
    pub fn add_opened(&mut self, id: u32) {
        if let Some(flow) = self.slots.get_mut(id)
            && let Some(count) = flow.opened.get_mut(self.part)
        {
            *count = count.saturating_add(1);
        }
    }

    /// Time goes on: what is older than the window is forgotten, and flows nothing is left of.
    pub fn age(&mut self, owners: &mut OwnerBook, now_ns: u64, window_ns: u64) {
        let length = window_ns / PARTS as u64;
        let passed = now_ns.saturating_sub(self.began_ns) / length.max(1);
        if passed == 0 {
            return;
        }
        self.began_ns = now_ns;
        for _ in 0..passed.min(PARTS as u64) {
            self.part = (self.part + 1) % PARTS;
            let part = self.part;
            for (_, flow) in self.slots.iter_mut() {
                if let Some(count) = flow.opened.get_mut(part) {
                    *count = 0;
                }
                if let Some(sum) = flow.bytes.get_mut(part) {
                    *sum = 0;
                }
            }
        }
        let over = self.slots.iter_mut().filter(|(_, flow)| flow.is_over());
        let over: Vec<(u32, FlowKey)> = over.map(|(id, flow)| (id, flow.key)).collect();
        for (id, key) in over {
            self.slots.remove(id);
            self.ids.remove(&key);
            owners.release(key.owner);
        }
        shrink(&mut self.ids);
    }

    /// Gives memory back after a peak: the new number of each old one.
    pub fn compact(&mut self) -> Option<Vec<u32>> {
        let moved = self.slots.compact()?;
        for id in self.ids.values_mut() {
            *id = moved.get(*id as usize).copied().unwrap_or(NONE);
        }
        Some(moved)
    }

    /// Owners have new numbers.
    pub fn renumber_owners(&mut self, moved: &[OwnerId]) {
        for (_, flow) in self.slots.iter_mut() {
            if let Some(&owner) = moved.get(flow.key.owner as usize) {
                flow.key.owner = owner;
            }
        }
        self.ids = std::mem::take(&mut self.ids)
            .into_iter()
            .map(|(mut key, id)| {
                if let Some(&owner) = moved.get(key.owner as usize) {
                    key.owner = owner;
                }
                (key, id)
            })
            .collect();
    }

    /// All flows.
    pub fn iter(&self) -> impl Iterator<Item = &Flow> {
        self.slots.iter()
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.slots.len()
    }
}
