//! Disks and the services that use them.

use serde::Serialize;

use super::{fields::Quantiles, records::service};
use crate::{
    metric::WRITEBACK,
    model::{DiskOpRow, DiskRow, DiskUser, OTHER, ProcessDiskRow, ServiceDiskRow},
};

#[derive(Serialize)]
pub struct Disk<'a> {
    pub device: &'a str,
    pub folded: bool,
    pub live: bool,
    pub timed: bool,
    pub verdict: Option<&'static str>,
    pub queue_length: Option<u64>,
    pub busy_seconds: Option<f64>,
    pub busy_ratio: Option<f64>,
    pub bytes_per_second: Option<f64>,
    pub best_bytes_per_second: Option<f64>,
    pub throughput_of_best_ratio: Option<f64>,
    pub operations: Vec<Operation>,
}

#[derive(Serialize)]
pub struct ServiceDisk<'a> {
    pub service: Option<&'a str>,
    pub folded: bool,
    pub operations: Vec<Operation>,
}

#[derive(Serialize)]
pub struct Operation {
    pub op: &'static str,
    pub bytes: Option<u64>,
    pub bytes_per_second: Option<f64>,
    pub requests: Option<u64>,
    pub requests_per_second: Option<f64>,
    pub errors: Option<u64>,
    pub timed_requests: Option<u64>,
    pub io_seconds: Option<Quantiles>,
    pub service_seconds: Option<Quantiles>,
}

#[derive(Serialize)]
pub struct ProcessDisk<'a> {
    pub process: &'a str,
    pub user: &'a str,
    pub service: Option<&'a str>,
    pub folded: bool,
    pub operations: Vec<ProcessOperation>,
}

#[derive(Serialize)]
pub struct ProcessOperation {
    pub op: &'static str,
    pub timed_requests: u64,
    pub io_seconds: Option<Quantiles>,
}

fn quantiles([p50, p75, p95, p99, max]: [f64; 5]) -> Quantiles {
    Quantiles {
        p50,
        p75,
        p95,
        p99,
        max,
    }
}

/// What is known of operations: their times, their counts, their failures.
fn operations(ops: &[DiskOpRow], timed: bool, counted: bool, errors: bool) -> Vec<Operation> {
    let quantiles = |all: Option<[f64; 5]>| all.filter(|_| timed).map(quantiles);
    let ops = ops.iter().map(|op| Operation {
        op: op.op.name(),
        bytes: counted.then_some(op.bytes),
        bytes_per_second: counted.then_some(op.byte_rate),
        requests: counted.then_some(op.requests),
        requests_per_second: counted.then_some(op.request_rate),
        errors: errors.then_some(op.errors),
        timed_requests: timed.then_some(op.io.count()),
        io_seconds: quantiles(op.io_quantiles),
        service_seconds: quantiles(op.service_quantiles),
    });
    ops.collect()
}

impl<'a> Disk<'a> {
    pub(super) fn new(row: &'a DiskRow) -> Self {
        Self {
            device: row.device.as_deref().unwrap_or(OTHER),
            folded: row.device.is_none(),
            live: row.live,
            timed: row.timed,
            verdict: row.verdict.map(|verdict| verdict.name()),
            queue_length: row.queue_length,
            busy_seconds: row.busy_seconds.map(|busy| busy.seconds),
            busy_ratio: row.busy_ratio,
            bytes_per_second: row.throughput,
            best_bytes_per_second: row.best_throughput,
            throughput_of_best_ratio: row.of_best,
            operations: operations(&row.ops, row.timed, row.counted, row.errors_seen),
        }
    }
}

impl<'a> ServiceDisk<'a> {
    pub(super) fn new(row: &'a ServiceDiskRow) -> Self {
        Self {
            service: match &row.user {
                DiskUser::Service(name) => Some(&**name).filter(|name| !name.is_empty()),
                DiskUser::Writeback => Some(WRITEBACK),
                DiskUser::Folded => Some(OTHER),
            },
            folded: row.user == DiskUser::Folded,
            operations: operations(&row.ops, true, true, true),
        }
    }
}

impl<'a> ProcessDisk<'a> {
    pub(super) fn new(row: &'a ProcessDiskRow) -> Self {
        let owner = row.owner.as_ref();
        let ops = row.ops.iter().map(|op| ProcessOperation {
            op: op.op.name(),
            timed_requests: op.io.count(),
            io_seconds: op.io_quantiles.map(quantiles),
        });
        Self {
            process: owner.map_or(OTHER, |owner| &owner.process),
            user: owner.map_or(OTHER, |owner| &owner.user),
            service: service(owner),
            folded: owner.is_none(),
            operations: ops.collect(),
        }
    }
}
