//! The host as a whole: totals, interfaces, time lost to waiting.

use super::{options::EngineOptions, part::Part};
use crate::{
    aggregate::{NamedCounters, NamedRow},
    clock::Moment,
    collect::{
        cgroup::Cgroups,
        host::{disks::DiskTotals, files::HostFiles, interfaces, pressure, vmstat},
    },
    model::{
        BirthGate, Budget, HostTotals, InterfaceRow, Lost, Pressure, RESOURCES, STALLS,
        ServicePressureRow, SourceStatus, Traffic, budget,
    },
};

/// Counters of an interface: four of each direction.
const TRAFFIC: usize = 8;
/// Counters of pressure.
const PRESSURE: usize = RESOURCES.len() * STALLS.len();

/// What a cycle shows.
type Rows = (
    Option<HostTotals>,
    Vec<InterfaceRow>,
    Vec<ServicePressureRow>,
);

/// The families of the host.
pub struct HostStage {
    totals: HostTotals,
    disks: DiskTotals,
    interfaces: NamedCounters<TRAFFIC>,
    services: NamedCounters<PRESSURE>,
    last: Option<Moment>,
    interfaces_degraded: Option<String>,
    page_bytes: u64,
}

impl HostStage {
    /// Nothing is read yet.
    pub fn start(options: &EngineOptions) -> Self {
        Self {
            totals: HostTotals::default(),
            disks: DiskTotals::default(),
            interfaces: NamedCounters::new(
                options.label_sets(budget::INTERFACES),
                options.retention,
            ),
            services: NamedCounters::new(
                options.label_sets(budget::SERVICE_PRESSURES),
                options.retention,
            ),
            last: None,
            interfaces_degraded: None,
            page_bytes: procfs::page_size(),
        }
    }

    /// Reads everything; `cgroups` are those that processes were just found in.
    pub fn cycle(&mut self, at: Moment, files: &HostFiles, cgroups: &Cgroups) {
        let elapsed = self.last.map(|last| at.since(last));
        self.read_totals(files, elapsed);
        self.read_interfaces(at);
        self.last = Some(at);
        self.read_services(at, cgroups);
    }

    fn read_services(&mut self, at: Moment, cgroups: &Cgroups) {
        for (service, paths) in cgroups.live() {
            let Some(directory) = &paths.v2 else { continue };
            let pressure = pressure::of_cgroup(directory);
            if pressure != Pressure::default() {
                let (member, now) = (directory.to_string_lossy(), flatten(&pressure));
                self.services.observe(&member, service, now, false);
            }
        }
        self.services.finish(at);
    }

    fn read_totals(&mut self, files: &HostFiles, elapsed: Option<std::time::Duration>) {
        let vmstat = vmstat::read();
        let bytes = |pages: Option<u64>| pages.map(|pages| pages.saturating_mul(self.page_bytes));
        let memory = files.memory.as_ref();
        let disks = self.disks.update(elapsed);
        self.totals = HostTotals {
            cpus: files.cpu.map(|cpu| cpu.cpus).filter(|cpus| *cpus > 0),
            cpu_ns: files.cpu.map(|cpu| cpu.modes()),
            load: files.load,
            memory: files.memory_types(),
            swap_total: memory.map(|memory| memory.swap_total),
            swap_used: memory.and_then(|memory| memory.swap_total.checked_sub(memory.swap_free)),
            swap_in: bytes(vmstat.swapped_in),
            swap_out: bytes(vmstat.swapped_out),
            oom_kills: vmstat.oom_kills,
            disk_read: disks.then(|| self.disks.read()),
            disk_written: disks.then(|| self.disks.written()),
            disk_busy_ratio: disks.then(|| self.disks.busiest()).flatten(),
            pressure: pressure::of_host(),
        };
    }

    fn read_interfaces(&mut self, at: Moment) {
        let read = match interfaces::read() {
            Ok(read) => read,
            Err(error) => {
                self.interfaces_degraded = Some(format!("/proc/net/dev: {error}"));
                return;
            }
        };
        self.interfaces_degraded = None;
        // One that comes while we watch has all its traffic counted.
        let newborn = self.last.is_some();
        for (name, [received, sent]) in read {
            let counters = [received, sent]
                .map(|way: Traffic| [way.bytes, way.packets, way.errors, way.drops].map(Some));
            // Unused ones take no series: most hosts have some.
            if counters
                .as_flattened()
                .iter()
                .any(|count| *count != Some(0))
            {
                let [received, sent] = counters;
                let mut now = [None; TRAFFIC];
                for (to, from) in now.iter_mut().zip(received.into_iter().chain(sent)) {
                    *to = from;
                }
                self.interfaces.observe(&name, &name, now, newborn);
            }
        }
        self.interfaces.finish(at);
    }

    /// Totals, interfaces, and the time that containers and units lost to waiting.
    pub fn rows(&mut self, sequence: u64, gate: BirthGate) -> Rows {
        let interfaces = self.interfaces.rows(sequence, gate).into_iter();
        let services = self.services.rows(sequence, gate).into_iter();
        let services = services.map(|(service, held, sums)| ServicePressureRow {
            service,
            held,
            pressure: unflatten(&sums),
        });
        (
            Some(self.totals.clone()),
            interfaces.map(interface_row).collect(),
            services.collect(),
        )
    }
}

fn interface_row((name, held, sums): NamedRow<TRAFFIC>) -> InterfaceRow {
    let [rb, rp, re, rd, sb, sp, se, sd] = sums.map(Option::unwrap_or_default);
    let traffic = |bytes, packets, errors, drops| Traffic {
        bytes,
        packets,
        errors,
        drops,
    };
    InterfaceRow {
        name,
        held,
        received: traffic(rb, rp, re, rd),
        sent: traffic(sb, sp, se, sd),
    }
}

fn flatten(pressure: &Pressure) -> [Option<u64>; PRESSURE] {
    let mut flat = [None; PRESSURE];
    flat.copy_from_slice(pressure.as_flattened());
    flat
}

fn unflatten(flat: &[Option<u64>; PRESSURE]) -> Pressure {
    let mut pressure = Pressure::default();
    pressure.as_flattened_mut().copy_from_slice(flat);
    pressure
}

impl Part for HostStage {
    fn sources(&self) -> Vec<SourceStatus> {
        let counted = self.totals.pressure != Pressure::default();
        let degraded = self.interfaces_degraded.clone();
        vec![
            SourceStatus {
                signal: "host",
                source: "procfs",
                degraded,
            },
            SourceStatus {
                signal: "host_pressure",
                // A choice of whoever built or booted the kernel, not a lesser source.
                source: if counted { "procfs" } else { "absent" },
                degraded: None,
            },
        ]
    }

    fn lost(&self) -> Vec<Lost> {
        Vec::new()
    }

    fn budgets(&self) -> Vec<Budget> {
        vec![
            self.interfaces.budget("interface"),
            self.services.budget("service_pressure"),
        ]
    }

    fn held(&self) -> u64 {
        self.interfaces.held() + self.services.held()
    }
}
