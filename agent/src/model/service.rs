//! Lives of connections by whose they are, and attempts that came to nothing.

use std::{net::IpAddr, sync::Arc};

use hostlens_ebpf::wire::Direction;

use super::{Histogram, Owner, Remote};

/// What identifies a row of connection lives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServiceKey {
    /// Connections of one process group to or from one service port.
    Service {
        /// Who opened them; never `Unknown`.
        direction: Direction,
        /// Whose they are.
        owner: Owner,
        /// Port of the listener if inbound, remote port if outbound.
        port: u16,
    },
    /// All rows of one direction beyond the budget.
    Folded(Direction),
}

/// How a connection ended; the label `reason` of `tcp_connections_closed_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(
    missing_docs,
    reason = "the names say it; docs/metrics.md explains each"
)]
pub enum CloseReason {
    Closed,
    ResetReceived,
    ResetSent,
    Timeout,
    AbortedUnread,
}

impl CloseReason {
    /// All reasons, in the order of [`ServiceRow::closed`].
    pub const ALL: [Self; 5] = [
        Self::Closed,
        Self::ResetReceived,
        Self::ResetSent,
        Self::Timeout,
        Self::AbortedUnread,
    ];

    /// The label value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::ResetReceived => "reset_received",
            Self::ResetSent => "reset_sent",
            Self::Timeout => "timeout",
            Self::AbortedUnread => "aborted_unread",
        }
    }
}

/// Why a connection was cut off from this side or by silence; the label `cause` of
/// `tcp_aborted_connections_total`. Each corresponds to a counter of `/proc/net/netstat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AbortCause {
    /// Closed with bytes unread (`TCPAbortOnClose`).
    Unread,
    /// Closed with `SO_LINGER` 0, or disconnected (`TCPAbortOnData`).
    Linger,
    /// Its listener was closed before anyone accepted it.
    NeverAccepted,
    /// The peer fell silent (`TCPAbortOnTimeout`).
    Timeout,
}

impl AbortCause {
    /// All causes, in the order of [`ServiceRow::aborted`].
    pub const ALL: [Self; 4] = [
        Self::Unread,
        Self::Linger,
        Self::NeverAccepted,
        Self::Timeout,
    ];

    /// The label value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unread => "unread",
            Self::Linger => "linger",
            Self::NeverAccepted => "never_accepted",
            Self::Timeout => "timeout",
        }
    }
}

/// One row of connection lives. Counters hold since this appearance of the row began. What needs
/// an end to be seen is absent where ends are not seen.
#[derive(Clone, Debug)]
pub struct ServiceRow {
    /// Identity.
    pub key: ServiceKey,
    /// Counters and histograms are to be exposed as 0.
    pub held: bool,
    /// Has connections now.
    pub live: bool,
    /// Connections established now.
    pub connections: u64,
    /// Connections established.
    pub opened: u64,
    /// Connections that ended, in the order of [`CloseReason::ALL`]; `None` where ends are not
    /// seen.
    pub closed: Option<[u64; CloseReason::ALL.len()]>,
    /// Connections cut off, in the order of [`AbortCause::ALL`]; `None` where ends are not seen.
    pub aborted: Option<[u64; AbortCause::ALL.len()]>,
    /// Bytes received and never read by the application, of connections that ended; `None` where
    /// ends are not seen.
    pub unread_bytes: Option<u64>,
    /// Bytes written and never acknowledged, of connections that ended; `None` where ends are not
    /// seen.
    pub unacked_bytes: Option<u64>,
    /// From established to ended; `None` where ends are not seen.
    pub lifetime: Option<Arc<Histogram>>,
    /// From the first SYN to established, outbound only; `None` where opens are not seen.
    pub connect: Option<Arc<Histogram>>,
    /// Rates over the last cycle and figures over the last window, for people.
    pub rates: ServiceRates,
}

