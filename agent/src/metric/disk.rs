//! Families of disks and of the services that use them.

use hostlens_ebpf::wire::DiskOp;

use super::{
    Desc, Exposed, Family, Kind, LabelValues, Points, Row, Unit,
    define::{counter, gauge},
    row::{SERVICE_NOTE, push_owner},
};
use crate::model::{DiskOpRow, DiskRow, DiskUser, OTHER, ProcessDiskRow, ServiceDiskRow};

/// Labels that identify a [`DiskRow`].
pub const DISK_LABELS: &[&str] = &["device"];
/// Labels that identify a [`ServiceDiskRow`].
pub const SERVICE_DISK_LABELS: &[&str] = &["service"];
/// Labels that identify a [`ProcessDiskRow`].
pub const PROCESS_DISK_LABELS: &[&str] = &["process", "user", "service"];
/// Value of the label `service` for what the kernel wrote later for somebody it did not remember.
pub const WRITEBACK: &str = "writeback";

const OP: &[&str] = &["op"];
const COMPLETE: &str = "tracepoint block_rq_complete (block_bio_complete where there are no requests): now - request.start_time_ns";

impl Row for DiskRow {
    const AREA: &'static str = "Disks";
    const LABELS: &'static [&'static str] = DISK_LABELS;
    const FAMILIES: &'static [Family<Self>] = DISK_FAMILIES;

    fn rows(exposed: Exposed<'_>) -> &[Self] {
        &exposed.snapshot.disks
    }

    fn label_values(&self, values: &mut LabelValues) {
        values.push_str(self.device.as_deref().unwrap_or(OTHER));
    }

    fn folded(&self) -> bool {
        self.device.is_none()
    }
}

impl Row for ServiceDiskRow {
    const AREA: &'static str = "Disks by service";
    const LABELS: &'static [&'static str] = SERVICE_DISK_LABELS;
    const NOTE: &'static str = "`service` is left out for what belongs to no container or unit, and `writeback` for what the kernel wrote later for somebody it did not remember (cgroup v1).";
    const FAMILIES: &'static [Family<Self>] = SERVICE_DISK_FAMILIES;

    fn rows(exposed: Exposed<'_>) -> &[Self] {
        &exposed.snapshot.service_disks
    }

    fn label_values(&self, values: &mut LabelValues) {
        values.push_str(match &self.user {
            DiskUser::Service(name) => name,
            DiskUser::Writeback => WRITEBACK,
            DiskUser::Folded => OTHER,
        });
    }

    fn folded(&self) -> bool {
        self.user == DiskUser::Folded
    }
}

impl Row for ProcessDiskRow {
    const AREA: &'static str = "Disks by process";
    const LABELS: &'static [&'static str] = PROCESS_DISK_LABELS;
    const NOTE: &'static str = SERVICE_NOTE;
    const OWNER_SERVICE: Option<&'static str> = Some("service");
    const FAMILIES: &'static [Family<Self>] = PROCESS_DISK_FAMILIES;

    fn rows(exposed: Exposed<'_>) -> &[Self] {
        &exposed.snapshot.process_disks
    }

    fn label_values(&self, values: &mut LabelValues) {
        match &self.owner {
            Some(owner) => push_owner(values, Some(owner)),
            None => values.repeat(OTHER, PROCESS_DISK_LABELS.len()),
        }
    }

    fn folded(&self) -> bool {
        self.owner.is_none()
    }
}

const fn latency<R>(
    name: &'static str,
    help: &'static str,
    source: &'static str,
    fill: fn(&R, &mut dyn Points),
) -> Family<R> {
    Family {
        desc: Desc {
            name,
            help,
            kind: Kind::Histogram,
            unit: Unit::Seconds,
            labels: OP,
            source,
        },
        fill,
    }
}

/// Shows the time from queued to done of each operation that has one.
fn io(ops: &[DiskOpRow], points: &mut dyn Points) {
    for op in ops.iter().filter(|op| op.io.count() > 0) {
        points.histogram(&[op.op.name()], &op.io, op.held);
    }
}

/// Shows the bytes of each operation that moves some.
fn bytes(ops: &[DiskOpRow], points: &mut dyn Points) {
    for op in ops.iter().filter(|op| op.op != DiskOp::Flush) {
        points.count(&[op.op.name()], op.bytes, op.held);
    }
}

