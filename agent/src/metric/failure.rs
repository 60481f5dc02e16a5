//! Families of attempts to connect that came to nothing.

use super::{
    Exposed, Family, LabelValues, Row, Unit,
    define::counter,
    row::{SERVICE_NOTE, push_owner, push_remote},
};
use crate::model::{FailureKey, FailureRow, OTHER};

/// Labels that identify a [`FailureRow`].
pub const FAILURE_LABELS: &[&str] = &[
    "process",
    "user",
    "service",
    "remote_ip",
    "remote_port",
    "error_type",
];

impl Row for FailureRow {
    const AREA: &'static str = "TCP connect failures";
    const LABELS: &'static [&'static str] = FAILURE_LABELS;
    const NOTE: &'static str = SERVICE_NOTE;
    const OWNER_SERVICE: Option<&'static str> = Some("service");
    const FAMILIES: &'static [Family<Self>] = FAILURE_FAMILIES;

    fn rows(exposed: Exposed<'_>) -> &[Self] {
        &exposed.snapshot.failures
    }

    fn label_values(&self, values: &mut LabelValues) {
        match &self.key {
            FailureKey::Attempt {
                owner,
                remote,
                remote_port,
                error,
            } => {
                push_owner(values, Some(owner));
                push_remote(values, *remote);
                values.push(remote_port);
                values.push_str(error.name());
            }
            FailureKey::Folded => values.repeat(OTHER, FAILURE_LABELS.len()),
        }
    }

    fn folded(&self) -> bool {
        self.key == FailureKey::Folded
    }
}

/// Every family a [`FailureRow`] fills.
pub const FAILURE_FAMILIES: &[Family<FailureRow>] = &[counter(
    "tcp_connect_failures_total",
    Unit::None,
    &[],
    "Attempts to connect that failed; error_type is refused, reset, timeout, host_unreachable, network_unreachable, aborted, address_not_available, permission_denied or other.",
    "tracepoint inet_sock_set_state, sock.sk_err; the return value of connect(2) where no packet was sent",
    |row, points| points.count(&[], row.failures, row.held),
)];
