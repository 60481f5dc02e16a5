//! How many of the local ports between two addresses are in use.

use std::net::IpAddr;

use rustc_hash::{FxHashMap, FxHashSet};

use super::table::TcpTable;
use crate::model::{PortUseRow, budget};

/// Rows.
const BUDGET: usize = budget::PORT_USES;
/// Below this share nobody is near the end of the ports.
const NOTEWORTHY: f64 = 0.01;

/// Namespace, local and remote address, remote port.
pub(super) type Path = (u32, IpAddr, IpAddr, u16);

impl TcpTable {
    /// Local ports in use, fullest first, where it is 1 % or more; last, if there are more than
    /// the budget allows, the fullest of the rest without its addresses. `available` knows how
    /// many ports a network namespace (inode number) offers; `None`: it could not be read. Of the
    /// same ends in several namespaces the fullest is the row.
    pub fn port_use(&self, available: &dyn Fn(u32) -> Option<u64>) -> Vec<PortUseRow> {
        let mut used: FxHashMap<Path, u64> = FxHashMap::default();
        for flow in self.flows.iter().filter(|flow| flow.connections() > 0) {
            *used.entry(flow.path()).or_default() += u64::from(flow.connections());
        }
        for (&path, &sockets) in &self.time_wait_paths {
            *used.entry(path).or_default() += u64::from(sockets);
        }
        let mut ports: FxHashMap<u32, Option<u64>> = FxHashMap::default();
        let mut rows: Vec<PortUseRow> = used
            .into_iter()
            .filter_map(|((netns, local, remote, remote_port), used)| {
                let available = *ports.entry(netns).or_insert_with(|| available(netns));
                Some(PortUseRow {
                    ends: Some((local, remote)),
                    remote_port,
                    netns,
                    used,
                    available: available?,
                })
            })
            .filter(|row| row.ratio() >= NOTEWORTHY)
            .collect();
        rows.sort_unstable_by(|a, b| {
            let ends = || (a.ends, a.remote_port, a.netns).cmp(&(b.ends, b.remote_port, b.netns));
            b.ratio().total_cmp(&a.ratio()).then_with(ends)
        });
        // The same addresses in several namespaces (loopback, containers) share their labels.
        let mut seen = FxHashSet::default();
        rows.retain(|row| seen.insert((row.ends, row.remote_port)));
        let rest = rows.split_off(rows.len().min(BUDGET)).into_iter().next();
        rows.extend(rest.map(|fullest| PortUseRow {
            ends: None,
            ..fullest
        }));
        rows
    }
}
