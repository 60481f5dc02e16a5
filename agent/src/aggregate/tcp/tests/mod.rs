#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod ack;
mod books;
mod budget;
mod counters;
mod direction;
mod flows;
mod label;
mod life;
mod life_books;
mod lives;
mod names;

use std::{net::IpAddr, time::Duration, time::UNIX_EPOCH};

use hostlens_ebpf::wire::{Direction, SockKind, SockRecord, tcp_state};

use super::{TcpConfig, TcpTable};
use crate::{
    aggregate::{Networks, Owners, WalkOutcome},
    clock::Moment,
    collect::TcpSink,
    model::{BirthGate, Owner, PeerKey, PeerRow, Remote},
};

const SECOND: u64 = 1_000_000_000;
/// First walk of the agent, ns.
const START: u64 = 1_000 * SECOND;

/// A table that lives through cycles of 5 s.
struct Rig {
    table: TcpTable,
    now: Moment,
    sequence: u64,
    gate: BirthGate,
    owners: Names,
}

/// Processes that can be named, by id; all of user `www`.
#[derive(Default)]
struct Names(std::collections::BTreeMap<u32, &'static str>);

impl Owners for Names {
    fn owner(&self, tgid: u32, _start_ns: u64) -> Option<Owner> {
        self.0.get(&tgid).map(|&process| owner(process))
    }
}

fn owner(process: &str) -> Owner {
    Owner {
        process: process.into(),
        user: "www".into(),
        service: "".into(),
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn octets(text: &str) -> [u8; 16] {
    match ip(text) {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

fn config(peer_budget: usize) -> TcpConfig {
    TcpConfig {
        networks: Networks::default(),
        peer_budget,
        window: Duration::from_secs(60),
        retention: Duration::from_secs(900),
        details: true,
        service_budget: 100,
        failure_budget: 200,
        ends: true,
        process_label: false,
    }
}

/// An outbound connection to 10.0.0.9:5432.
fn socket(id: u64) -> SockRecord {
    SockRecord {
        id,
        local_addr: octets("10.0.0.1"),
        local_port: 40_000,
        remote_addr: octets("10.0.0.9"),
        remote_port: 5432,
        netns: 1,
        min_rtt_us: u32::MAX,
        state: tcp_state::ESTABLISHED,
        direction: Direction::Outbound as u8,
        ..SockRecord::default()
    }
}

fn ended(record: SockRecord) -> SockRecord {
    SockRecord {
        kind: SockKind::Final as u8,
        state: tcp_state::CLOSE,
        ..record
    }
}

impl Rig {
    fn new(peer_budget: usize) -> Self {
        let start = Moment {
            mono_ns: START,
            boot_ns: START,
            wall: UNIX_EPOCH,
        };
        Self {
            table: TcpTable::new(config(peer_budget)),
            now: start,
            sequence: 0,
            gate: BirthGate::default(),
            owners: Names::default(),
        }
    }

    fn cycle_with(
        &mut self,
        complete: bool,
        mut records: impl FnMut(&mut TcpTable),
    ) -> Vec<PeerRow> {
        self.now = self.now.plus(Duration::from_secs(5));
        self.table.begin(self.now);
        records(&mut self.table);
        let end = self.now.plus(Duration::from_millis(20));
        let owners = &self.owners;
        self.table
            .finish(end, WalkOutcome { complete }, true, owners);
        self.sequence += 1;
        self.table.rows(self.sequence, self.gate)
    }

    fn cycle(&mut self, records: &[SockRecord]) -> Vec<PeerRow> {
        self.cycle_with(true, |table| {
            for record in records {
                table.socket(record);
            }
        })
    }

    /// A moment after the last walk began.
    fn born(&self) -> u64 {
        self.now.mono_ns + SECOND
    }

    /// Cycles with the same records.
    fn cycles(&mut self, count: usize, records: &[SockRecord]) -> Vec<PeerRow> {
        let mut rows = Vec::new();
        for _ in 0..count {
            rows = self.cycle(records);
        }
        rows
    }
}

fn find(rows: &[PeerRow], key: PeerKey) -> Option<&PeerRow> {
    rows.iter().find(|row| row.key == key)
}

fn row(rows: &[PeerRow], key: PeerKey) -> &PeerRow {
    find(rows, key).unwrap()
}

fn postgres() -> PeerKey {
    PeerKey::Outbound {
        remote: Remote::Ip(ip("10.0.0.9")),
        remote_port: 5432,
    }
}
