//! Families of pools of peers.

use super::{
    Exposed, Family, LabelValues, Row, Unit,
    define::gauge,
    row::{SERVICE_NOTE, push_owner},
};
use crate::model::{OTHER, UpstreamRow};

/// Labels that identify an [`UpstreamRow`].
pub const UPSTREAM_LABELS: &[&str] = &["process", "user", "service", "remote_port"];

impl Row for UpstreamRow {
    const AREA: &'static str = "TCP upstreams";
    const LABELS: &'static [&'static str] = UPSTREAM_LABELS;
    const NOTE: &'static str = SERVICE_NOTE;
    const OWNER_SERVICE: Option<&'static str> = Some("service");
    const FAMILIES: &'static [Family<Self>] = UPSTREAM_FAMILIES;

    fn rows(exposed: Exposed<'_>) -> &[Self] {
        &exposed.snapshot.upstreams
    }

    fn label_values(&self, values: &mut LabelValues) {
        match &self.owner {
            Some(owner) => {
                push_owner(values, Some(owner));
                values.push(self.remote_port);
            }
            None => values.repeat(OTHER, UPSTREAM_LABELS.len()),
        }
    }

    fn folded(&self) -> bool {
        self.owner.is_none()
    }
}

/// Every family an [`UpstreamRow`] fills.
pub const UPSTREAM_FAMILIES: &[Family<UpstreamRow>] = &[
    gauge(
        "tcp_upstream_imbalance_ratio",
        Unit::Ratio,
        &["by"],
        "Heaviest peer over the mean of its pool in the last 60 s, by connections opened and by bytes moved; 1 if all are alike. Pools of two peers or more.",
        "connections opened; tcp_sock.bytes_sent + tcp_sock.bytes_received",
        |row, points| {
            let ratios = [("connections", row.by_connections), ("bytes", row.by_bytes)];
            for (by, heaviest) in ratios {
                if let Some(heaviest) = heaviest {
                    points.gauge(&[by], heaviest.ratio);
                }
            }
        },
    ),
    gauge(
        "tcp_upstream_peers",
        Unit::None,
        &[],
        "Peers of the pool in the last 60 s.",
        "remote addresses connected to",
        |row, points| points.gauge(&[], row.peers as f64),
    ),
];
