//! Time to first byte: how long whoever asked on a connection waited for the first byte of the
//! answer after the last byte of the question.

use std::{sync::Arc, time::Duration};

use hostlens_ebpf::wire::{Direction, Excluded};

use super::{Histogram, ListenerKey, PeerKey, QUANTILES};

/// Values of the label `reason`, in the order of [`Excluded::ALL`].
pub const EXCLUDED_NAMES: [&str; Excluded::COUNT] =
    ["overlap", "push", "retransmit", "stamp", "closed"];

/// One row of times to first byte. Counters hold since this appearance of the row began.
#[derive(Clone, Debug)]
pub struct ResponseRow {
    /// Identity, as that of the peer's other rows.
    pub key: PeerKey,
    /// Histogram is to be exposed as 0.
    pub held: bool,
    /// Inbound: from the arrival of the question's last byte to the answer's first byte sent.
    /// Outbound: from the question's last byte sent to the arrival of the answer's first byte.
    pub response: Arc<Histogram>,
    /// Quantiles of that over the last window, seconds; absent without an answer.
    pub quantiles: Option<[f64; QUANTILES.len()]>,
    /// Outbound: quantiles of the part the peer took itself, likewise.
    pub peer_quantiles: Option<[f64; QUANTILES.len()]>,
    /// Answers per second over the last cycle.
    pub rate: f64,
    /// Turns left out, by [`Excluded`].
    pub excluded: [u64; Excluded::COUNT],
}

/// Turns left out in one direction, all rows together, since start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseExclusions {
    /// Direction.
    pub direction: Direction,
    /// Counters are to be exposed as 0.
    pub held: bool,
    /// By [`Excluded`].
    pub excluded: [u64; Excluded::COUNT],
}

/// Waiting and serving on a listener's connections. Counters hold since this appearance of the
/// row began.
#[derive(Clone, Debug)]
pub struct ListenerTurnRow {
    /// Identity, as that of the listener's other row.
    pub key: ListenerKey,
    /// Histograms are to be exposed as 0.
    pub held: bool,
    /// From the arrival of a question's last byte until the application read it.
    pub wait: Arc<Histogram>,
    /// From then to the first byte of the answer.
    pub serve: Arc<Histogram>,
    /// Quantiles of waiting over the last window, seconds; absent without an answer.
    pub wait_quantiles: Option<[f64; QUANTILES.len()]>,
    /// Quantiles of serving, likewise.
    pub serve_quantiles: Option<[f64; QUANTILES.len()]>,
    /// Answers per second over the last cycle.
    pub rate: f64,
}

/// When times to first byte are watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ResponseMode {
    /// Only while asked for: by a key in top, or POST /api/response-time
    #[default]
    Off,
    /// Always, whatever it costs
    On,
    /// Always, unless it costs more than --response-budget
    Auto,
}

/// Why nothing is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detached {
    /// Nobody asked.
    NotWanted,
    /// It cost more than its budget; tried again after so long.
    TooExpensive {
        /// Until the next try.
        retry_in: Duration,
    },
    /// It cannot be had here: why, in one line.
    Unsupported(String),
}

/// Whether the programs run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponseState {
    /// They do.
    Attached,
    /// They do not.
    Detached(Detached),
}

/// What times to first byte are watched for and what that costs.
#[derive(Clone, Debug, PartialEq)]
pub struct ResponseStatus {
    /// As configured.
    pub mode: ResponseMode,
    /// Now.
    pub state: ResponseState,
    /// How much longer it was asked for; `None`: nobody asked, or without end.
    pub asked_for: Option<Duration>,
    /// Cores it may cost; `None`: not limited.
    pub budget_cores: Option<f64>,
    /// Cores it cost when last measured, the programs' own count times their own time per run;
    /// `None` before the first measurement.
    pub cost_cores: Option<f64>,
    /// Runs of the programs so far.
    pub runs: u64,
    /// Time per run when last measured, ns.
    pub run_ns: Option<f64>,
    /// Times it was detached as it cost too much.
    pub detachments: u64,
}

impl Default for ResponseStatus {
    fn default() -> Self {
        Self {
            mode: ResponseMode::Off,
            state: ResponseState::Detached(Detached::NotWanted),
            asked_for: None,
            budget_cores: None,
            cost_cores: None,
            runs: 0,
            run_ns: None,
            detachments: 0,
        }
    }
}
