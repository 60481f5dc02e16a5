//! Families of listening sockets, and of the settings that decide what a full queue does.

use super::{
    Exposed, Family, LabelValues, Points, Row, Unit,
    define::{counter, gauge},
    row::{SERVICE_NOTE, push_owner},
};
use crate::model::{ListenSettings, ListenerKey, ListenerRow, OTHER, SaturationReason};

/// Labels that identify a [`ListenerRow`].
pub const LISTENER_LABELS: &[&str] = &["listen_ip", "listen_port", "process", "user", "service"];

impl Row for ListenerRow {
    const AREA: &'static str = "TCP listeners";
    const LABELS: &'static [&'static str] = LISTENER_LABELS;
    const NOTE: &'static str = SERVICE_NOTE;
    const OWNER_SERVICE: Option<&'static str> = Some("service");
    const FAMILIES: &'static [Family<Self>] = LISTENER_FAMILIES;

    fn rows(exposed: Exposed<'_>) -> &[Self] {
        &exposed.snapshot.listeners
    }

    fn label_values(&self, values: &mut LabelValues) {
        push_listener(values, &self.key);
    }

    fn folded(&self) -> bool {
        self.key == ListenerKey::Folded
    }
}

/// Pushes the labels that identify a listener.
pub(super) fn push_listener(values: &mut LabelValues, key: &ListenerKey) {
    match key {
        ListenerKey::Bound { ip, port, owner } => {
            values.push(ip);
            values.push(port);
            push_owner(values, Some(owner));
        }
        ListenerKey::Folded => values.repeat(OTHER, LISTENER_LABELS.len()),
    }
}

/// A gauge of sockets there are now.
fn now(row: &ListenerRow, points: &mut dyn Points, value: Option<f64>) {
    if let (true, Some(value)) = (row.live, value) {
        points.gauge(&[], value);
    }
}

fn counted(row: &ListenerRow, points: &mut dyn Points, value: Option<u64>) {
    if let Some(value) = value {
        points.count(&[], value, row.held);
    }
}

/// Every family a [`ListenerRow`] fills.
pub const LISTENER_FAMILIES: &[Family<ListenerRow>] = &[
    gauge(
        "tcp_listen_queue_length",
        Unit::None,
        &[],
        "Connections established and waiting to be accepted, of the fullest socket.",
        "sock.sk_ack_backlog",
        |row, points| now(row, points, Some(row.queue_length as f64)),
    ),
    gauge(
        "tcp_listen_queue_limit",
        Unit::None,
        &[],
        "Limit of that socket's queue: the lower of the argument of listen(2) and net.core.somaxconn.",
        "sock.sk_max_ack_backlog",
        |row, points| now(row, points, Some(row.queue_limit as f64)),
    ),
    gauge(
        "tcp_listen_queue_high_water",
        Unit::None,
        &[],
        "Longest queue of any socket over the last 60 s, polled at least 10 times a second.",
        "sock.sk_ack_backlog",
        |row, points| now(row, points, Some(row.high_water as f64)),
    ),
    counter(
        "tcp_listen_drops_total",
        Unit::None,
        &[],
        "Connection requests dropped, nearly always because the queue was full.",
        "sock.sk_drops",
        |row, points| points.count(&[], row.drops, row.held),
    ),
    counter(
        "tcp_accepted_total",
        Unit::None,
        &[],
        "Connections accepted.",
        "connections established on the listener, less those in its queue",
        |row, points| counted(row, points, row.accepted),
    ),
    counter(
        "tcp_listen_resets_total",
        Unit::None,
        &[],
        "Resets sent instead of a place in the queue.",
        "tracepoint tcp_send_reset",
        |row, points| counted(row, points, row.resets),
    ),
    gauge(
        "tcp_accept_oldest_wait_seconds",
        Unit::Seconds,
        &[],
        "Age of the oldest connection established but not accepted; 0 while none waits.",
        "time of establishment of the sockets in the queue",
        |row, points| now(row, points, row.oldest_wait_seconds),
    ),
    gauge(
        "tcp_listener_sockets",
        Unit::None,
        &[],
        "Listening sockets that share these labels, in whatever network namespace.",
        "sockets in state LISTEN",
        |row, points| now(row, points, Some(row.sockets as f64)),
    ),
    gauge(
        "tcp_listener_processes",
        Unit::None,
        &[],
        "Processes that hold one of the listening sockets.",
        "/proc/PID/fd",
        |row, points| now(row, points, row.processes.map(|value| value as f64)),
    ),
    gauge(
        "tcp_listener_threads",
        Unit::None,
        &[],
        "Threads of those processes.",
        "/proc/PID/task",
        |row, points| now(row, points, row.threads.map(|value| value as f64)),
    ),
    gauge(
        "tcp_listener_accept_imbalance_ratio",
        Unit::Ratio,
        &[],
        "Accepts of the busiest socket or worker over the mean of all, over the last 60 s; 1 if all accept alike.",
        "connections established by listening socket",
        |row, points| now(row, points, row.accept_imbalance),
    ),
    gauge(
        "tcp_listener_saturated",
        Unit::None,
        &["reason"],
        "1 if the listener does not keep up for this reason, 0 if not; absent where that cannot be judged.",
        "the queue, its drops, and state and run-queue delay of the tasks that accept",
        |row, points| {
            if row.live && row.judged {
                let verdict = row.saturation.as_ref().map(|saturation| saturation.reason);
                for reason in SaturationReason::ALL {
                    let value = if verdict == Some(reason) { 1.0 } else { 0.0 };
                    points.gauge(&[reason.name()], value);
                }
            }
        },
    ),
];

impl Row for ListenSettings {
    const AREA: &'static str = "TCP listener settings";
    const LABELS: &'static [&'static str] = &[];
    const FAMILIES: &'static [Family<Self>] = LISTEN_SETTING_FAMILIES;

    fn rows(exposed: Exposed<'_>) -> &[Self] {
        std::slice::from_ref(&exposed.snapshot.listen_settings)
    }

    fn label_values(&self, _values: &mut LabelValues) {}
}

/// Every family [`ListenSettings`] fill.
pub const LISTEN_SETTING_FAMILIES: &[Family<ListenSettings>] = &[
    gauge(
        "tcp_abort_on_overflow",
        Unit::None,
        &[],
        "1: a full accept queue answers with a reset; 0: it drops, and the client tries again later.",
        "/proc/sys/net/ipv4/tcp_abort_on_overflow of the agent's network namespace",
        |settings, points| {
            if let Some(on) = settings.abort_on_overflow {
                points.gauge(&[], if on { 1.0 } else { 0.0 });
            }
        },
    ),
    gauge(
        "tcp_somaxconn",
        Unit::None,
        &[],
        "The most that the argument of listen(2) can ask for.",
        "/proc/sys/net/core/somaxconn of the agent's network namespace",
        |settings, points| {
            if let Some(limit) = settings.somaxconn {
                points.gauge(&[], limit as f64);
            }
        },
    ),
];
