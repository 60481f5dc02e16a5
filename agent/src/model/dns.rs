//! Name resolution as seen on the wire.

use std::{net::IpAddr, sync::Arc};

use super::{Histogram, Owner};

/// What identifies a row of lookups.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DnsKey {
    /// Lookups of one process group at one resolver.
    Asker {
        /// Who asked.
        owner: Owner,
        /// Whom.
        resolver: IpAddr,
    },
    /// All rows beyond the budget.
    Folded,
}

/// Response codes shown by name, as in RFC 1035 §4.1.1; the label `rcode`.
pub const RCODES: [&str; 7] = [
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "other",
];

/// One row of lookups. Counters hold since this appearance of the row began.
#[derive(Clone, Debug)]
pub struct DnsRow {
    /// Identity.
    pub key: DnsKey,
    /// Counters and histogram are to be exposed as 0.
    pub held: bool,
    /// From query to answer.
    pub seconds: Arc<Histogram>,
    /// Answers by response code, in the order of [`RCODES`].
    pub responses: [u64; RCODES.len()],
    /// Queries without an answer within 5 s.
    pub timeouts: u64,
    /// Answers per second over the last cycle.
    pub rate: f64,
    /// Failed (SERVFAIL, NXDOMAIN, REFUSED, …) or unanswered per second over the last cycle.
    pub failure_rate: f64,
    /// Median and 95th percentile over the last window, seconds; absent without an answer.
    pub quantiles: Option<[f64; 2]>,
    /// Names that failed last, newest first, with how they failed; never exported as labels.
    pub failing: Vec<FailedName>,
}

/// A name that could not be resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedName {
    /// The name, printable.
    pub name: Arc<str>,
    /// Response code by name, or `timeout`.
    pub outcome: &'static str,
}
