//! Families of the agent's own HTTP server.

use super::{Desc, Exposed, Family, Kind, LabelValues, Points, Row, Unit};
use crate::model::ServerStats;

impl Row for ServerStats {
    const AREA: &'static str = "The agent's HTTP server";
    const LABELS: &'static [&'static str] = &[];
    const FAMILIES: &'static [Family<Self>] = SERVER_FAMILIES;

    fn rows(exposed: Exposed<'_>) -> &[Self] {
        std::slice::from_ref(exposed.server)
    }

    fn label_values(&self, _values: &mut LabelValues) {}
}

const fn family(
    kind: Kind,
    name: &'static str,
    unit: Unit,
    labels: &'static [&'static str],
    help: &'static str,
    fill: fn(&ServerStats, &mut dyn Points),
) -> Family<ServerStats> {
    Family {
        desc: Desc {
            name,
            help,
            kind,
            unit,
            labels,
            source: "the agent, when this exposition was encoded",
        },
        fill,
    }
}

/// Every family [`ServerStats`] fills.
pub const SERVER_FAMILIES: &[Family<ServerStats>] = &[
    family(
        Kind::Counter,
        "agent_scrapes_total",
        Unit::None,
        &["format"],
        "Responses to /metrics begun.",
        |server, points| {
            for format in &server.formats {
                points.count(&[format.format], format.scrapes, false);
            }
        },
    ),
    family(
        Kind::Counter,
        "agent_encodings_total",
        Unit::None,
        &["format"],
        "Snapshots encoded; at most one per cycle and format, whatever the number of scrapes.",
        |server, points| {
            for format in &server.formats {
                points.count(&[format.format], format.encodings, false);
            }
        },
    ),
    family(
        Kind::Counter,
        "agent_encode_seconds_total",
        Unit::Seconds,
        &["format"],
        "Time spent encoding snapshots.",
        |server, points| {
            for format in &server.formats {
                points.counter(&[format.format], format.encode_seconds, false);
            }
        },
    ),
    family(
        Kind::Gauge,
        "agent_scrapers",
        Unit::None,
        &[],
        "Scrapers (address and User-Agent) served in the last 10 minutes.",
        |server, points| points.gauge(&[], server.scrapers as f64),
    ),
    family(
        Kind::Counter,
        "agent_scrapers_evicted_total",
        Unit::None,
        &[],
        "Scrapers forgotten before their time because too many were active.",
        |server, points| points.count(&[], server.scrapers_evicted, false),
    ),
    family(
        Kind::Gauge,
        "agent_http_connections",
        Unit::None,
        &[],
        "Open HTTP connections.",
        |server, points| points.gauge(&[], server.connections as f64),
    ),
    family(
        Kind::Counter,
        "agent_http_connections_rejected_total",
        Unit::None,
        &[],
        "HTTP connections turned away because too many were open.",
        |server, points| points.count(&[], server.connections_rejected, false),
    ),
    family(
        Kind::Counter,
        "agent_http_connections_timed_out_total",
        Unit::None,
        &[],
        "HTTP connections closed because the client sent its request or took the response too slowly.",
        |server, points| points.count(&[], server.connections_timed_out, false),
    ),
    family(
        Kind::Counter,
        "agent_tls_handshakes_failed_total",
        Unit::None,
        &[],
        "TLS handshakes that failed, be it for the certificate of the client.",
        |server, points| points.count(&[], server.tls_handshakes_failed, false),
    ),
    family(
        Kind::Counter,
        "agent_http_unauthorized_total",
        Unit::None,
        &[],
        "HTTP requests without a right name and password, where these are demanded.",
        |server, points| points.count(&[], server.unauthorized, false),
    ),
    family(
        Kind::Counter,
        "agent_http_passwords_not_checked_total",
        Unit::None,
        &[],
        "HTTP requests turned away because too many passwords were waiting to be checked.",
        |server, points| points.count(&[], server.passwords_not_checked, false),
    ),
    family(
        Kind::Gauge,
        "agent_series",
        Unit::None,
        &[],
        "Series of this exposition; a histogram counts as its lines in the text format.",
        |server, points| points.gauge(&[], server.series as f64),
    ),
    family(
        Kind::Gauge,
        "agent_series_limit",
        Unit::None,
        &[],
        "Series an exposition may have.",
        |server, points| points.gauge(&[], server.series_limit as f64),
    ),
    family(
        Kind::Gauge,
        "agent_series_dropped",
        Unit::None,
        &[],
        "Series left out of this exposition to stay within the limit.",
        |server, points| points.gauge(&[], server.series_dropped as f64),
    ),
    family(
        Kind::Gauge,
        "agent_label_sets_dropped",
        Unit::None,
        &[],
        "Label sets left out of this exposition, with all their series, to stay within the limit.",
        |server, points| points.gauge(&[], server.label_sets_dropped as f64),
    ),
];
