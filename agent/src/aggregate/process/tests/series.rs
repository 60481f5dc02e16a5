//! With every budget full, the number of series stays what was promised.

use super::*;
use crate::{
    aggregate::{Networks, TcpConfig, TcpTable},
    collect::TcpSink,
    metric::{Family, PEER_FAMILIES, PROCESS_FAMILIES, Points},
    model::{Histogram, Memory, PeerRow},
};
use hostlens_ebpf::wire::{Direction, ListenBind, SockRecord, tcp_state};

/// What one histogram is in text: 17 classic buckets, `+Inf`, count and sum.
const HISTOGRAM: usize = 17 + 1 + 2;

#[derive(Default)]
struct Series(usize);

impl Points for Series {
    fn gauge(&mut self, _: &[&str], _: f64) {
        self.0 += 1;
    }
    fn count(&mut self, _: &[&str], _: u64, _: bool) {
        self.0 += 1;
    }
    fn counter(&mut self, _: &[&str], _: f64, _: bool) {
        self.0 += 1;
    }
    fn histogram(&mut self, _: &[&str], _: &Histogram, _: bool) {
        self.0 += HISTOGRAM;
    }
}

fn count<Row>(families: &[Family<Row>], rows: &[Row]) -> usize {
    let mut series = Series::default();
    for row in rows {
        for family in families {
            (family.fill)(row, &mut series);
        }
    }
    series.0
}

/// Both directions with more peers than names, every one with all there is to measure.
fn peers(budget: usize) -> Vec<PeerRow> {
    let mut table = TcpTable::new(TcpConfig {
        networks: Networks::default(),
        peer_budget: budget,
        window: Duration::from_secs(60),
        retention: Duration::from_secs(900),
        details: false,
        service_budget: 100,
        failure_budget: 200,
        ends: true,
        process_label: false,
    });
    let start = Rig::new(1).now;
    let mut rows = Vec::new();
    for cycle in 0..20u64 {
        let now = start.plus(Duration::from_secs(5 * cycle));
        table.begin(now);
        for number in 0..2_000u32 {
            let [_, _, high, low] = number.to_be_bytes();
            let peer = std::net::Ipv4Addr::new(10, 0, high, low).to_ipv6_mapped();
            let direction = if number % 2 == 0 {
                Direction::Inbound
            } else {
                Direction::Outbound
            };
            // Who is heavy changes: groups lose their names and linger.
            let heavy = u64::from(number / 50) == cycle / 4;
            table.socket(&SockRecord {
                id: u64::from(number) + 1,
                local_port: 80,
                remote_addr: peer.octets(),
                remote_port: 9_000,
                netns: 1,
                srtt_us: 1_000,
                min_rtt_us: 900,
                bytes_sent: cycle * if heavy { 1 << 30 } else { 1 },
                data_segs_out: cycle as u32,
                delivered: cycle as u32,
                state: tcp_state::ESTABLISHED,
                direction: direction as u8,
                listen_bind: ListenBind::AnyV4 as u8,
                ..SockRecord::default()
            });
        }
        let nobody = ProcessTable::new(ProcessConfig {
            budget: 1,
            retention: Duration::ZERO,
            service_label: true,
            details: false,
        });
        table.finish(now, WalkOutcome { complete: true }, true, &nobody);
        let gate = BirthGate {
            served_floor: Some(cycle.saturating_sub(3)),
        };
        rows = table.rows(cycle + 1, gate);
    }
    rows
}

/// More groups than names, each with all there is to measure and ends for every reason.
fn processes(budget: usize) -> Vec<ProcessRow> {
    let mut rig = Rig::new(budget);
    rig.cycle(&[]);
    let mut records = Vec::new();
    let mut ends = Vec::new();
    for group in 0..1_000 {
        let record = rig.newborn(group + 1, &format!("group{group}"), MS);
        records.push(TaskRecord {
            open_fds: 3,
            ..record
        });
        for signal in 0..20 {
            let tgid = 10_000 + group * 20 + signal;
            ends.push(ended(TaskRecord { tgid, ..record }, signal));
        }
    }
    rig.cycle(&[records.clone(), ends].concat());
    for record in &records {
        rig.table
            .set_memory(id(record), Some(Memory::default()), rig.now);
    }
    rig.cycle(&records)
}

#[test]
fn every_budget_full_at_once_stays_within_25_000_series() {
    let (peers, processes) = (peers(100), processes(300));
    assert!(
        (183..=202).contains(&peers.len()),
        "{} peer sets",
        peers.len()
    );
    assert!(
        (271..=301).contains(&processes.len()),
        "{} process sets",
        processes.len()
    );
    let peer_series = count(PEER_FAMILIES, &peers);
    let process_series = count(PROCESS_FAMILIES, &processes);
    // Names left to lingering groups may all be in use: as many sets as the budget allows.
    let peer_series = peer_series * 202 / peers.len();
    let process_series = process_series * 301 / processes.len();
    assert!(peer_series > 202 * 20, "{peer_series} series of peers");
    assert!(
        peer_series + process_series <= 25_000,
        "{peer_series} of peers and {process_series} of processes"
    );
}
