//! How evenly pools of peers are used.

use std::{collections::hash_map::Entry, net::IpAddr, sync::Arc};

use rustc_hash::FxHashMap;

use super::table::TcpTable;
use crate::model::{Heaviest, Owner, UpstreamRow, budget};

/// Pools with a row of their own.
const BUDGET: usize = budget::UPSTREAMS;
/// A pool that had a row keeps it against others that are not this much heavier.
const STICKY: f64 = 2.0;
/// Bytes that weigh as much as one connection.
const BYTES: f64 = 65_536.0;

/// One peer's part over the window.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    opened: u64,
    bytes: u64,
}

#[derive(Debug)]
struct Pool {
    owner: Arc<Owner>,
    port: u16,
    peers: Vec<(IpAddr, Part)>,
}

impl Pool {
    fn heaviest(&self, of: impl Fn(&Part) -> u64) -> Option<Heaviest> {
        let total: u64 = self.peers.iter().map(|(_, part)| of(part)).sum();
        let (peer, most) = self
            .peers
            .iter()
            .map(|(peer, part)| (*peer, of(part)))
            .max_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(&a.0)))?;
        (total > 0).then(|| Heaviest {
            ratio: most as f64 * self.peers.len() as f64 / total as f64,
            peer,
        })
    }

    fn weight(&self) -> f64 {
        let parts = self.peers.iter().map(|(_, part)| part);
        parts
            .map(|part| part.opened as f64 + part.bytes as f64 / BYTES)
            .sum()
    }

    fn row(&self) -> UpstreamRow {
        UpstreamRow {
            owner: Some((*self.owner).clone()),
            remote_port: self.port,
            peers: self.peers.len() as u64,
            by_connections: self.heaviest(|part| part.opened),
            by_bytes: self.heaviest(|part| part.bytes),
        }
    }
}

/// The more uneven of two.
fn worse(a: Option<Heaviest>, b: Option<Heaviest>) -> Option<Heaviest> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.ratio > a.ratio { b } else { a }),
        (a, b) => a.or(b),
    }
}

fn unevenness(row: &UpstreamRow) -> f64 {
    let ratios = [row.by_connections, row.by_bytes].into_iter().flatten();
    ratios.map(|heaviest| heaviest.ratio).fold(0.0, f64::max)
}

impl TcpTable {
    /// Pools of two peers or more over the window, most uneven first; last, if there are more
    /// than the budget allows, one row with the worst ratios of the lightest of them.
    pub fn upstreams(&mut self) -> Vec<UpstreamRow> {
        let shown = std::mem::take(&mut self.flows.shown);
        let mut weighed: Vec<(f64, Pool)> = self
            .pools()
            .into_iter()
            .map(|pool| {
                let sticks = shown.contains(&(Arc::clone(&pool.owner), pool.port));
                (pool.weight() * if sticks { STICKY } else { 1.0 }, pool)
            })
            .collect();
        weighed.sort_unstable_by(|(a, left), (b, right)| {
            let names = || (&left.owner, left.port).cmp(&(&right.owner, right.port));
            b.total_cmp(a).then_with(names)
        });
        let rest = weighed.split_off(weighed.len().min(BUDGET));
        let keys = weighed
            .iter()
            .map(|(_, pool)| (Arc::clone(&pool.owner), pool.port));
        self.flows.shown = keys.collect();
        let mut rows: Vec<UpstreamRow> = weighed.iter().map(|(_, pool)| pool.row()).collect();
        rows.sort_by(|a, b| unevenness(b).total_cmp(&unevenness(a)));
        let rest = rest.iter().map(|(_, pool)| pool.row());
        rows.extend(
            rest.reduce(|a, b| UpstreamRow {
                owner: None,
                remote_port: 0,
                peers: a.peers.max(b.peers),
                by_connections: worse(a.by_connections, b.by_connections),
                by_bytes: worse(a.by_bytes, b.by_bytes),
            })
            .map(|row| UpstreamRow {
                owner: None,
                remote_port: 0,
                ..row
            }),
        );
        rows
    }

    /// Flows of one owner's names and port, merged by peer. Those whose owner is not known yet
    /// are left out.
    fn pools(&self) -> Vec<Pool> {
        // Processes that share their names share their pools.
        let mut named: FxHashMap<&Owner, u32> = FxHashMap::default();
        let mut numbers: FxHashMap<u32, u32> = FxHashMap::default();
        let mut pools: FxHashMap<(u32, u16), Pool> = FxHashMap::default();
        let mut merged: FxHashMap<(u32, u16, IpAddr), Part> = FxHashMap::default();
        for flow in self.flows.iter() {
            let Some(owner) = self.owners.get(flow.owner()) else {
                continue;
            };
            let number = match numbers.entry(flow.owner()) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(free) => {
                    let next = named.len() as u32;
                    *free.insert(*named.entry(owner).or_insert(next))
                }
            };
            let key = (number, flow.port());
            pools.entry(key).or_insert_with(|| Pool {
                owner: Arc::clone(owner),
                port: flow.port(),
                peers: Vec::new(),
            });
            let (opened, bytes) = flow.window();
            let part = merged.entry((key.0, key.1, flow.remote())).or_default();
            part.opened += opened;
            part.bytes += bytes;
        }
        for ((number, port, peer), part) in merged {
            if let Some(pool) = pools.get_mut(&(number, port)) {
                pool.peers.push((peer, part));
            }
        }
        let pools = pools.into_values();
        pools.filter(|pool| pool.peers.len() >= 2).collect()
    }
}
