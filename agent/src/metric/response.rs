//! Families of times to first byte.

use super::{
    Exposed, Family, LabelValues, Points, QUANTILE_NAMES, Row, Unit,
    define::{counter, gauge, latency},
    listener::push_listener,
    peer::push_peer,
    row::{SERVICE_NOTE, direction_name},
};
use crate::{
    metric::LISTENER_LABELS,
    model::{
        EXCLUDED_NAMES, ListenerKey, ListenerTurnRow, PeerKey, QUANTILES, ResponseExclusions,
        ResponseRow,
    },
};

/// Labels that identify a [`ResponseRow`]; an empty value is left out.
pub const RESPONSE_LABELS: &[&str] = &[
    "direction",
    "listen_ip",
    "listen_port",
    "remote_ip",
    "remote_port",
];

impl Row for ResponseRow {
    const AREA: &'static str = "Times to first byte, by peer";
    const LABELS: &'static [&'static str] = RESPONSE_LABELS;
    const NOTE: &'static str = "There are rows while and after turns are watched (`--response-time`). `listen_ip` and `listen_port` are there for inbound, `remote_port` for outbound connections.";
    const FAMILIES: &'static [Family<Self>] = RESPONSE_FAMILIES;

    fn rows(exposed: Exposed<'_>) -> &[Self] {
        &exposed.snapshot.responses
    }

    fn label_values(&self, values: &mut LabelValues) {
        push_peer(values, &self.key);
    }

    fn folded(&self) -> bool {
        matches!(self.key, PeerKey::Folded(_))
    }

    fn class(&self) -> u8 {
        self.key.direction() as u8
    }
}

fn quantiles(points: &mut dyn Points, quantiles: Option<[f64; QUANTILES.len()]>) {
    if let Some(quantiles) = quantiles {
        for (name, value) in QUANTILE_NAMES.iter().zip(quantiles) {
            points.gauge(&[name], value);
        }
    }
}

/// Every family a [`ResponseRow`] fills.
pub const RESPONSE_FAMILIES: &[Family<ResponseRow>] = &[
    latency(
        "tcp_response_seconds",
        "Time to first byte, whatever the protocol: from the last byte of what was asked to the first of the answer; outbound what we waited for, inbound what we made others wait.",
        "tracepoint tcp_probe, tcp_sock.first_tx_mstamp, tcp_sock.tcp_wstamp_ns",
        |row, points| points.histogram(&[], &row.response, row.held),
    ),
    gauge(
        "tcp_response_quantile_seconds",
        Unit::Seconds,
        &["q"],
        "Quantile q of tcp_response_seconds over the last 60 s; q=\"1\" is the maximum.",
        "As tcp_response_seconds",
        |row, points| quantiles(points, row.quantiles),
    ),
    gauge(
        "tcp_peer_time_quantile_seconds",
        Unit::Seconds,
        &["q"],
        "Quantile q, over the last 60 s, of the part of outbound times to first byte that the peer took itself: each one less the time that its own turn spent in the network.",
        "As tcp_response_seconds, and the acknowledgement of what was asked or tcp_sock.rtt_min",
        |row, points| quantiles(points, row.peer_quantiles),
    ),
];

impl Row for ResponseExclusions {
    const AREA: &'static str = "Times to first byte, left out";
    const LABELS: &'static [&'static str] = &["direction"];
    const FAMILIES: &'static [Family<Self>] = RESPONSE_EXCLUSION_FAMILIES;

    fn rows(exposed: Exposed<'_>) -> &[Self] {
        &exposed.snapshot.response_exclusions
    }

    fn label_values(&self, values: &mut LabelValues) {
        values.push_str(direction_name(self.direction));
    }

    fn class(&self) -> u8 {
        self.direction as u8
    }
}

/// Every family [`ResponseExclusions`] fill.
pub const RESPONSE_EXCLUSION_FAMILIES: &[Family<ResponseExclusions>] = &[counter(
    "tcp_response_excluded_total",
    Unit::None,
    &["reason"],
    "Turns left out of tcp_response_seconds, as question and answer could not be told apart or timed; by why.",
    "As tcp_response_seconds",
    |row, points| {
        for (reason, count) in EXCLUDED_NAMES.iter().zip(row.excluded) {
            points.count(&[reason], count, row.held);
        }
    },
)];

impl Row for ListenerTurnRow {
    const AREA: &'static str = "Times to first byte, by listener";
    const LABELS: &'static [&'static str] = LISTENER_LABELS;
    const NOTE: &'static str = SERVICE_NOTE;
    const OWNER_SERVICE: Option<&'static str> = Some("service");
    const FAMILIES: &'static [Family<Self>] = LISTENER_TURN_FAMILIES;

    fn rows(exposed: Exposed<'_>) -> &[Self] {
        &exposed.snapshot.listener_turns
    }

    fn label_values(&self, values: &mut LabelValues) {
        push_listener(values, &self.key);
    }

    fn folded(&self) -> bool {
        self.key == ListenerKey::Folded
    }
}

/// Every family a [`ListenerTurnRow`] fills.
pub const LISTENER_TURN_FAMILIES: &[Family<ListenerTurnRow>] = &[
    latency(
        "tcp_accept_to_read_wait_seconds",
        "Time that what was asked on accepted connections waited for the application to read it (with --response-time).",
        "tracepoints tcp_probe, tcp_rcv_space_adjust",
        |row, points| points.histogram(&[], &row.wait, row.held),
    ),
    latency(
        "tcp_serve_seconds",
        "Time from reading what was asked to the first byte of the answer (with --response-time).",
        "tracepoint tcp_rcv_space_adjust, tcp_sock.first_tx_mstamp",
        |row, points| points.histogram(&[], &row.serve, row.held),
    ),
];
