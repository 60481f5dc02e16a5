//! Families of limits.

use super::{Exposed, Family, LabelValues, Row, Unit, define::gauge};
use crate::model::{LimitRow, Limited, OTHER, Resource};

/// Labels that identify a [`LimitRow`].
pub const LIMIT_LABELS: &[&str] = &[
    "resource",
    "process",
    "user",
    "service",
    "listen_ip",
    "listen_port",
    "local_ip",
    "remote_ip",
    "remote_port",
    "device",
    "mountpoint",
    "fstype",
];

impl Row for LimitRow {
    const AREA: &'static str = "Limits";
    const LABELS: &'static [&'static str] = LIMIT_LABELS;
    const NOTE: &'static str = "Beside `resource` only the labels of what is limited are there: \
        `open_files` has `process`, `user` and, if there is one, `service`; `user_threads` has \
        `user`; `service_pids` and \
        `service_memory` have `service`; `listen_backlog` has `listen_ip`, `listen_port`, \
        `process`, `user` and `service`; `ephemeral_ports` has `local_ip`, `remote_ip` and `remote_port`; \
        `filesystem_bytes` and `filesystem_inodes` have `device`, `mountpoint` and `fstype`; \
        `host_open_files`, `host_pids`, `host_threads` and `conntrack` have none. Of what is \
        beyond the budget the fullest is shown, with `other` in their place.";
    const FAMILIES: &'static [Family<Self>] = LIMIT_FAMILIES;
    const OWNER_SERVICE: Option<&'static str> = Some("service");

    fn rows(exposed: Exposed<'_>) -> &[Self] {
        &exposed.snapshot.limits
    }

    fn label_values(&self, values: &mut LabelValues) {
        for label in LIMIT_LABELS {
            match (*label, &self.of) {
                ("resource", _) => values.push_str(self.resource.name()),
                (label, Limited::Folded) if own_labels(self.resource).contains(&label) => {
                    values.push_str(OTHER);
                }
                ("process", Limited::Process(owner) | Limited::Listener { owner, .. }) => {
                    values.push_str(&owner.process);
                }
                ("user", Limited::Process(owner) | Limited::Listener { owner, .. }) => {
                    values.push_str(&owner.user);
                }
                ("service", Limited::Process(owner) | Limited::Listener { owner, .. }) => {
                    values.push_str(&owner.service);
                }
                ("user", Limited::User(user)) => values.push_str(user),
                ("service", Limited::Service(service)) => values.push_str(service),
                ("listen_ip", Limited::Listener { ip, .. }) => values.push(ip),
                ("listen_port", Limited::Listener { port, .. }) => values.push(port),
                ("local_ip", Limited::Ports { local, .. }) => values.push(local),
                ("remote_ip", Limited::Ports { remote, .. }) => values.push(remote),
                ("remote_port", Limited::Ports { port, .. }) => values.push(port),
                ("device", Limited::Filesystem { device, .. }) => values.push_str(device),
                ("mountpoint", Limited::Filesystem { mountpoint, .. }) => {
                    values.push_str(mountpoint);
                }
                ("fstype", Limited::Filesystem { fstype, .. }) => values.push_str(fstype),
                _ => values.skip(),
            }
        }
    }

    fn folded(&self) -> bool {
        self.of == Limited::Folded
    }

    fn class(&self) -> u8 {
        self.resource as u8
    }
}

/// Labels of what is limited.
const fn own_labels(resource: Resource) -> &'static [&'static str] {
    match resource {
        Resource::OpenFiles => &["process", "user", "service"],
        Resource::UserThreads => &["user"],
        Resource::ServicePids | Resource::ServiceMemory => &["service"],
        Resource::ListenBacklog => &["process", "user", "service", "listen_ip", "listen_port"],
        Resource::EphemeralPorts => &["local_ip", "remote_ip", "remote_port"],
        Resource::FilesystemBytes | Resource::FilesystemInodes => {
            &["device", "mountpoint", "fstype"]
        }
        Resource::HostOpenFiles
        | Resource::HostPids
        | Resource::HostThreads
        | Resource::Conntrack => &[],
    }
}

/// Every family a [`LimitRow`] fills.
pub const LIMIT_FAMILIES: &[Family<LimitRow>] = &[
    gauge(
        "limit_utilization_ratio",
        Unit::Ratio,
        &[],
        "How much of a limit is used; at 1 there is no more.",
        "fdtable.open_fds; /proc/sys/fs/file-nr; /proc/loadavg; /proc/PID/limits; memory.current, pids.current and their maxima; nf_conntrack_count; accept queues; sockets; statfs(2)",
        |row, points| points.gauge(&[], row.ratio()),
    ),
    gauge(
        "limit_time_to_full_seconds",
        Unit::Seconds,
        &[],
        "Time until the limit is reached at the pace of the last hour; absent while it is not approached.",
        "a straight line through the last hour",
        |row, points| {
            if let Some(seconds) = row.seconds_to_full {
                points.gauge(&[], seconds);
            }
        },
    ),
];
