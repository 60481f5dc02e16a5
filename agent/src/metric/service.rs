//! Families of the lives of connections.

use hostlens_ebpf::wire::Direction;

use super::{
    Exposed, Family, LabelValues, Row, Unit,
    define::{counter, gauge, latency},
    row::{direction_name, push_owner},
};
use crate::model::{AbortCause, CloseReason, OTHER, ServiceKey, ServiceRow};

/// Labels that identify a [`ServiceRow`]; an empty value is left out.
pub const SERVICE_LABELS: &[&str] = &[
    "direction",
    "process",
    "user",
    "service",
    "listen_port",
    "remote_port",
];

impl ServiceRow {
    /// Direction of the row's connections.
    pub(crate) fn direction(&self) -> Direction {
        match &self.key {
            ServiceKey::Service { direction, .. } | ServiceKey::Folded(direction) => *direction,
        }
    }
}

impl Row for ServiceRow {
    const AREA: &'static str = "TCP services";
    const LABELS: &'static [&'static str] = SERVICE_LABELS;
    const NOTE: &'static str = "`listen_port` is there for inbound, `remote_port` for outbound connections, `service` if a container or unit is known, unless `--service-label off`.";
    const OWNER_SERVICE: Option<&'static str> = Some("service");
    const FAMILIES: &'static [Family<Self>] = SERVICE_FAMILIES;

    fn rows(exposed: Exposed<'_>) -> &[Self] {
        &exposed.snapshot.services
    }

    fn label_values(&self, values: &mut LabelValues) {
        values.push_str(direction_name(self.direction()));
        match &self.key {
            ServiceKey::Service { owner, .. } => push_owner(values, Some(owner)),
            ServiceKey::Folded(_) => values.repeat(OTHER, 3),
        }
        let inbound = self.direction() == Direction::Inbound;
        if !inbound {
            values.skip();
        }
        match &self.key {
            ServiceKey::Service { port, .. } => values.push(port),
            ServiceKey::Folded(_) => values.push_str(OTHER),
        }
        if inbound {
            values.skip();
        }
    }

    fn folded(&self) -> bool {
        matches!(self.key, ServiceKey::Folded(_))
    }

    fn class(&self) -> u8 {
        self.direction() as u8
    }
}

/// Every family a [`ServiceRow`] fills.
pub const SERVICE_FAMILIES: &[Family<ServiceRow>] = &[
    gauge(
        "tcp_established_connections",
        Unit::None,
        &[],
        "Connections established now.",
        "sock_common.skc_state",
        |row, points| {
            if row.live {
                points.gauge(&[], row.connections as f64);
            }
        },
    ),
    counter(
        "tcp_connections_opened_total",
        Unit::None,
        &[],
        "Connections established.",
        "tracepoint inet_sock_set_state; else sockets seen for the first time",
        |row, points| points.count(&[], row.opened, row.held),
    ),
    counter(
        "tcp_connections_closed_total",
        Unit::None,
        &["reason"],
        "Connections that ended, by how: closed by both sides, reset by the peer, reset by this side, timeout, aborted with bytes unread.",
        "tracepoints inet_sock_set_state, tcp_receive_reset, tcp_send_reset",
        |row, points| {
            if let Some(closed) = row.closed {
                for (reason, count) in CloseReason::ALL.iter().zip(closed) {
                    points.count(&[reason.name()], count, row.held);
                }
            }
        },
    ),
    latency(
        "tcp_connection_lifetime_seconds",
        "Time from established to ended, of connections that ended.",
        "tracepoint inet_sock_set_state",
        |row, points| {
            if let Some(lifetime) = &row.lifetime {
                points.histogram(&[], lifetime, row.held);
            }
        },
    ),
    latency(
        "tcp_connect_seconds",
        "Time from the first SYN to established, of outbound connections.",
        "tracepoint inet_sock_set_state",
        |row, points| {
            if let Some(connect) = &row.connect {
                points.histogram(&[], connect, row.held);
            }
        },
    ),
    counter(
        "tcp_close_unread_bytes_total",
        Unit::Bytes,
        &[],
        "Bytes received that the application had not read when the connection ended.",
        "tcp_sock.rcv_nxt - tcp_sock.copied_seq at the end",
        |row, points| {
            if let Some(bytes) = row.unread_bytes {
                points.count(&[], bytes, row.held);
            }
        },
    ),
    counter(
        "tcp_close_unacked_bytes_total",
        Unit::Bytes,
        &[],
        "Bytes written that the peer had not acknowledged when the connection ended.",
        "tcp_sock.write_seq - tcp_sock.snd_una at the end",
        |row, points| {
            if let Some(bytes) = row.unacked_bytes {
                points.count(&[], bytes, row.held);
            }
        },
    ),
    counter(
        "tcp_aborted_connections_total",
        Unit::None,
        &["cause"],
        "Connections cut off from this side or by silence: bytes unread at the close, SO_LINGER 0, listener closed before anyone accepted, peer silent.",
        "tracepoints inet_sock_set_state and tcp_destroy_sock; as TCPAbortOnClose, TCPAbortOnData, TCPAbortOnTimeout of /proc/net/netstat",
        |row, points| {
            if let Some(aborted) = row.aborted {
                for (cause, count) in AbortCause::ALL.iter().zip(aborted) {
                    points.count(&[cause.name()], count, row.held);
                }
            }
        },
    ),
];
