#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{slice::from_ref, sync::Arc, time::Duration};

use hostlens_ebpf::wire::{DiskKey, DiskOp};

use super::*;
use crate::{
    clock::Moment,
    collect::disk::{DiskSample, DiskStat},
    model::{BirthGate, DiskRow, DiskUser, SampleCounts, ServiceDiskRow},
};

const SECOND: Duration = Duration::from_secs(1);
const VDA: u32 = 254 << 20;
const ZRAM: u32 = 253 << 20;

fn stat(dev: u32, name: &str, written: u64) -> DiskStat {
    DiskStat {
        dev,
        name: name.into(),
        bare: dev == ZRAM,
        accounted: dev != ZRAM,
        requests: [Some(0), Some(written / 4096), Some(0), None],
        bytes: [Some(0), Some(written), None, None],
        in_flight: 2,
        busy_ms: written / 8192,
    }
}

fn sample(dev: u32, op: DiskOp, count: u32, ms: u64) -> DiskSample {
    let mut io = SampleCounts::default();
    (0..count).for_each(|_| io.record(ms * 1_000_000));
    DiskSample {
        key: DiskKey {
            cgroup: 7,
            dev,
            op: op as u32,
        },
        service: io.clone(),
        io,
        bytes: u64::from(count) * 4096,
        ..DiskSample::default()
    }
}

fn service(name: &str) -> DiskUser {
    DiskUser::Service(name.into())
}

struct Bench {
    table: DiskTable,
    now: Moment,
    sequence: u64,
}

impl Bench {
    fn new(disks: usize) -> Self {
        let mut table = DiskTable::new(DiskConfig {
            disks,
            services: 2,
            window: 60 * SECOND,
            retention: 900 * SECOND,
        });
        table.set_sampled(true, true);
        Self {
            table,
            now: Moment::now(),
            sequence: 0,
        }
    }

    fn cycle(
        &mut self,
        stats: &[DiskStat],
        samples: &[(DiskSample, DiskUser)],
    ) -> (Vec<DiskRow>, Vec<ServiceDiskRow>) {
        self.now = self.now.plus(5 * SECOND);
        self.sequence += 1;
        self.table.disks(self.now, stats.to_vec());
        for (sample, user) in samples {
            self.table.sample(sample, user);
        }
        self.table.finish(self.now);
        let gate = BirthGate { served_floor: None };
        (
            self.table.disk_rows(self.sequence, gate),
            self.table.service_rows(self.sequence, gate),
        )
    }
}

fn op(row: &DiskRow, op: DiskOp) -> &crate::model::DiskOpRow {
    row.ops.iter().find(|row| row.op == op).unwrap()
}

#[test]
fn bytes_are_the_kernels_and_times_the_programs() {
    let mut bench = Bench::new(16);
    bench.cycle(&[stat(VDA, "vda", 40_960_000)], &[]);
    let samples = [(sample(VDA, DiskOp::Write, 9, 20), service("db"))];
    let (disks, services) = bench.cycle(&[stat(VDA, "vda", 41_000_960)], &samples);
    let disk = &disks[0];
    assert_eq!(disk.device.as_deref(), Some("vda"));
    let write = op(disk, DiskOp::Write);
    // Ten requests counted, nine seen.
    assert_eq!((write.bytes, write.requests), (40_960, 10));
    assert_eq!((write.io.count(), write.service.count()), (9, 9));
    let p50 = write.io_quantiles.unwrap()[0];
    assert!((p50 / 0.020 - 1.0).abs() < 0.045, "{p50}");
    assert_eq!(disk.queue_length, Some(2));
    assert!((disk.busy_seconds.unwrap().seconds - 0.005).abs() < 1e-9);
    assert_eq!(services.len(), 1);
    assert_eq!(services[0].user, service("db"));
    assert_eq!(services[0].ops[0].bytes, 9 * 4096);
    assert_eq!(bench.table.totals(), Some((9 * 4096, 40_960)));
}

#[test]
fn what_a_disk_did_before_is_not_ours_but_a_new_ones_is() {
    let mut bench = Bench::new(16);
    let (disks, _) = bench.cycle(&[stat(VDA, "vda", 81_920)], &[]);
    assert!(disks[0].ops.is_empty());
    let both = [stat(VDA, "vda", 81_920), stat(1 << 20, "new", 8192)];
    let (disks, _) = bench.cycle(&both, &[]);
    let new = disks
        .iter()
        .find(|row| row.device.as_deref() == Some("new"));
    assert_eq!(op(new.unwrap(), DiskOp::Write).bytes, 8192);
}