/// What `top` shows of a [`ServiceRow`] beside its counters.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ServiceRates {
    /// Connections opened per second.
    pub opened: f64,
    /// Connections ended per second.
    pub closed: f64,
    /// Bytes lost unread per second.
    pub unread_bytes: f64,
    /// Bytes lost unacknowledged per second.
    pub unacked_bytes: f64,
    /// Median lifetime of those that ended over the last window, seconds.
    pub lifetime_median: Option<f64>,
    /// Median handshake over the last window, seconds.
    pub connect_median: Option<f64>,
    /// Opens rise and most connections live less than a second: a reconnect storm.
    pub storm: bool,
}

/// Why an attempt to connect came to nothing; the label `error_type`, after the values proposed
/// for OpenTelemetry's `error.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConnectError {
    /// A reset answered the SYN (`ECONNREFUSED`).
    Refused,
    /// A reset after that, before the handshake was complete (`ECONNRESET`).
    Reset,
    /// No answer (`ETIMEDOUT`).
    Timeout,
    /// `EHOSTUNREACH`.
    HostUnreachable,
    /// `ENETUNREACH`.
    NetworkUnreachable,
    /// Given up by the application before an answer came.
    Aborted,
    /// No free local port (`EADDRNOTAVAIL`).
    AddressNotAvailable,
    /// Forbidden by a rule or route (`EACCES`, `EPERM`).
    PermissionDenied,
    /// Anything else.
    Other,
}

impl ConnectError {
    /// The label value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
            Self::HostUnreachable => "host_unreachable",
            Self::NetworkUnreachable => "network_unreachable",
            Self::Aborted => "aborted",
            Self::AddressNotAvailable => "address_not_available",
            Self::PermissionDenied => "permission_denied",
            Self::Other => "other",
        }
    }
}

/// What identifies a row of failed attempts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailureKey {
    /// Attempts of one process group at one peer that failed alike.
    Attempt {
        /// Who tried.
        owner: Owner,
        /// Whom.
        remote: Remote,
        /// The port there.
        remote_port: u16,
        /// How it failed.
        error: ConnectError,
    },
    /// All rows beyond the budget.
    Folded,
}

/// One row of failed attempts. The counter holds since this appearance of the row began.
#[derive(Clone, Debug)]
pub struct FailureRow {
    /// Identity.
    pub key: FailureKey,
    /// The counter is to be exposed as 0.
    pub held: bool,
    /// Attempts that failed.
    pub failures: u64,
    /// Failures per second over the last cycle.
    pub rate: f64,
}

/// A pool of peers that one process group connects to on one port, over the last window (60 s).
/// Only pools of two peers or more have a row.
#[derive(Clone, Debug)]
pub struct UpstreamRow {
    /// Whose pool; `None`: this row has the worst ratios of all pools beyond the budget.
    pub owner: Option<Owner>,
    /// Remote port of its peers.
    pub remote_port: u16,
    /// Peers.
    pub peers: u64,
    /// Connections opened to the heaviest peer over the mean; `None` if none was opened.
    pub by_connections: Option<Heaviest>,
    /// Bytes moved with the heaviest peer over the mean; `None` if none moved.
    pub by_bytes: Option<Heaviest>,
}

/// The heaviest peer of a pool.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heaviest {
    /// Its share over the mean of all peers: 1 if all are alike.
    pub ratio: f64,
    /// Its address.
    pub peer: IpAddr,
}

/// Local ports in use between one local address and one remote address and port, in the network
/// namespace where that uses up most.
#[derive(Clone, Debug)]
pub struct PortUseRow {
    /// Local and remote address; `None`: the fullest of all beyond the budget.
    pub ends: Option<(IpAddr, IpAddr)>,
    /// Remote port.
    pub remote_port: u16,
    /// Network namespace.
    pub netns: u32,
    /// Connections, those in TIME_WAIT included.
    pub used: u64,
    /// Ports of `net.ipv4.ip_local_port_range`, reserved ones left out.
    pub available: u64,
}

impl PortUseRow {
    /// `used` over `available`.
    pub fn ratio(&self) -> f64 {
        self.used as f64 / self.available.max(1) as f64
    }
}
