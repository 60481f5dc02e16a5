//! Families of TCP peers.

use hostlens_ebpf::wire::Direction;

use super::{
    Desc, Exposed, Family, Kind, LabelValues, Row, Unit,
    row::{direction_name, push_owner, push_remote},
};
use crate::model::{ConnectionState, OTHER, PeerKey, PeerRow, QUANTILES};

/// Labels that identify a [`PeerRow`]; an empty value is left out. `process` and `user` are there
/// with `--tcp-process-label` only.
pub const PEER_LABELS: &[&str] = &[
    "direction",
    "listen_ip",
    "listen_port",
    "remote_ip",
    "remote_port",
    "process",
    "user",
    "service",
];

impl Row for PeerRow {
    const AREA: &'static str = "TCP peers";
    const LABELS: &'static [&'static str] = PEER_LABELS;
    const NOTE: &'static str = "`listen_ip` and `listen_port` are there for inbound, `remote_port` for outbound connections, `process`, `user` and `service` with `--tcp-process-label` only.";
    const OWNER_SERVICE: Option<&'static str> = Some("service");
    const FAMILIES: &'static [Family<Self>] = PEER_FAMILIES;

    fn rows(exposed: Exposed<'_>) -> &[Self] {
        &exposed.snapshot.peers
    }

    fn label_values(&self, values: &mut LabelValues) {
        push_peer(values, &self.key);
        push_owner(values, self.owner.as_ref());
    }

    fn folded(&self) -> bool {
        matches!(self.key, PeerKey::Folded(_))
    }

    fn class(&self) -> u8 {
        self.key.direction() as u8
    }
}

/// Pushes direction, both listen labels and both remote ones.
pub(super) fn push_peer(values: &mut LabelValues, key: &PeerKey) {
    values.push_str(direction_name(key.direction()));
    match *key {
        PeerKey::Inbound {
            listen_ip,
            listen_port,
            remote,
        } => {
            values.push(listen_ip);
            values.push(listen_port);
            push_remote(values, remote);
            values.skip();
        }
        PeerKey::Outbound {
            remote,
            remote_port,
        } => {
            values.skip();
            values.skip();
            push_remote(values, remote);
            values.push(remote_port);
        }
        // The labels that the direction's other rows have, so that `by (…)` lines them up.
        PeerKey::Folded(direction) => {
            let listen = if direction == Direction::Outbound {
                ""
            } else {
                OTHER
            };
            let port = if direction == Direction::Inbound {
                ""
            } else {
                OTHER
            };
            for value in [listen, listen, OTHER, port] {
                values.push_str(value);
            }
        }
    }
}

/// Values of the label `q`, in the order of [`QUANTILES`].
pub const QUANTILE_NAMES: [&str; QUANTILES.len()] = ["0.5", "0.75", "0.95", "0.99", "1"];

/// Every family a [`PeerRow`] fills.
pub const PEER_FAMILIES: &[Family<PeerRow>] = &[
    Family {
        desc: Desc {
            name: "tcp_rtt_seconds",
            help: "TCP round-trip time: one smoothed sample per connection and cycle in which it measured a new one, or one per acknowledgement (--rtt-source ack).",
            kind: Kind::Histogram,
            unit: Unit::Seconds,
            labels: &[],
            source: "tcp_sock.srtt_us, when tcp_sock.delivered moved; or tcp_sock.rack.rtt_us, when tcp_sock.rack.end_seq moved",
        },
        fill: |row, points| points.histogram(&[], &row.rtt, row.held),
    },
    Family {
        desc: Desc {
            name: "tcp_rtt_quantile_seconds",
            help: "Quantile q of tcp_rtt_seconds over the last 60 s; q=\"1\" is the maximum.",
            kind: Kind::Gauge,
            unit: Unit::Seconds,
            labels: &["q"],
            source: "As tcp_rtt_seconds",
        },
        fill: |row, points| {
            if let Some(quantiles) = row.rtt_quantiles {
                for (name, value) in QUANTILE_NAMES.iter().zip(quantiles) {
                    points.gauge(&[name], value);
                }
            }
        },
    },
    Family {
        desc: Desc {
            name: "tcp_min_rtt_seconds",
            help: "Lowest round-trip time of the group's connections over the kernel's window (5 min by default).",
            kind: Kind::Gauge,
            unit: Unit::Seconds,
            labels: &[],
            source: "tcp_sock.rtt_min",
        },
        fill: |row, points| {
            if let (true, Some(ns)) = (row.live, row.min_rtt_ns) {
                points.gauge(&[], ns as f64 / 1e9);
            }
        },
    },
    Family {
        desc: Desc {
            name: "tcp_connections",
            help: "Connections now, by state.",
            kind: Kind::Gauge,
            unit: Unit::None,
            labels: &["state"],
            source: "sock_common.skc_state",
        },
        fill: |row, points| {
            if row.live {
                for (state, value) in ConnectionState::ALL.iter().zip(row.connections) {
                    if let Some(value) = value {
                        points.gauge(&[state.name()], value as f64);
                    }
                }
            }
        },
    },
    Family {
        desc: Desc {
            name: "tcp_sent_bytes_total",
            help: "Payload bytes sent, retransmissions left out.",
            kind: Kind::Counter,
            unit: Unit::Bytes,
            labels: &[],
            source: "tcp_sock.bytes_sent - tcp_sock.bytes_retrans",
        },
        fill: |row, points| points.count(&[], row.sent_bytes, row.held),
    },
    Family {
        desc: Desc {
            name: "tcp_received_bytes_total",
            help: "Payload bytes received.",
            kind: Kind::Counter,
            unit: Unit::Bytes,
            labels: &[],
            source: "tcp_sock.bytes_received",
        },
        fill: |row, points| points.count(&[], row.received_bytes, row.held),
    },
    Family {
        desc: Desc {
            name: "tcp_retransmitted_segments_total",
            help: "Segments retransmitted.",
            kind: Kind::Counter,
            unit: Unit::None,
            labels: &[],
            source: "tcp_sock.total_retrans",
        },
        fill: |row, points| points.count(&[], row.retransmitted_segments, row.held),
    },
    Family {
        desc: Desc {
            name: "tcp_sent_segments_total",
            help: "Segments with payload sent, retransmissions included.",
            kind: Kind::Counter,
            unit: Unit::None,
            labels: &[],
            source: "tcp_sock.data_segs_out",
        },
        fill: |row, points| points.count(&[], row.sent_segments, row.held),
    },
    Family {
        desc: Desc {
            name: "tcp_unread_bytes",
            help: "Bytes received and not yet read by the application (receive queue).",
            kind: Kind::Gauge,
            unit: Unit::Bytes,
            labels: &[],
            source: "tcp_sock.rcv_nxt - tcp_sock.copied_seq",
        },
        fill: |row, points| {
            if row.live {
                points.gauge(&[], row.unread_bytes as f64);
            }
        },
    },
    Family {
        desc: Desc {
            name: "tcp_unacked_bytes",
            help: "Bytes written and not yet acknowledged by the peer (send queue).",
            kind: Kind::Gauge,
            unit: Unit::Bytes,
            labels: &[],
            source: "tcp_sock.write_seq - tcp_sock.snd_una",
        },
        fill: |row, points| {
            if row.live {
                points.gauge(&[], row.unacked_bytes as f64);
            }
        },
    },
];
