//! Families of connection requests answered with a reset.

use super::{
    Exposed, Family, LabelValues, Row, Unit,
    define::{counter, gauge},
    row::push_owner,
};
use crate::model::{OTHER, RefusedKey, RefusedRow};

/// Labels that identify a [`RefusedRow`]; an empty value is left out.
pub const REFUSED_LABELS: &[&str] = &[
    "listen_ip",
    "listen_port",
    "last_process",
    "last_user",
    "last_service",
];

impl Row for RefusedRow {
    const AREA: &'static str = "TCP requests refused";
    const LABELS: &'static [&'static str] = REFUSED_LABELS;
    const NOTE: &'static str =
        "`last_process`, `last_user` and `last_service` are there if anyone was seen to listen.";
    const OWNER_SERVICE: Option<&'static str> = Some("last_service");
    const FAMILIES: &'static [Family<Self>] = REFUSED_FAMILIES;

    fn rows(exposed: Exposed<'_>) -> &[Self] {
        &exposed.snapshot.refused
    }

    fn label_values(&self, values: &mut LabelValues) {
        match &self.key {
            RefusedKey::Port { ip, port, last } => {
                values.push(ip);
                values.push(port);
                push_owner(values, last.as_ref());
            }
            RefusedKey::Folded => values.repeat(OTHER, REFUSED_LABELS.len()),
        }
    }

    fn folded(&self) -> bool {
        self.key == RefusedKey::Folded
    }
}

/// Every family a [`RefusedRow`] fills.
pub const REFUSED_FAMILIES: &[Family<RefusedRow>] = &[
    counter(
        "tcp_refused_total",
        Unit::None,
        &[],
        "Connection requests answered with a reset because nobody listened; last_process and last_user tell who did last.",
        "tracepoint tcp_send_reset",
        |row, points| points.count(&[], row.refused, row.held),
    ),
    gauge(
        "tcp_refused_listener_gone_seconds",
        Unit::Seconds,
        &[],
        "Time since the last listener on a port that refuses was gone; absent if there was none, or there is one again.",
        "end of the listening socket",
        |row, points| {
            if let Some(seconds) = row.gone_seconds {
                points.gauge(&[], seconds);
            }
        },
    ),
];
