//! Drives the flow once per cycle: sources → aggregate → snapshot. One thread does all of it, so
//! nothing here is locked; what others see is the published snapshot.

mod connect;
mod cross_check;
mod disk;
mod disk_process;
mod dns;
mod door;
mod host;
mod limit;
mod options;
mod own;
mod part;
mod process;
mod response;
mod room;
mod runner;
mod stages;
mod swap;
mod swap_rates;
mod tcp;
mod tcp_report;
mod tcp_source;

use std::time::Duration;

use anyhow::Context as _;

use crate::{
    clock::Moment,
    collect::{
        disk::process as disk_process_source,
        host::{files::HostFiles, overview::OverviewReader},
        tcp::ack,
    },
    config::LiveConfig,
    kernel::{self, Kernel},
    model::{BirthGate, Snapshot},
};

pub use options::{EbpfMode, EngineOptions, RttSource};
pub use runner::{Gate, Runner};

use cross_check::CrossChecks;
use disk::DiskStage;
use dns::DnsStage;
use door::DoorStage;
use host::HostStage;
use limit::LimitStage;
use own::OwnReader;
use part::Part;
use process::ProcessStage;
use response::ResponseStage;
use room::RoomStage;
use stages::Stages;
use swap::SwapStage;
use tcp::TcpStage;

/// The io controller's name in v1 hierarchies.
const BLOCK_CONTROLLER: &str = "blkio";

/// Leaves out the programs of what was not asked for.
fn leave_out(mut kernel: Kernel, options: &EngineOptions) -> Kernel {
    if options.rtt_source == RttSource::Walk {
        kernel = kernel.without(&ack::PROGRAMS, &ack::MAPS);
    }
    if !options.process_disk_latency {
        kernel = kernel.without(&disk_process_source::PROGRAMS, &disk_process_source::MAPS);
    }
    kernel
}

/// Sources, aggregation and what they need between cycles.
pub struct Engine {
    tcp: TcpStage,
    response: ResponseStage,
    process: ProcessStage,
    swap: SwapStage,
    disks: DiskStage,
    door: DoorStage,
    limits: LimitStage,
    /// Only if asked for.
    dns: Option<DnsStage>,
    room: RoomStage,
    overview: OverviewReader,
    /// Unless left out.
    host: Option<HostStage>,
    checks: CrossChecks,
    own: OwnReader,
    config: Option<LiveConfig>,
    service_label: bool,
    stages: Stages,
    sequence: u64,
    failed_cycles: u64,
    last: Option<Moment>,
}

impl Engine {
    /// Loads programs as far as wanted and possible, chooses each signal's source.
    ///
    /// # Errors
    /// `--ebpf on` and some program does not run: one line names it and the reason.
    pub fn start(options: &EngineOptions) -> anyhow::Result<Self> {
        anyhow::ensure!(
            !(options.tcp_process_label && options.rtt_source == RttSource::Ack),
            "--rtt-source ack cannot tell processes apart: leave out --tcp-process-label, or use \
             --rtt-source walk"
        );
        kernel::keep_small();
        let kernel = match options.ebpf {
            EbpfMode::Off => Err("switched off (--ebpf off)".to_owned()),
            EbpfMode::Auto | EbpfMode::On => Kernel::probe(options.ebpf_log)
                .map(|kernel| leave_out(kernel, options))
                .map_err(|error| format!("{error:#}")),
        };
        let mut tcp = TcpStage::start(&kernel, options);
        let response = ResponseStage::start(&mut tcp, options);
        let process = ProcessStage::start(&kernel, options);
        let swap = SwapStage::start(&kernel, options);
        let disks = DiskStage::start(&kernel, options);
        let dns = options.dns.then(|| DnsStage::start(&kernel, options));
        let limits = LimitStage::start(&kernel, options);
        drop(kernel);
        // Type information is tens of MB, needed once.
        kernel::give_back();
        let engine = Self {
            tcp,
            response,
            process,
            swap,
            disks,
            door: DoorStage::start(options),
            limits,
            dns,
            room: RoomStage::start(options),
            overview: OverviewReader::default(),
            host: options.host.then(|| HostStage::start(options)),
            checks: CrossChecks::default(),
            own: OwnReader,
            config: options.config.clone(),
            service_label: options.service_label,
            stages: Stages::default(),
            sequence: 0,
            failed_cycles: 0,
            last: None,
        };
        if options.ebpf == EbpfMode::On {
            engine
                .refuse_fallbacks()
                .context("--ebpf on: not everything runs in the kernel")?;
        }
        Ok(engine)
    }

    fn refuse_fallbacks(&self) -> anyhow::Result<()> {
        for source in self.parts().flat_map(Part::sources) {
            if let (true, Some(why)) = (
                source.signal.ends_with("live")
                    || source.signal.ends_with("ended")
                    || ["tcp_rtt", "response_time"].contains(&source.signal),
                source.degraded,
            ) {
                anyhow::bail!(
                    "{}: {why}; run as root (or with CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN and \
                     CAP_SYS_ADMIN), or use --ebpf auto",
                    source.signal
                );
            }
        }
        Ok(())
    }

    /// All parts, in the order in which their signals are listed.
    fn parts(&self) -> impl Iterator<Item = &dyn Part> {
        let always: Vec<&dyn Part> = vec![
            &self.tcp,
            &self.response,
            &self.door,
            &self.process,
            &self.swap,
            &self.disks,
            &self.limits,
            &self.room,
        ];
        let dns = self.dns.as_ref().map(|dns| dns as &dyn Part);
        let host = self.host.as_ref().map(|host| host as &dyn Part);
        always.into_iter().chain(dns).chain(host)
    }

