//! Families of processes.

use std::borrow::Cow;

use super::{
    Desc, Exposed, Family, Kind, LabelValues, Row, Unit, define::counter, row::SERVICE_NOTE,
    signal_name,
};
use crate::model::{ExitReason, OTHER, ProcessRow};

/// Labels that identify a [`ProcessRow`].
pub const PROCESS_LABELS: &[&str] = &["process", "user", "service"];

impl Row for ProcessRow {
    const AREA: &'static str = "Processes";
    const LABELS: &'static [&'static str] = PROCESS_LABELS;
    const NOTE: &'static str = SERVICE_NOTE;
    const OWNER_SERVICE: Option<&'static str> = Some("service");
    const FAMILIES: &'static [Family<Self>] = PROCESS_FAMILIES;

    fn rows(exposed: Exposed<'_>) -> &[Self] {
        &exposed.snapshot.processes
    }

    fn label_values(&self, values: &mut LabelValues) {
        if self.folded {
            values.repeat(OTHER, PROCESS_LABELS.len());
        } else {
            values.push_str(&self.process);
            values.push_str(&self.user);
            values.push_str(&self.service);
        }
    }

    fn folded(&self) -> bool {
        self.folded
    }
}

/// The value of the label `reason` of `process_exited_total`.
pub fn exit_reason(reason: ExitReason) -> Cow<'static, str> {
    match reason {
        ExitReason::Success => Cow::Borrowed("exit_0"),
        ExitReason::Failure => Cow::Borrowed("exit_nonzero"),
        ExitReason::Signal(number) => signal_name(number).unwrap_or(Cow::Borrowed(OTHER)),
        ExitReason::Oom => Cow::Borrowed("oom"),
        ExitReason::Other => Cow::Borrowed(OTHER),
    }
}

