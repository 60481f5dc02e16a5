//! What either object tells, gathered for tests that make real sockets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{
    collections::HashMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use hostlens_ebpf::wire::{ListenRecord, RefusedKey, SockKind, SockRecord, SockTotals};

use super::{bpf::TcpBpf, bpf_hash::TcpHash, netns::Namespace, turns::Turns};
use crate::{
    aggregate::Networks,
    collect::{DoorSink, TcpSink},
    kernel::Kernel,
};

const RING: u32 = 1 << 20;
const LIMIT: Duration = Duration::from_secs(10);

enum Programs {
    Storage(TcpBpf),
    Hash(TcpHash),
}

/// Everything told so far.
#[derive(Default)]
pub(super) struct Told {
    /// Records of connections, in order.
    pub sockets: Vec<SockRecord>,
    /// Records of listeners, in order.
    pub listeners: Vec<ListenRecord>,
    /// Sums of refusals.
    pub refused: HashMap<RefusedKey, u64>,
    /// Those without a key.
    pub elsewhere: u64,
}

impl TcpSink for Told {
    fn socket(&mut self, record: &SockRecord) {
        self.sockets.push(*record);
    }

    fn time_wait(&mut self, _record: &SockRecord) {}

    fn lost(&mut self, totals: &[SockTotals; 3]) {
        assert_eq!(totals, &[SockTotals::default(); 3]);
    }
}

impl DoorSink for Told {
    fn listener(&mut self, record: &ListenRecord) {
        self.listeners.push(*record);
    }

    fn refused(&mut self, key: &RefusedKey, more: u64) {
        *self.refused.entry(*key).or_default() += more;
    }

    fn refused_elsewhere(&mut self, more: u64) {
        self.elsewhere += more;
    }
}

/// Attached programs and what they told.
pub(super) struct Observed {
    programs: Programs,
    pub told: Told,
}

/// Runs a test with each object; skipped, with a message, where programs cannot be loaded.
pub(super) fn with_each(test: impl Fn(&mut Observed)) {
    let Some(kernel) = kernel() else { return };
    for programs in [storage(&kernel), hash(&kernel)].into_iter().flatten() {
        let mut observed = Observed {
            programs,
            told: Told::default(),
        };
        test(&mut observed);
    }
}

/// The object with socket storage alone.
pub(super) fn with_storage(test: impl FnOnce(&mut Observed)) {
    let Some(programs) = kernel().and_then(|kernel| storage(&kernel)) else {
        return;
    };
    test(&mut Observed {
        programs,
        told: Told::default(),
    });
}

fn kernel() -> Option<Kernel> {
    // SAFETY: no arguments.
    if unsafe { libc::geteuid() } != 0 {
        println!("SKIP: loading programs needs root");
        return None;
    }
    Kernel::probe(false)
        .map_err(|error| println!("SKIP: {error:#}"))
        .ok()
}

fn storage(kernel: &Kernel) -> Option<Programs> {
    TcpBpf::start(kernel, RING)
        .map(Programs::Storage)
        .map_err(|(why, _)| println!("SKIP: {why}"))
        .ok()
}

fn hash(kernel: &Kernel) -> Option<Programs> {
    TcpHash::start(kernel, RING)
        .map(Programs::Hash)
        .map_err(|(why, _)| println!("SKIP: {why}"))
        .ok()
}

impl Observed {
    /// Takes what is in the ring buffer.
    pub fn drain(&mut self) {
        match &mut self.programs {
            Programs::Storage(source) => source.drain(&mut self.told),
            Programs::Hash(source) => source.drain(&mut self.told),
        }
    }

    /// Walks all sockets.
    pub fn walk(&mut self) {
        match &mut self.programs {
            Programs::Storage(source) => source.walk(&mut self.told).unwrap(),
            Programs::Hash(source) => {
                let failed = source.walk(&[Namespace::own().unwrap()], &mut self.told);
                assert!(failed.is_empty(), "{failed:?}");
            }
        }
    }

