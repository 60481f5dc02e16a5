//! Families of the host as a whole.

use super::{
    Exposed, Family, LabelValues, Points, Row, Unit,
    define::{counter, gauge},
};
use crate::model::{
    CPU_MODES, HostTotals, InterfaceRow, MEMORY_TYPES, OTHER, Pressure, RESOURCES, STALLS,
    ServicePressureRow, Traffic,
};

impl Row for HostTotals {
    const AREA: &'static str = "Host";
    const LABELS: &'static [&'static str] = &[];
    const NOTE: &'static str = "Left out with `--no-host`.";
    const FAMILIES: &'static [Family<Self>] = HOST_FAMILIES;

    fn rows(exposed: Exposed<'_>) -> &[Self] {
        exposed.snapshot.host_totals.as_slice()
    }

    fn label_values(&self, _values: &mut LabelValues) {}
}

/// A counter of the kernel's own, never held back: it was there before we came.
fn count(points: &mut dyn Points, labels: &[&str], value: Option<u64>) {
    if let Some(value) = value {
        points.count(labels, value, false);
    }
}

fn pressure(points: &mut dyn Points, pressure: &Pressure, held: bool) {
    for (resource, stalls) in RESOURCES.iter().zip(pressure) {
        for (stall, waited) in STALLS.iter().zip(stalls) {
            if let Some(us) = waited {
                points.counter(&[resource, stall], *us as f64 / 1e6, held);
            }
        }
    }
}

/// Every family [`HostTotals`] fill.
pub const HOST_FAMILIES: &[Family<HostTotals>] = &[
    gauge(
        "host_cpus",
        Unit::None,
        &[],
        "Online CPUs.",
        "/proc/stat",
        |host, points| {
            if let Some(cpus) = host.cpus {
                points.gauge(&[], cpus as f64);
            }
        },
    ),
    counter(
        "host_cpu_seconds_total",
        Unit::Seconds,
        &["mode"],
        "CPU time of the host, all CPUs together; time in guests is part of user and nice.",
        "/proc/stat",
        |host, points| {
            for (mode, ns) in CPU_MODES.iter().zip(host.cpu_ns.iter().flatten()) {
                points.counter(&[mode], *ns as f64 / 1e9, false);
            }
        },
    ),
    gauge(
        "host_load",
        Unit::None,
        &["window"],
        "Load average: tasks that run, want to, or wait uninterruptibly.",
        "/proc/loadavg",
        |host, points| {
            for (window, load) in ["1m", "5m", "15m"].iter().zip(host.load.iter().flatten()) {
                points.gauge(&[window], *load);
            }
        },
    ),
    gauge(
        "host_memory_bytes",
        Unit::Bytes,
        &["type"],
        "Memory: total is all there is, available what programs could still get; the other types are some of its uses and do not add up.",
        "/proc/meminfo",
        |host, points| {
            for (kind, bytes) in MEMORY_TYPES.iter().zip(host.memory.iter().flatten()) {
                if let Some(bytes) = bytes {
                    points.gauge(&[kind], *bytes as f64);
                }
            }
        },
    ),
    gauge(
        "host_swap_bytes",
        Unit::Bytes,
        &["type"],
        "Swap space: total and used.",
        "/proc/meminfo SwapTotal, SwapFree",
        |host, points| {
            for (kind, bytes) in [("total", host.swap_total), ("used", host.swap_used)] {
                if let Some(bytes) = bytes {
                    points.gauge(&[kind], bytes as f64);
                }
            }
        },
    ),
    counter(
        "host_swap_io_bytes_total",
        Unit::Bytes,
        &["op"],
        "Bytes read from swap (in) and written to it (out).",
        "/proc/vmstat pswpin, pswpout",
        |host, points| {
            count(points, &["in"], host.swap_in);
            count(points, &["out"], host.swap_out);
        },
    ),
    counter(
        "host_oom_kills_total",
        Unit::None,
        &[],
        "Processes killed because memory ran out, of the host or of a cgroup, as the kernel counts them.",
        "/proc/vmstat oom_kill",
        |host, points| count(points, &[], host.oom_kills),
    ),
    counter(
        "host_disk_bytes_total",
        Unit::Bytes,
        &["op"],
        "Bytes read from and written to all disks; what is stacked on them is not counted again.",
        "/proc/diskstats of devices with hardware behind them",
        |host, points| {
            count(points, &["read"], host.disk_read);
            count(points, &["write"], host.disk_written);
        },
    ),
    gauge(
        "host_disk_utilization_ratio",
        Unit::Ratio,
        &[],
        "Share of the last cycle in which the busiest disk had something to do.",
        "/proc/diskstats of devices with hardware behind them",
        |host, points| {
            if let Some(ratio) = host.disk_busy_ratio {
                points.gauge(&[], ratio);
            }
        },
    ),
    counter(
        "host_pressure_waiting_seconds_total",
        Unit::Seconds,
        &["resource", "type"],
        "Time in which some of the tasks, or all that had work (full), waited for a resource; absent where the kernel does not count it (psi=1).",
        "/proc/pressure",
        |host, points| pressure(points, &host.pressure, false),
    ),
];

