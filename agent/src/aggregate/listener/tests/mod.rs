//! Listeners under simulated polls.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod cost;
mod counting;
mod places;
mod refusing;
mod saturating;

use std::{collections::HashMap, net::Ipv6Addr, time::Duration};

use hostlens_ebpf::wire::{ListenRecord, UNKNOWN_U32};

use super::{ListenerConfig, ListenerTable};
use crate::{
    aggregate::Owners,
    clock::Moment,
    collect::DoorSink,
    model::{BirthGate, ListenerKey, ListenerRow, Owner, RefusedRow},
};

/// Distance of polls.
const POLL: Duration = Duration::from_millis(80);
/// Polls of a cycle of five seconds.
const POLLS: u32 = 62;

/// Names by process id.
#[derive(Default)]
struct Known(HashMap<u32, &'static str>);

impl Owners for Known {
    fn owner(&self, tgid: u32, _start_ns: u64) -> Option<Owner> {
        self.0.get(&tgid).map(|name| owner(name))
    }
}

fn owner(name: &str) -> Owner {
    Owner {
        process: name.into(),
        user: "root".into(),
        service: "".into(),
    }
}

/// A table, its clock and its owners.
struct Host {
    table: ListenerTable,
    now: Moment,
    sequence: u64,
    known: Known,
}

impl Host {
    fn new() -> Self {
        Self::with_budget(100)
    }

    fn with_budget(budget: usize) -> Self {
        let mut host = Self {
            table: ListenerTable::new(ListenerConfig {
                budget,
                refused_budget: 100,
                retention: Duration::from_secs(900),
            }),
            now: Moment {
                mono_ns: 1_000_000_000_000,
                boot_ns: 0,
                wall: std::time::UNIX_EPOCH,
            },
            sequence: 0,
            known: Known::default(),
        };
        host.known.0.insert(10, "web");
        host.known.0.insert(20, "db");
        host.cycle(&mut []);
        host
    }

    /// One complete poll that sees these.
    fn poll(&mut self, records: &[ListenRecord]) {
        self.now = self.now.plus(POLL);
        self.table.begin_poll(self.now);
        for record in records {
            self.table.listener(record);
        }
        self.table.end_poll(true);
    }

    /// The end of a cycle.
    fn finish(&mut self) -> Vec<ListenerRow> {
        self.now = self.now.plus(Duration::from_millis(1));
        self.table.set_somaxconn(|_| Some(4096));
        self.table.finish(self.now, &self.known, true);
        self.sequence += 1;
        self.table.rows(self.sequence, BirthGate::default())
    }

    /// A cycle in which nothing changes from poll to poll.
    fn cycle(&mut self, records: &mut [ListenRecord]) -> Vec<ListenerRow> {
        for _ in 0..POLLS {
            self.poll(records);
        }
        self.finish()
    }

    fn refused(&mut self) -> Vec<RefusedRow> {
        self.table.refused_rows(self.sequence, BirthGate::default())
    }

    /// A listener of process 10 that is older than the table.
    fn old(id: u64, port: u16) -> ListenRecord {
        ListenRecord {
            id,
            inode: id,
            owner_tgid: 10,
            owner_start_ns: 1,
            local_addr: mapped("0.0.0.0"),
            local_port: port,
            netns: 1,
            limit: 128,
            uid: UNKNOWN_U32,
            ..ListenRecord::default()
        }
    }

    /// One that began to listen just now.
    fn newborn(&self, id: u64, port: u16) -> ListenRecord {
        ListenRecord {
            born_ns: self.now.mono_ns + 1,
            ..Self::old(id, port)
        }
    }
}

fn mapped(ip: &str) -> [u8; 16] {
    match ip.parse().unwrap() {
        std::net::IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        std::net::IpAddr::V6(ip) => ip,
    }
    .octets()
}

fn key(ip: &str, port: u16, name: &str) -> ListenerKey {
    ListenerKey::Bound {
        ip: ip.parse().unwrap(),
        port,
        owner: owner(name),
    }
}

fn one(rows: Vec<ListenerRow>) -> ListenerRow {
    let [row] = rows.try_into().expect("one row");
    row
}

#[test]
fn addresses_come_out_as_bound() {
    assert_eq!(super::ip(mapped("0.0.0.0")).to_string(), "0.0.0.0");
    assert_eq!(super::ip(Ipv6Addr::UNSPECIFIED.octets()).to_string(), "::");
}
