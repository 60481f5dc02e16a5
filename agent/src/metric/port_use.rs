//! Families of local ports in use.

use super::{Exposed, Family, LabelValues, Row, Unit, define::gauge};
use crate::model::{OTHER, PortUseRow};

/// Labels that identify a [`PortUseRow`].
pub const PORT_USE_LABELS: &[&str] = &["local_ip", "remote_ip", "remote_port"];

impl Row for PortUseRow {
    const AREA: &'static str = "TCP ephemeral ports";
    const LABELS: &'static [&'static str] = PORT_USE_LABELS;
    const FAMILIES: &'static [Family<Self>] = PORT_USE_FAMILIES;

    fn rows(exposed: Exposed<'_>) -> &[Self] {
        &exposed.snapshot.port_use
    }

    fn label_values(&self, values: &mut LabelValues) {
        match self.ends {
            Some((local, remote)) => {
                values.push(local);
                values.push(remote);
                values.push(self.remote_port);
            }
            None => values.repeat(OTHER, PORT_USE_LABELS.len()),
        }
    }

    fn folded(&self) -> bool {
        self.ends.is_none()
    }
}

/// Every family a [`PortUseRow`] fills.
pub const PORT_USE_FAMILIES: &[Family<PortUseRow>] = &[
    gauge(
        "tcp_ephemeral_ports_used_ratio",
        Unit::Ratio,
        &[],
        "Local ports in use towards one remote address and port, TIME_WAIT included, over those there are; at 1 connect fails.",
        "sockets; /proc/sys/net/ipv4/ip_local_port_range less ip_local_reserved_ports",
        |row, points| points.gauge(&[], row.ratio()),
    ),
    gauge(
        "tcp_ephemeral_ports_used",
        Unit::None,
        &[],
        "Local ports in use towards one remote address and port, TIME_WAIT included.",
        "sockets",
        |row, points| points.gauge(&[], row.used as f64),
    ),
];