impl Row for InterfaceRow {
    const AREA: &'static str = "Network interfaces";
    const LABELS: &'static [&'static str] = &["interface"];
    const NOTE: &'static str = "Left out with `--no-host`. Interfaces of the agent's network namespace that ever carried a packet.";
    const FAMILIES: &'static [Family<Self>] = INTERFACE_FAMILIES;

    fn rows(exposed: Exposed<'_>) -> &[Self] {
        &exposed.snapshot.interfaces
    }

    fn label_values(&self, values: &mut LabelValues) {
        values.push_str(self.name.as_deref().unwrap_or(OTHER));
    }

    fn folded(&self) -> bool {
        self.name.is_none()
    }
}

fn both_ways(row: &InterfaceRow, points: &mut dyn Points, value: fn(&Traffic) -> u64) {
    points.count(&["receive"], value(&row.received), row.held);
    points.count(&["transmit"], value(&row.sent), row.held);
}

/// Every family an [`InterfaceRow`] fills.
pub const INTERFACE_FAMILIES: &[Family<InterfaceRow>] = &[
    counter(
        "host_network_bytes_total",
        Unit::Bytes,
        &["op"],
        "Bytes received and transmitted by the interface.",
        "/proc/net/dev",
        |row, points| both_ways(row, points, |traffic| traffic.bytes),
    ),
    counter(
        "host_network_packets_total",
        Unit::None,
        &["op"],
        "Packets received and transmitted by the interface.",
        "/proc/net/dev",
        |row, points| both_ways(row, points, |traffic| traffic.packets),
    ),
    counter(
        "host_network_errors_total",
        Unit::None,
        &["op"],
        "Packets with errors, by the interface.",
        "/proc/net/dev",
        |row, points| both_ways(row, points, |traffic| traffic.errors),
    ),
    counter(
        "host_network_drops_total",
        Unit::None,
        &["op"],
        "Packets dropped by the interface or its driver.",
        "/proc/net/dev",
        |row, points| both_ways(row, points, |traffic| traffic.drops),
    ),
];

impl Row for ServicePressureRow {
    const AREA: &'static str = "Waiting by container and unit";
    const LABELS: &'static [&'static str] = &["service"];
    const NOTE: &'static str = "Left out with `--no-host`. Of cgroups of the v2 hierarchy; those of v1 have no such figures.";
    const FAMILIES: &'static [Family<Self>] = SERVICE_PRESSURE_FAMILIES;

    fn rows(exposed: Exposed<'_>) -> &[Self] {
        &exposed.snapshot.service_pressure
    }

    fn label_values(&self, values: &mut LabelValues) {
        values.push_str(self.service.as_deref().unwrap_or(OTHER));
    }

    fn folded(&self) -> bool {
        self.service.is_none()
    }
}

/// Every family a [`ServicePressureRow`] fills.
pub const SERVICE_PRESSURE_FAMILIES: &[Family<ServicePressureRow>] = &[counter(
    "service_pressure_waiting_seconds_total",
    Unit::Seconds,
    &["resource", "type"],
    "Time in which some of the service's tasks, or all that had work (full), waited for a resource; of several cgroups the sum.",
    "*.pressure of its v2 cgroups",
    |row, points| pressure(points, &row.pressure, row.held),
)];