    /// Polls listeners and refusals.
    pub fn poll(&mut self) {
        let outcome = match &mut self.programs {
            Programs::Storage(source) => (
                source.poll_listeners(&mut self.told),
                source.take_refused(&mut self.told),
            ),
            Programs::Hash(source) => (
                source.poll_listeners(&mut self.told),
                source.take_refused(&mut self.told),
            ),
        };
        outcome.0.unwrap();
        if let Err(why) = outcome.1 {
            println!("no refusals: {why}");
        }
    }

    /// Finds the owners of older sockets.
    pub fn seed_owners(&mut self) -> Result<u64, String> {
        match &mut self.programs {
            Programs::Storage(source) => source.seed_owners(),
            Programs::Hash(source) => source.seed_owners(),
        }
    }

    /// Begins to time answers.
    pub fn watch_turns(&mut self) -> Turns {
        let networks = Networks::default();
        match &mut self.programs {
            Programs::Storage(source) => {
                assert!(source.turns().is_err());
                source.places(&networks).unwrap();
                let turns = source.turns().unwrap();
                source.attach_turns().unwrap();
                turns
            }
            Programs::Hash(source) => {
                source.places(&networks).unwrap();
                let turns = source.turns().unwrap();
                source.attach_turns().unwrap();
                turns
            }
        }
    }

    /// Times no answers for now.
    pub fn detach_turns(&mut self) {
        match &mut self.programs {
            Programs::Storage(source) => source.detach_turns(),
            Programs::Hash(source) => source.detach_turns(),
        }
    }

    /// Times them again.
    pub fn attach_turns(&mut self) {
        match &mut self.programs {
            Programs::Storage(source) => source.attach_turns().unwrap(),
            Programs::Hash(source) => source.attach_turns().unwrap(),
        }
    }

    /// Drains and polls until there is what is looked for.
    pub fn wait<T>(&mut self, what: &str, look: impl Fn(&Told) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            self.drain();
            self.poll();
            if let Some(found) = look(&self.told) {
                return found;
            }
            assert!(start.elapsed() < LIMIT, "never seen: {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The last words on the connection between two addresses, as one end sees it.
    pub fn ended(&mut self, local: SocketAddr, remote: SocketAddr) -> SockRecord {
        self.wait("end of a connection", |told| {
            let mut all = told.sockets.iter();
            all.find(|record| {
                record.kind == SockKind::Final as u8 && is_between(record, local, remote)
            })
            .copied()
        })
    }

    /// The connection between two addresses as a walk finds it now.
    pub fn living(&mut self, local: SocketAddr, remote: SocketAddr) -> SockRecord {
        let before = self.told.sockets.len();
        self.walk();
        let mut new = self.told.sockets[before..].iter();
        *new.find(|record| record.kind == SockKind::Live as u8 && is_between(record, local, remote))
            .unwrap_or_else(|| panic!("the walk misses {local} - {remote}"))
    }

    /// A listener as a poll finds it now.
    pub fn listener(&mut self, port: u16) -> Option<ListenRecord> {
        let before = self.told.listeners.len();
        self.poll();
        let mut new = self.told.listeners[before..].iter();
        new.find(|record| record.local_port == port).copied()
    }
}

/// Whether a record is of this end of this connection.
pub(super) fn is_between(record: &SockRecord, local: SocketAddr, remote: SocketAddr) -> bool {
    record.local_addr == mapped(local)
        && record.local_port == local.port()
        && record.remote_addr == mapped(remote)
        && record.remote_port == remote.port()
}

/// An address as records bear it.
pub(super) fn mapped(address: SocketAddr) -> [u8; 16] {
    match address.ip() {
        std::net::IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        std::net::IpAddr::V6(ip) => ip.octets(),
    }
}

/// Start of a process in clock ticks since boot, as `/proc/PID/stat` has it.
pub(super) fn start_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    after_name.split(' ').nth(19).unwrap().parse().unwrap()
}

/// The same from a record.
pub(super) fn ticks(start_ns: u64) -> u64 {
    const TICK_NS: u64 = 10_000_000;
    start_ns / TICK_NS
}