/// Every family a [`ProcessRow`] fills.
pub const PROCESS_FAMILIES: &[Family<ProcessRow>] = &[
    Family {
        desc: Desc {
            name: "process_cpu_seconds_total",
            help: "CPU time, processes included that lived too short to be seen alive.",
            kind: Kind::Counter,
            unit: Unit::Seconds,
            labels: &["mode"],
            source: "task_struct.se.sum_exec_runtime + signal_struct.sum_sched_runtime, split by utime : stime",
        },
        fill: |row, points| {
            points.counter(&["user"], row.user_ns as f64 / 1e9, row.held);
            points.counter(&["system"], row.system_ns as f64 / 1e9, row.held);
        },
    },
    Family {
        desc: Desc {
            name: "process_memory_bytes",
            help: "Memory: anon and swap are sums over the group; file and shmem are its largest process's, as sums would count shared pages once per process.",
            kind: Kind::Gauge,
            unit: Unit::Bytes,
            labels: &["type"],
            source: "/proc/PID/status RssAnon, VmSwap, RssFile, RssShmem",
        },
        fill: |row, points| {
            if let (true, Some(memory)) = (row.live, row.memory) {
                points.gauge(&["anon"], memory.anon as f64);
                points.gauge(&["swap"], memory.swap as f64);
                points.gauge(&["file"], memory.file as f64);
                points.gauge(&["shmem"], memory.shmem as f64);
            }
        },
    },
    Family {
        desc: Desc {
            name: "process_disk_bytes_total",
            help: "Bytes fetched from (read) and sent to (write) storage; writes count when the page is dirtied.",
            kind: Kind::Counter,
            unit: Unit::Bytes,
            labels: &["op"],
            source: "task_io_accounting.read_bytes, write_bytes",
        },
        fill: |row, points| {
            for (op, bytes) in [("read", row.read_bytes), ("write", row.write_bytes)] {
                if let Some(bytes) = bytes {
                    points.count(&[op], bytes, row.held);
                }
            }
        },
    },
    Family {
        desc: Desc {
            name: "process_open_fds",
            help: "Open file descriptors of the group's processes.",
            kind: Kind::Gauge,
            unit: Unit::None,
            labels: &[],
            source: "fdtable.open_fds",
        },
        fill: |row, points| {
            if let (true, Some(fds)) = (row.live, row.open_fds) {
                points.gauge(&[], fds as f64);
            }
        },
    },
    Family {
        desc: Desc {
            name: "process_fd_limit_ratio",
            help: "Open file descriptors / soft limit of the process that is nearest to its limit.",
            kind: Kind::Gauge,
            unit: Unit::Ratio,
            labels: &[],
            source: "fdtable.open_fds / signal_struct.rlim[RLIMIT_NOFILE]",
        },
        fill: |row, points| {
            if let (true, Some(ratio)) = (row.live, row.fd_limit_ratio) {
                points.gauge(&[], ratio);
            }
        },
    },
    Family {
        desc: Desc {
            name: "process_page_faults_total",
            help: "Page faults; a major one waited for storage.",
            kind: Kind::Counter,
            unit: Unit::None,
            labels: &["type"],
            source: "task_struct.min_flt, maj_flt + signal_struct",
        },
        fill: |row, points| {
            points.count(&["minor"], row.minor_faults, row.held);
            points.count(&["major"], row.major_faults, row.held);
        },
    },
    Family {
        desc: Desc {
            name: "process_context_switches_total",
            help: "Context switches: voluntary = waited, involuntary = preempted.",
            kind: Kind::Counter,
            unit: Unit::None,
            labels: &["type"],
            source: "task_struct.nvcsw, nivcsw + signal_struct",
        },
        fill: |row, points| {
            for (kind, switches) in [
                ("voluntary", row.voluntary_switches),
                ("involuntary", row.involuntary_switches),
            ] {
                if let Some(switches) = switches {
                    points.count(&[kind], switches, row.held);
                }
            }
        },
    },
    counter(
        "process_run_delay_seconds_total",
        Unit::Seconds,
        &[],
        "Time that runnable threads waited for a CPU.",
        "task_struct.sched_info.run_delay + taskstats.cpu_delay_total of threads that ended",
        |row, points| {
            if let Some(delay) = row.run_delay_ns {
                points.counter(&[], delay as f64 / 1e9, row.held);
            }
        },
    ),
    counter(
        "process_block_delay_seconds_total",
        Unit::Seconds,
        &[],
        "Time that threads waited for storage; absent for processes that began while kernel.task_delayacct was 0.",
        "task_delay_info.blkio_delay + taskstats.blkio_delay_total of threads that ended",
        |row, points| {
            if let Some(delay) = row.block_delay_ns {
                points.counter(&[], delay as f64 / 1e9, row.held);
            }
        },
    ),
    Family {
        desc: Desc {
            name: "process_processes",
            help: "Processes now.",
            kind: Kind::Gauge,
            unit: Unit::None,
            labels: &[],
            source: "walk over all tasks",
        },
        fill: |row, points| {
            if row.live {
                points.gauge(&[], row.processes as f64);
            }
        },
    },
    Family {
        desc: Desc {
            name: "process_threads",
            help: "Threads of all processes now.",
            kind: Kind::Gauge,
            unit: Unit::None,
            labels: &[],
            source: "signal_struct.nr_threads",
        },
        fill: |row, points| {
            if row.live {
                points.gauge(&[], row.threads as f64);
            }
        },
    },
    Family {
        desc: Desc {
            name: "process_oldest_start_time_seconds",
            help: "Start of the oldest process, seconds since the epoch.",
            kind: Kind::Gauge,
            unit: Unit::Seconds,
            labels: &[],
            source: "task_struct.start_boottime",
        },
        fill: |row, points| {
            if let (true, Some(start)) = (row.live, row.oldest_start_seconds) {
                points.gauge(&[], start);
            }
        },
    },
    Family {
        desc: Desc {
            name: "process_started_total",
            help: "Processes that started.",
            kind: Kind::Counter,
            unit: Unit::None,
            labels: &[],
            source: "walk over all tasks, sched_process_free",
        },
        fill: |row, points| points.count(&[], row.started, row.held),
    },
    Family {
        desc: Desc {
            name: "process_exited_total",
            help: "Processes that ended, by reason: exit_0, exit_nonzero, the name of the signal, oom (killed as memory ran out), or other.",
            kind: Kind::Counter,
            unit: Unit::None,
            labels: &["reason"],
            source: "task_struct.exit_code, signal_struct.oom_mm at sched_process_free",
        },
        fill: |row, points| {
            for &(reason, ends, held) in row.exited.iter().flatten() {
                points.count(&[&exit_reason(reason)], ends, held);
            }
        },
    },
    counter(
        "oom_kills_total",
        Unit::None,
        &[],
        "Processes killed because memory ran out, of the host or of their cgroup.",
        "signal_struct.oom_mm at sched_process_free",
        |row, points| {
            let exits = row.exited.iter().flatten();
            for &(_, kills, held) in exits.filter(|exit| exit.0 == ExitReason::Oom) {
                points.count(&[], kills, held);
            }
        },
    ),
];
