//! Families of name resolution.

use super::{
    Exposed, Family, LabelValues, Row, Unit,
    define::{counter, latency},
    row::{SERVICE_NOTE, push_owner},
};
use crate::model::{DnsKey, DnsRow, OTHER, RCODES};

/// Labels that identify a [`DnsRow`].
pub const DNS_LABELS: &[&str] = &["process", "user", "service", "resolver"];

impl Row for DnsRow {
    const AREA: &'static str = "Name resolution";
    const LABELS: &'static [&'static str] = DNS_LABELS;
    const NOTE: &'static str = SERVICE_NOTE;
    const OWNER_SERVICE: Option<&'static str> = Some("service");
    const FAMILIES: &'static [Family<Self>] = DNS_FAMILIES;

    fn rows(exposed: Exposed<'_>) -> &[Self] {
        &exposed.snapshot.dns
    }

    fn label_values(&self, values: &mut LabelValues) {
        match &self.key {
            DnsKey::Asker { owner, resolver } => {
                push_owner(values, Some(owner));
                values.push(resolver);
            }
            DnsKey::Folded => values.repeat(OTHER, DNS_LABELS.len()),
        }
    }

    fn folded(&self) -> bool {
        self.key == DnsKey::Folded
    }
}

/// Every family a [`DnsRow`] fills.
pub const DNS_FAMILIES: &[Family<DnsRow>] = &[
    latency(
        "dns_seconds",
        "Time from a DNS query to its answer (with --dns).",
        "packets to and from port 53",
        |row, points| points.histogram(&[], &row.seconds, row.held),
    ),
    counter(
        "dns_responses_total",
        Unit::None,
        &["rcode"],
        "DNS answers by response code (with --dns).",
        "packets from port 53",
        |row, points| {
            for (rcode, count) in RCODES.iter().zip(row.responses) {
                points.count(&[rcode], count, row.held);
            }
        },
    ),
    counter(
        "dns_timeouts_total",
        Unit::None,
        &[],
        "DNS queries that had no answer within 5 s (with --dns).",
        "packets to and from port 53",
        |row, points| points.count(&[], row.timeouts, row.held),
    ),
];