    /// Takes over what ended since the last call and polls listeners; to be called often enough
    /// that ring buffers do not fill up and bursts are seen (every 80 ms).
    pub fn drain(&mut self) {
        self.process.drain();
        self.swap.poll();
        self.tcp.drain(self.process.table());
        self.response.drain(&mut self.tcp);
        self.door.poll(&mut self.tcp);
        if let Some(dns) = &mut self.dns {
            dns.drain(self.process.table());
        }
    }

    /// One cycle.
    pub fn cycle(&mut self, gate: BirthGate) -> Snapshot {
        let at = Moment::now();
        self.stages.begin();
        let files = HostFiles::read();
        let host = self.overview.read(&files);
        self.room.ask(at);
        self.disks.collect();
        let mut failures = Vec::new();
        let swap = &mut self.swap;
        failures.extend(
            self.process
                .cycle(at, |table| swap.collect(table), &mut self.stages),
        );
        swap.changes(self.process.swap_changes());
        swap.cycle(self.process.identity());
        self.stages.mark("swap");
        failures.extend(self.tcp.cycle(
            at,
            self.process.namespaces(),
            self.process.table(),
            &mut self.stages,
        ));
        self.response.cycle();
        self.stages.mark("response_time");
        self.door.poll(&mut self.tcp);
        self.stages.skip();
        self.door.cycle(&self.tcp, &self.process, &mut self.stages);
        if let Some(dns) = &mut self.dns {
            dns.cycle(self.process.table());
            self.stages.mark("dns");
        }
        self.limits.cycle(&mut self.process, &mut self.stages);
        let named = self.service_label;
        let cgroups = self.process.identity().1;
        failures.extend(self.disks.cycle(|cgroup| match named {
            true => cgroups.service_in(BLOCK_CONTROLLER, cgroup),
            false => "".into(),
        }));
        self.disks.name(self.process.table());
        self.stages.mark("disk");
        self.room.cycle();
        self.stages.mark("filesystem");
        for failure in &failures {
            tracing::warn!("{failure}");
        }
        self.failed_cycles += u64::from(!failures.is_empty());
        self.checks.compare(
            at,
            &self.process,
            &self.tcp,
            self.disks.table().totals(),
            self.swap.balance(),
        );
        if let Some(host) = &mut self.host {
            host.cycle(at, &files, self.process.identity().1);
        }
        self.stages.mark("host");

        self.sequence += 1;
        let peers = self.tcp.rows(self.sequence, gate);
        let services = self.tcp.services(self.sequence, gate);
        let connect_failures = self.tcp.failures(self.sequence, gate);
        let upstreams = self.tcp.upstreams();
        let responses = self.response.rows(self.sequence, gate);
        let table = self.door.table();
        let listener_turns = self.response.listeners(self.sequence, gate, table);
        let port_use = self.tcp.port_use();
        let listeners = self.door.rows(self.sequence, gate);
        let limits = self.limits.rows(&listeners, &port_use, self.room.rows());
        let refused = self.door.refused(self.sequence, gate);
        let mut processes = self.process.rows(self.sequence, gate);
        let swap = self.swap.rows(self.sequence, gate);
        let disks = self.disks.rows(self.sequence, gate);
        let service_disks = self.disks.services(self.sequence, gate);
        let process_disks = self.disks.processes(self.sequence, gate);
        let dns = self.dns.as_mut();
        let dns = dns.map_or_else(Vec::new, |dns| dns.rows(self.sequence, gate));
        let (host_totals, interfaces, service_pressure) = match &mut self.host {
            Some(host) => host.rows(self.sequence, gate),
            None => Default::default(),
        };
        let connections = self.tcp.connections();
        let mut members = self.process.members();
        self.swap.tell(&swap, &mut processes, &mut members);
        let jobs = self.process.jobs(&members);
        self.stages.mark("snapshot");

        let interval = self.last.map_or(Duration::ZERO, |last| at.since(last));
        self.last = Some(at);
        let mut own = self.own.read();
        own.cycles = self.sequence;
        own.failed_cycles = self.failed_cycles;
        own.stages = self.stages.finish();
        for part in self.parts() {
            part::report(part, &mut own);
        }
        own.cross_checks = self.checks.results();
        own.config = self.config.as_ref().map(LiveConfig::status);
        own.response_time = self.response.status();
        own.scope = self.tcp.scope();
        own.scope.processes = self.process.tracked();
        own.scope.memory_pending = self.process.memory_pending();
        Snapshot {
            interval,
            host,
            host_totals,
            interfaces,
            service_pressure,
            peers,
            responses,
            response_exclusions: self.response.exclusions(),
            listener_turns,
            listeners,
            refused,
            listen_settings: self.door.settings(),
            services,
            failures: connect_failures,
            upstreams,
            port_use,
            service_label: self.service_label,
            processes,
            swap,
            swap_unattributed: self.swap.unattributed(),
            dns,
            disks,
            service_disks,
            process_disks,
            limits,
            fds: self.limits.fds(),
            filesystems: self.room.rows().to_vec(),
            connections,
            members,
            jobs,
            own,
            ..Snapshot::empty(self.sequence, at.wall)
        }
    }
}
