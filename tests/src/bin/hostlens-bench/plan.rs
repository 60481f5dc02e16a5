//! Which loads, which measurements, in which order.

use std::time::Duration;

use anyhow::ensure;
use clap::{Args, ValueEnum};
use hostlens::{
    aggregate::Networks,
    engine::{EbpfMode, Engine, EngineOptions, RttSource},
    model::ResponseMode,
    request::ResponseRequest,
};

use super::{
    cycle::{self, Growth},
    encode,
    helper::Helper,
    listeners, memory, namespaces, pingpong, programs,
    report::Report,
    response,
};

/// What to measure.
#[derive(Args, Debug)]
pub struct Options {
    /// Loads: 1k sockets + 200 processes, 50k + 10k, or both with 10k + 2k between
    #[arg(long, value_enum, default_value_t = Size::Small)]
    size: Size,
    /// Only these measurements
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Passes of each measurement
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub passes: u32,
    /// Per cent of the connections and processes that do something between two passes
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=100))]
    active: u32,
    /// Whether cycles and agents whose memory is measured watch times to first byte
    #[arg(long, value_enum, default_value_t)]
    pub response_time: ResponseMode,
    /// Connections per pair of addresses
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    share: u32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Size {
    Small,
    Large,
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// CPU time of a cycle, and of other programs for the same facts
    Cycle,
    /// Time per series
    Encode,
    /// Resident memory of an agent
    Memory,
    /// A cycle over 100 network namespaces
    Namespaces,
    /// Time per run of each kernel program
    Programs,
    /// A poll of 1,000 listening sockets
    Listeners,
    /// Round trips and bulk traffic with and without an agent
    Pingpong,
    /// Times to first byte: per run, per turn, and requests a second until auto gives up
    Response,
}

/// A load of sockets and processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// How it is called in the table.
    pub name: &'static str,
    /// Sockets: both ends of half as many connections.
    pub sockets: u32,
    /// Processes.
    pub processes: u32,
}

/// 1k sockets, 200 processes.
pub const SMALL: Scale = scale("1k + 200", 1_000, 200);
/// 10k sockets, 2k processes.
pub const MEDIUM: Scale = scale("10k + 2k", 10_000, 2_000);
/// 50k sockets, 10k processes.
pub const LARGE: Scale = scale("50k + 10k", 50_000, 10_000);

const fn scale(name: &'static str, sockets: u32, processes: u32) -> Scale {
    Scale {
        name,
        sockets,
        processes,
    }
}

/// Connections one helper can hold both ends of, within 20,000 descriptors.
const PER_HELPER: u32 = 9_000;

/// A load that is being held.
pub struct Held(Vec<Helper>);

impl Held {
    fn start(scale: Scale, options: &Options) -> anyhow::Result<Self> {
        eprintln!("load {}", scale.name);
        let Options { active, share, .. } = options;
        let connections = scale.sockets / 2;
        let mut helpers = Vec::new();
        for first in (0..connections).step_by(PER_HELPER as usize) {
            let count = PER_HELPER.min(connections - first);
            let arguments = format!(
                "sockets --first {first} --connections {count} --share {share} --active {active}"
            );
            helpers.push(Helper::launch(&arguments, None)?);
        }
        // Groups of 25 at every size: on a host, more processes are mostly more of the same.
        let names = (scale.processes / 25).max(1);
        let processes = scale.processes;
        let arguments =
            format!("sleepers --processes {processes} --names {names} --active {active}");
        helpers.push(Helper::launch(&arguments, None)?);
        for helper in &mut helpers {
            helper.await_ready()?;
        }
        Ok(Self(helpers))
    }

    /// Makes the active part of the load do something, and lets it settle.
    pub fn stir(&mut self) -> anyhow::Result<()> {
        for helper in &mut self.0 {
            helper.ask("round")?;
        }
        std::thread::sleep(Duration::from_millis(100));
        Ok(())
    }
}

/// An engine as `hostlens agent` starts it.
pub fn engine(ebpf: EbpfMode) -> anyhow::Result<Engine> {
    Engine::start(&options(ebpf))
}

/// Its settings.
pub fn options(ebpf: EbpfMode) -> EngineOptions {
    EngineOptions {
        service_label: true,
        config: None,
        ebpf,
        ebpf_log: false,
        rtt_source: RttSource::Walk,
        response_mode: ResponseMode::Off,
        response_budget: 0.01,
        response_request: ResponseRequest::default(),
        networks: Networks::default(),
        peer_budget: 100,
        process_budget: 300,
        dns: false,
        process_disk_latency: false,
        retention: Duration::from_secs(15 * 60),
        ring_bytes: None,
        tcp_process_label: false,
        host: true,
        details: false,
    }
}

/// Measures and prints the table.
///
/// # Errors
/// A load cannot be had, or hostlens itself does not start.
pub fn run(options: &Options) -> anyhow::Result<()> {
    ensure!(nix::unistd::geteuid().is_root(), "needs root");
    let wants = |part| options.only.is_empty() || options.only.contains(&part);
    let passes = options.passes as usize;
    let mut report = Report::default();
    let scales: &[Scale] = match options.size {
        Size::Small => &[SMALL],
        Size::Large => &[LARGE],
        Size::All => &[SMALL, MEDIUM, LARGE],
    };
    let mut growth = Growth::default();
    let loaded = [Part::Cycle, Part::Encode, Part::Memory];
    for &scale in scales.iter().filter(|_| loaded.into_iter().any(wants)) {
        let mut load = Held::start(scale, options)?;
        if wants(Part::Cycle) {
            cycle::measure(scale, &mut load, options, &mut growth, &mut report)?;
        }
        if wants(Part::Encode) && Some(&scale) == scales.last() {
            encode::measure(&mut load, passes, &mut report)?;
        }
        if wants(Part::Memory) && scale != MEDIUM {
            memory::measure(scale, &mut load, options.response_time, &mut report)?;
        }
    }
    growth.judge(&mut report);
    if wants(Part::Namespaces) {
        namespaces::measure(passes, &mut report)?;
    }
    if wants(Part::Programs) {
        programs::measure(&mut report)?;
    }
    if wants(Part::Listeners) {
        listeners::measure(passes, &mut report)?;
    }
    if wants(Part::Pingpong) {
        pingpong::measure(passes, &mut report)?;
    }
    if wants(Part::Response) {
        response::measure(passes, &mut report)?;
    }
    report.print();
    match report.missed() {
        0 => println!("\nno target missed"),
        missed => println!("\ntargets missed: {missed}"),
    }
    Ok(())
}
