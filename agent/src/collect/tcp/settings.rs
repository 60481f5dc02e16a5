//! Settings of a network namespace that decide what a full queue does and how many connections
//! fit between two addresses.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rustc_hash::FxHashMap;

use super::netns::{Namespace, within_each};
use crate::{clock::Moment, collect::proc_file};

/// Settings change by an administrator's hand: this old they are good enough.
const GOOD_FOR: Duration = Duration::from_secs(60);

/// Namespaces entered in one refresh, some 50 µs each; with more than that due, the others keep
/// what they have until the next one.
const MOST_ENTERED: usize = 64;

/// What one network namespace is set to. A setting that could not be read, or that the kernel
/// hides from namespaces of other users, is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetSettings {
    /// `net.core.somaxconn`: the highest limit a `listen()` is given.
    pub somaxconn: Option<u64>,
    /// `net.ipv4.tcp_abort_on_overflow`: a full queue answers with a reset.
    pub abort_on_overflow: Option<bool>,
    /// Local ports the kernel chooses from for outgoing connections: `net.ipv4.ip_local_port_range`
    /// without those of `net.ipv4.ip_local_reserved_ports`. For IPv6 as well.
    pub ephemeral_ports: Option<u64>,
}

impl NetSettings {
    /// Reads those of the calling thread's namespace: `/proc/sys/net` shows each task its own.
    pub fn read() -> Self {
        Self::below(&proc_file::proc_root())
    }

    fn below(proc: &Path) -> Self {
        let text = |file: &str| std::fs::read(proc.join("sys/net").join(file)).ok();
        let range = text("ipv4/ip_local_port_range");
        let reserved = text("ipv4/ip_local_reserved_ports");
        Self {
            somaxconn: text("core/somaxconn").and_then(|text| number(&text)),
            abort_on_overflow: text("ipv4/tcp_abort_on_overflow")
                .and_then(|text| number(&text))
                .map(|value| value != 0),
            ephemeral_ports: range
                .zip(reserved)
                .and_then(|(range, reserved)| ephemeral(&range, &reserved)),
        }
    }
}

/// The settings of all namespaces, read anew once a minute.
#[derive(Debug)]
pub struct SettingsCache {
    proc: PathBuf,
    known: FxHashMap<u32, (Moment, NetSettings)>,
}

impl Default for SettingsCache {
    fn default() -> Self {
        Self {
            proc: proc_file::proc_root(),
            known: FxHashMap::default(),
        }
    }
}

impl SettingsCache {
    /// Reads what is missing or outdated, and forgets namespaces that are not among these. Other
    /// namespaces than our own are entered for it, on a thread that ends with the call.
    pub fn refresh(&mut self, namespaces: &[Namespace], at: Moment) {
        let known = &mut self.known;
        known.retain(|inode, _| namespaces.iter().any(|namespace| namespace.inode == *inode));
        let due: Vec<&Namespace> = namespaces
            .iter()
            .filter(|namespace| match known.get(&namespace.inode) {
                Some((read, _)) => at.since(*read) >= GOOD_FOR,
                None => true,
            })
            .collect();
        let (own, mut foreign): (Vec<_>, Vec<_>) =
            due.into_iter().partition(|namespace| namespace.own);
        for namespace in own {
            known.insert(namespace.inode, (at, NetSettings::below(&self.proc)));
        }
        if foreign.is_empty() {
            return;
        }
        // The most outdated ones first, and before them those never read.
        foreign
            .sort_by_key(|namespace| known.get(&namespace.inode).map_or(0, |(at, _)| at.mono_ns));
        foreign.truncate(MOST_ENTERED);
        let read = within_each(&foreign, || NetSettings::below(&self.proc));
        for (namespace, settings) in foreign.iter().zip(read) {
            // One that cannot be entered is not tried again before its time either.
            let settings = settings.unwrap_or_default();
            known.insert(namespace.inode, (at, settings));
        }
    }

    /// Settings of a namespace as last read; all `None` before its first [`Self::refresh`].
    pub fn of(&self, inode: u32) -> NetSettings {
        self.known
            .get(&inode)
            .map_or_else(NetSettings::default, |(_, settings)| *settings)
    }
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

/// Ports of `ip_local_port_range` (two numbers, both included) that `ip_local_reserved_ports`
/// (`8080,9000-9010`, or empty) leaves.
fn ephemeral(range: &[u8], reserved: &[u8]) -> Option<u64> {
    let range = std::str::from_utf8(range).ok()?;
    let mut ends = range.split_ascii_whitespace().map(str::parse::<u16>);
    let (Some(Ok(low)), Some(Ok(high)), None) = (ends.next(), ends.next(), ends.next()) else {
        return None;
    };
    let all = u64::from(high).checked_sub(u64::from(low))? + 1;
    let mut taken = Vec::new();
    for item in std::str::from_utf8(reserved).ok()?.trim().split(',') {
        if item.is_empty() {
            continue;
        }
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let (first, last) = (first.parse::<u16>().ok()?, last.parse::<u16>().ok()?);
        let (first, last) = (first.max(low), last.min(high));
        if first <= last {
            taken.push((u64::from(first), u64::from(last)));
        }
    }
    // The kernel prints a bitmap, so nothing overlaps; whoever wrote a fixture may not know.
    taken.sort_unstable();
    let mut next = 0;
    let mut reserved = 0;
    for (first, last) in taken {
        let first = first.max(next);
        reserved += (last + 1).saturating_sub(first);
        next = next.max(last + 1);
    }
    Some(all - reserved)
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