/// Every family a [`DiskRow`] fills.
pub const DISK_FAMILIES: &[Family<DiskRow>] = &[
    latency(
        "disk_io_seconds",
        "Time of requests to a disk from queued to done.",
        COMPLETE,
        |row, points| {
            if row.timed {
                io(&row.ops, points);
            }
        },
    ),
    latency(
        "disk_service_seconds",
        "Time of requests at the disk alone, from when its driver got them to done.",
        "tracepoint block_rq_complete: now - request.io_start_time_ns",
        |row, points| {
            let timed = row.ops.iter().filter(|_| row.timed);
            // Of discards the time from queued to done says enough.
            let timed = timed.filter(|op| op.op != DiskOp::Discard);
            for op in timed.filter(|op| op.service.count() > 0) {
                points.histogram(&[op.op.name()], &op.service, op.held);
            }
        },
    ),
    counter(
        "disk_io_bytes_total",
        Unit::Bytes,
        OP,
        "Bytes read from, written to and discarded on a disk.",
        "/proc/diskstats; where its statistics are off, tracepoint block_rq_complete",
        |row, points| {
            if row.counted {
                bytes(&row.ops, points);
            }
        },
    ),
    counter(
        "disk_requests_total",
        Unit::None,
        OP,
        "Requests done by a disk.",
        "/proc/diskstats; where its statistics are off, tracepoint block_rq_complete",
        |row, points| {
            for op in row.ops.iter().filter(|_| row.counted) {
                points.count(&[op.op.name()], op.requests, op.held);
            }
        },
    ),
    counter(
        "disk_errors_total",
        Unit::None,
        OP,
        "Requests to a disk that failed.",
        "tracepoint block_rq_complete (block_bio_complete where there are no requests)",
        |row, points| {
            for op in row.ops.iter().filter(|_| row.errors_seen) {
                points.count(&[op.op.name()], op.errors, op.held);
            }
        },
    ),
    gauge(
        "disk_queue_length",
        Unit::None,
        &[],
        "Requests under way at a disk.",
        "/proc/diskstats",
        |row, points| {
            if let Some(length) = row.queue_length {
                points.gauge(&[], length as f64);
            }
        },
    ),
    counter(
        "disk_busy_seconds_total",
        Unit::Seconds,
        &[],
        "Time in which a disk had a request under way.",
        "/proc/diskstats",
        |row, points| {
            if let Some(busy) = row.busy_seconds {
                points.counter(&[], busy.seconds, busy.held);
            }
        },
    ),
    gauge(
        "disk_busy_ratio",
        Unit::Ratio,
        &[],
        "Share of the last 10 s in which a disk had a request under way.",
        "/proc/diskstats",
        |row, points| {
            if let Some(ratio) = row.busy_ratio {
                points.gauge(&[], ratio);
            }
        },
    ),
    gauge(
        "disk_throughput_of_best_ratio",
        Unit::Ratio,
        &[],
        "Bytes a disk moved in the last 10 s as a share of the most it moved in 10 s of the last hours: a disk that is busy all the time and far below its best is slow by itself.",
        "/proc/diskstats",
        |row, points| {
            if let Some(ratio) = row.of_best {
                points.gauge(&[], ratio);
            }
        },
    ),
];

/// Whether an operation is charged to services: flushes are not, and blocks given back are a
/// disk's affair.
fn charged(op: &DiskOpRow) -> bool {
    matches!(op.op, DiskOp::Read | DiskOp::Write)
}

/// Every family a [`ServiceDiskRow`] fills.
pub const SERVICE_DISK_FAMILIES: &[Family<ServiceDiskRow>] = &[
    latency(
        "service_disk_io_seconds",
        "Time of a service's requests to all disks from queued to done.",
        COMPLETE,
        |row, points| {
            for op in row.ops.iter().filter(|op| charged(op) && op.io.count() > 0) {
                points.histogram(&[op.op.name()], &op.io, op.held);
            }
        },
    ),
    counter(
        "service_disk_io_bytes_total",
        Unit::Bytes,
        OP,
        "Bytes a service read from and wrote to all disks.",
        "tracepoint block_rq_complete: cgroup of request.bio",
        |row, points| {
            for op in row.ops.iter().filter(|op| charged(op)) {
                points.count(&[op.op.name()], op.bytes, op.held);
            }
        },
    ),
];

/// Every family a [`ProcessDiskRow`] fills.
pub const PROCESS_DISK_FAMILIES: &[Family<ProcessDiskRow>] = &[latency(
    "process_disk_io_seconds",
    "Time of requests to all disks that processes made and wait for, from queued to done (with --process-disk-latency).",
    "tracepoints block_io_start: the task at work, and block_rq_complete: now - request.start_time_ns",
    |row, points| io(&row.ops, points),
)];
