//! Flags shared by the commands, and those of the agent.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::values::{self, Switch};
use crate::{
    aggregate::{Networks, OwnNetwork},
    config::{ConfigError, LiveConfig},
    engine::{EbpfMode, EngineOptions, RttSource},
    expose::ListenAddress,
    model::ResponseMode,
    request::ResponseRequest,
};

/// Peers exported by name, per direction.
const PEERS: u32 = 100;
/// Process groups exported by name.
const PROCESSES: u32 = 300;
/// As many as anyone may ask for.
const ALL: u32 = 100_000;

/// What to collect and how to group it.
#[derive(Args, Clone, Debug)]
pub struct CollectOptions {
    /// Use kernel programs: where they load, always (or fail), or never
    #[arg(long, value_enum, default_value_t, value_name = "MODE")]
    pub ebpf: EbpfMode,

    /// Pass diagnostics of the kernel programs on to the log
    #[arg(long)]
    pub ebpf_log: bool,

    /// Name processes by the rules in this YAML file
    ///
    /// The agent reads it again on SIGHUP and on POST /-/reload.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Show the addresses of this network one by one; all others are folded into "other"
    ///
    /// Added to private, link-local, loopback, unique-local and carrier-grade NAT ranges; the
    /// word none clears what came before it. Repeatable.
    #[arg(long = "own-network", value_name = "CIDR|none")]
    pub own_networks: Vec<OwnNetwork>,

    /// Where round-trip times come from: one smoothed sample per connection and cycle, or every
    /// acknowledgement's (costs something for each segment received)
    #[arg(long, value_enum, default_value_t, value_name = "SOURCE")]
    pub rtt_source: RttSource,

    /// Watch how long peers take to answer, and we to answer them: time to the first byte
    ///
    /// A small program then runs for each segment received. In top it can be turned on and off
    /// by a key.
    #[arg(long, value_enum, default_value_t, value_name = "off|on|auto")]
    pub response_time: ResponseMode,

    /// What that may cost, as a share of a core (1% or 0.01): above it, it is turned off for a
    /// while, unless it is to be on always
    #[arg(long, default_value = "1%", value_name = "SHARE", value_parser = values::share_of_core)]
    pub response_budget: f64,

    /// Peers shown by name, per direction; the lightest are folded into "other" [default: 100, in
    /// top 100000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub peer_budget: Option<u32>,

    /// Process groups shown by name; the lightest are folded into "other" [default: 300, in top
    /// 100000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub process_budget: Option<u32>,

    /// Watch name resolution: who asks whom, how long it takes, what fails
    ///
    /// Every packet of the host then passes a small program that looks for port 53.
    #[arg(long)]
    pub dns: bool,

    /// Tell processes apart that wait for disks: how long their reads and synchronous writes take
    ///
    /// Two small programs more then run for each request to a disk. Needs a kernel from 6.5 on.
    #[arg(long)]
    pub process_disk_latency: bool,

    /// Leave out the families about the host as a whole (host_*, service_pressure_*)
    ///
    /// For hosts where another exporter, such as node_exporter, tells them.
    #[arg(long)]
    pub no_host: bool,

    /// Tell TCP peers apart by process and user: labels "process" and "user" on the families of
    /// peers (RTT, bytes, connections by state)
    ///
    /// Each process group that talks to a peer takes a place of the peer budget of its own, so
    /// the budget names fewer peers.
    #[arg(long)]
    pub tcp_process_label: bool,

    /// Tell owners apart by the container or systemd unit they belong to: label "service" on all
    /// families of processes and listeners
    #[arg(
        long,
        value_enum,
        default_value = "on",
        value_name = "on|off",
        hide_possible_values = true
    )]
    pub service_label: Switch,

    /// Size of each ring buffer, bytes
    #[arg(long, value_name = "BYTES", value_parser = values::ring_bytes, hide = true)]
    pub ring_bytes: Option<u32>,
}

impl CollectOptions {
    /// Settings of an engine, with single connections and processes if `details`.
    ///
    /// # Errors
    /// The configuration file is not understood: its name, the line and the cure.
    pub fn engine(&self, details: bool) -> Result<EngineOptions, ConfigError> {
        // Who looks by hand wants the culprit, whatever its place; series cost nothing there.
        let budget = |exported: u32| if details { ALL } else { exported };
        let config = self.config.clone().map(LiveConfig::open).transpose()?;
        Ok(EngineOptions {
            config,
            ebpf: self.ebpf,
            ebpf_log: self.ebpf_log,
            rtt_source: self.rtt_source,
            response_mode: self.response_time,
            response_budget: self.response_budget,
            response_request: ResponseRequest::default(),
            networks: Networks::from_options(&self.own_networks),
            peer_budget: self.peer_budget.unwrap_or(budget(PEERS)) as usize,
            process_budget: self.process_budget.unwrap_or(budget(PROCESSES)) as usize,
            dns: self.dns,
            process_disk_latency: self.process_disk_latency,
            host: !self.no_host,
            retention: Duration::from_secs(15 * 60),
            ring_bytes: self.ring_bytes,
            tcp_process_label: self.tcp_process_label,
            service_label: self.service_label == Switch::On,
            details,
        })
    }
}

/// What to log.
#[derive(Args, Clone, Debug)]
pub struct LogOptions {
    /// Log this level and above: error, warn, info, debug, trace
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<tracing::Level>,
}

impl LogOptions {
    /// Starts logging to standard error; `default` where no level was given.
    pub fn start(&self, default: &str) {
        let level = self
            .log_level
            .map_or_else(|| default.to_owned(), |level| level.to_string());
        let filter = tracing_subscriber::EnvFilter::new(level);
        // Only a second start could fail, and then the first one's settings stand.
        let _ = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_target(false)
            .try_init();
    }
}

/// Flags of `hostlens agent`.
#[derive(Args, Clone, Debug)]
pub struct AgentOptions {
    /// Address and port to serve on, or unix:/PATH for a unix socket; repeatable
    ///
    /// On others than loopback, demand TLS and a password or client certificates with
    /// --web.config.file. Sockets that systemd hands over are used instead.
    #[arg(
        long,
        value_name = "ADDRESS:PORT|unix:/PATH",
        default_value = "127.0.0.1:10477"
    )]
    pub listen: Vec<ListenAddress>,

    /// TLS, passwords and headers of the server: the web configuration file of Prometheus'
    /// exporters
    ///
    /// Changes of it, and of the certificates it names, are in force at once.
    #[arg(long = "web.config.file", value_name = "FILE")]
    pub web_config_file: Option<PathBuf>,

    /// Time between two cycles (200ms to 10m)
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = values::interval)]
    pub interval: Duration,

    /// Series exposed at most, all families together
    #[arg(long, value_name = "N", default_value_t = 25_000, value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    pub series_limit: u32,

    /// How long the counters of a group that ended stay exposed (0s to 24h)
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = values::retention)]
    pub series_retention: Duration,

    /// What to collect
    #[command(flatten)]
    pub collect: CollectOptions,

    /// What to log
    #[command(flatten)]
    pub log: LogOptions,
}
