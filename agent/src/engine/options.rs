//! What an engine is started with.

use std::time::Duration;

use crate::{
    aggregate::Networks, config::LiveConfig, model::ResponseMode, request::ResponseRequest,
};

/// Whether kernel programs are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum EbpfMode {
    /// Where they load; where not, fall back and say so
    #[default]
    Auto,
    /// Fail if one does not load
    On,
    /// Never: netlink and /proc alone
    Off,
}

impl EbpfMode {
    /// Logs that a better source is not used: a warning unless that was asked for.
    pub(super) fn announce(self, signal: &str, why: &str) {
        if self == Self::Off {
            tracing::info!("{signal}: {why}");
        } else {
            tracing::warn!("{signal}: {why}");
        }
    }
}

/// Where round-trip times come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum RttSource {
    /// One smoothed sample per connection and cycle, from the walk over sockets
    #[default]
    Walk,
    /// Every acknowledgement's, from a kernel program that runs for each segment received
    Ack,
}

/// As many label sets as anyone may ask for: who looks by hand wants the culprit, whatever its
/// place, and series cost nothing there.
const ALL: usize = 100_000;

/// Settings of an engine.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Use of kernel programs.
    pub ebpf: EbpfMode,
    /// Pass diagnostics of kernel programs on to the log.
    pub ebpf_log: bool,
    /// Source of round-trip times.
    pub rtt_source: RttSource,
    /// When times to first byte are watched.
    pub response_mode: ResponseMode,
    /// What that may cost, in cores, unless it is always on.
    pub response_budget: f64,
    /// By which others ask for it.
    pub response_request: ResponseRequest,
    /// Networks whose addresses are shown one by one.
    pub networks: Networks,
    /// Label sets of peers by name, per direction.
    pub peer_budget: usize,
    /// Label sets of processes by name.
    pub process_budget: usize,
    /// Grouping rules; `None`: processes keep their own names.
    pub config: Option<LiveConfig>,
    /// Watch name resolution.
    pub dns: bool,
    /// Tell processes at disks apart.
    pub process_disk_latency: bool,
    /// Export the host's totals.
    pub host: bool,
    /// How long counters of a group that ended stay exposed.
    pub retention: Duration,
    /// Size of each ring buffer, bytes; `None` for the defaults.
    pub ring_bytes: Option<u32>,
    /// Tell TCP peers apart by the process and user whose their connections are.
    pub tcp_process_label: bool,
    /// Tell owners apart by the container or unit they belong to.
    pub service_label: bool,
    /// Keep single connections and processes, for `top`.
    pub details: bool,
}

impl EngineOptions {
    /// Label sets of a family group whose budget cannot be chosen: `exported`, or all of them
    /// where single connections are kept.
    pub(super) fn label_sets(&self, exported: usize) -> usize {
        if self.details { ALL } else { exported }
    }
}
