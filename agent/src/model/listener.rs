//! Listening sockets.

use std::net::IpAddr;

use super::Owner;

/// What identifies a row of listeners: the sockets that share these labels are one row.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ListenerKey {
    /// Sockets bound to one address and port by one process group.
    Bound {
        /// Bound address; a wildcard stays one.
        ip: IpAddr,
        /// Bound port.
        port: u16,
        /// Who listens.
        owner: Owner,
    },
    /// All rows beyond the listener budget.
    Folded,
}

/// Why a listener does not keep up; the label `reason` of `tcp_listener_saturated`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SaturationReason {
    /// Connections stand in the queue while the tasks that accept are busy or blocked elsewhere.
    WorkersBusy,
    /// They stand while the tasks that accept are runnable and wait for a CPU.
    CpuStarved,
    /// Bursts overflow a queue whose limit is far below `somaxconn`, although it drains at once.
    BacklogTooSmall,
}

impl SaturationReason {
    /// All reasons, in the order of the exposition.
    pub const ALL: [Self; 3] = [Self::WorkersBusy, Self::CpuStarved, Self::BacklogTooSmall];

    /// The label value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WorkersBusy => "workers_busy",
            Self::CpuStarved => "cpu_starved",
            Self::BacklogTooSmall => "backlog_too_small",
        }
    }
}

/// The verdict on a row of listeners.
#[derive(Clone, Debug, PartialEq)]
pub struct Saturation {
    /// Why.
    pub reason: SaturationReason,
    /// Inode number of the network namespace of the socket that is worst off.
    pub netns: u32,
    /// One sentence in words: what happens, with the figures it was judged by.
    pub what: String,
    /// One sentence in words: what to do.
    pub advice: String,
}

/// One row of listeners. Counters hold since this appearance of the row began.
#[derive(Clone, Debug)]
pub struct ListenerRow {
    /// Identity.
    pub key: ListenerKey,
    /// Counters are to be exposed as 0: some scraper has not seen their birth yet.
    pub held: bool,
    /// Has sockets now; without any its gauges are absent.
    pub live: bool,
    /// Sockets now.
    pub sockets: u64,
    /// Connections waiting, of the fullest socket.
    pub queue_length: u64,
    /// Limit of that socket's queue.
    pub queue_limit: u64,
    /// Longest queue of any socket over the last window (60 s).
    pub high_water: u64,
    /// Age of the oldest connection established but not accepted, seconds, 0 while none waits;
    /// `None` where the source cannot tell.
    pub oldest_wait_seconds: Option<f64>,
    /// Connection requests dropped (`sk_drops`).
    pub drops: u64,
    /// Connections accepted; `None` where the source cannot count them.
    pub accepted: Option<u64>,
    /// Resets sent in place of a place in the queue; `None` where the source cannot count them.
    pub resets: Option<u64>,
    /// Processes that hold a listening socket of the row; `None` until counted.
    pub processes: Option<u64>,
    /// Their threads; `None` until counted.
    pub threads: Option<u64>,
    /// Accepts of the busiest socket or worker over the mean of all, over the last window; `None`
    /// with fewer than two, or without accepts.
    pub accept_imbalance: Option<f64>,
    /// Inode number of the network namespace of the fullest socket.
    pub netns: u32,
    /// `net.core.somaxconn` there; `None` if it could not be read.
    pub somaxconn: Option<u64>,
    /// The verdict; `None` if it keeps up.
    pub saturation: Option<Saturation>,
    /// Whether a verdict can be reached at all (the source polls often enough).
    pub judged: bool,
    /// Rates over the last cycle, for people.
    pub rates: ListenerRates,
}

/// Rates over the last cycle, per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ListenerRates {
    /// Connections accepted.
    pub accepted: f64,
    /// Connection requests dropped.
    pub drops: f64,
}

/// To whom connection requests came that were answered with a reset.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RefusedKey {
    /// One port.
    Port {
        /// Address the last listener there was bound to; that of the request if none was known.
        ip: IpAddr,
        /// Port.
        port: u16,
        /// Who listened there last; `None` if nobody was seen to.
        last: Option<Owner>,
    },
    /// All rows beyond the budget.
    Folded,
}

/// One row of refusals. The counter holds since this appearance of the row began.
#[derive(Clone, Debug)]
pub struct RefusedRow {
    /// Identity.
    pub key: RefusedKey,
    /// The counter is to be exposed as 0.
    pub held: bool,
    /// Connection requests answered with a reset.
    pub refused: u64,
    /// Seconds since the last listener there was gone; `None` if there was none, or there is one
    /// again.
    pub gone_seconds: Option<f64>,
    /// Refusals per second over the last cycle.
    pub rate: f64,
}

/// Settings of the agent's own network namespace that decide what a full queue does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListenSettings {
    /// `net.ipv4.tcp_abort_on_overflow`; `None` if it could not be read.
    pub abort_on_overflow: Option<bool>,
    /// `net.core.somaxconn`; `None` if it could not be read.
    pub somaxconn: Option<u64>,
}