/// Stale times are no times: absent, and back when the statistics are.
#[test]
fn statistics_switched_off_are_absent() {
    let mut bench = Bench::new(16);
    bench.cycle(&[stat(VDA, "vda", 40_960)], &[]);
    bench.cycle(
        &[stat(VDA, "vda", 81_920)],
        &[(sample(VDA, DiskOp::Write, 1, 5), service(""))],
    );
    let off = DiskStat {
        accounted: false,
        ..stat(VDA, "vda", 81_920)
    };
    let stale = (sample(VDA, DiskOp::Write, 3, 33_000), service(""));
    for _ in 0..2 {
        let (disks, services) = bench.cycle(from_ref(&off), from_ref(&stale));
        let disk = &disks[0];
        assert!(!disk.timed && disk.counted);
        assert_eq!(disk.queue_length, None);
        assert_eq!(disk.busy_seconds, None);
        assert_eq!((disk.busy_ratio, disk.of_best), (None, None));
        assert_eq!(op(disk, DiskOp::Write).io.count(), 1);
        assert_eq!(services[0].ops[0].io.count(), 1);
    }
    assert_eq!(bench.table.unaccounted(), [Arc::<str>::from("vda")]);
    // Bytes go on as the programs see them.
    let on = stat(VDA, "vda", 90_112);
    let (disks, _) = bench.cycle(from_ref(&on), from_ref(&stale));
    assert!(!disks[0].timed, "part of the cycle was without");
    assert_eq!(op(&disks[0], DiskOp::Write).bytes, 40_960 + 3 * 3 * 4096);
    let (disks, _) = bench.cycle(&[on], &[(sample(VDA, DiskOp::Write, 2, 5), service(""))]);
    assert!(disks[0].timed);
    assert_eq!(op(&disks[0], DiskOp::Write).io.count(), 3);
}

#[test]
fn a_device_without_requests_is_counted_by_its_bios() {
    let mut bench = Bench::new(16);
    bench.cycle(&[stat(ZRAM, "zram0", 0)], &[]);
    assert!(bench.table.has_bare());
    let bios = (sample(ZRAM, DiskOp::Write, 4, 1), DiskUser::Writeback);
    let (disks, services) = bench.cycle(&[stat(ZRAM, "zram0", 16_384)], &[bios]);
    assert!(disks[0].timed && disks[0].counted);
    assert_eq!(op(&disks[0], DiskOp::Write).bytes, 16_384);
    assert_eq!(
        disks[0].busy_seconds, None,
        "the kernel keeps no times of it"
    );
    assert_eq!(services[0].user, DiskUser::Writeback);
    assert_eq!(bench.table.totals(), Some((0, 0)));
}

#[test]
fn without_programs_there_are_bytes_and_no_times() {
    let mut bench = Bench::new(16);
    bench.table.set_sampled(false, false);
    bench.cycle(&[stat(VDA, "vda", 0)], &[]);
    let (disks, services) = bench.cycle(&[stat(VDA, "vda", 8192)], &[]);
    assert!(!disks[0].timed && disks[0].counted && !disks[0].errors_seen);
    assert_eq!(op(&disks[0], DiskOp::Write).bytes, 8192);
    assert!(services.is_empty());
    assert_eq!(bench.table.totals(), None);
}

#[test]
fn beyond_the_budget_the_sums_stay() {
    let mut bench = Bench::new(2);
    let disks = |written: u64| -> Vec<DiskStat> {
        (1..=4u32)
            .map(|n| stat(n << 20, &format!("sd{n}"), written * u64::from(n)))
            .collect()
    };
    let users: Vec<_> = (1..=4)
        .map(|n| {
            (
                sample(1 << 20, DiskOp::Write, n, 1),
                service(&format!("s{n}")),
            )
        })
        .collect();
    bench.cycle(&disks(40_960), &[]);
    bench.cycle(&disks(81_920), &users);
    let (disks, services) = bench.cycle(&disks(122_880), &users);
    assert!(disks.len() <= 3 && disks.last().unwrap().device.is_none());
    let sum: u64 = disks.iter().map(|row| op(row, DiskOp::Write).bytes).sum();
    assert_eq!(sum, 2 * 40_960 * 10);
    let sum: u64 = services.iter().map(|row| row.ops[0].io.count()).sum();
    assert_eq!(sum, 20);
    assert_eq!(services.last().unwrap().user, DiskUser::Folded);
}
