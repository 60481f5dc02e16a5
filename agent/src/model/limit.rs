//! What can run out: how much of it is used, and when it will be gone.

use std::{net::IpAddr, sync::Arc};

use super::Owner;

/// Something of which there is only so much; the label `resource` of `limit_utilization_ratio`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    /// Descriptors of a process against `RLIMIT_NOFILE`: of a group, the worst member's.
    OpenFiles,
    /// Open files of the host against `fs.file-max`.
    HostOpenFiles,
    /// Process and thread ids against `kernel.pid_max`.
    HostPids,
    /// Threads of the host against `kernel.threads-max`.
    HostThreads,
    /// Threads of a user against `RLIMIT_NPROC`: the strictest of its processes' counts.
    UserThreads,
    /// Threads of a service against `pids.max`.
    ServicePids,
    /// Memory of a service, bytes, against `memory.max`.
    ServiceMemory,
    /// Tracked connections against `net.netfilter.nf_conntrack_max`.
    Conntrack,
    /// Connections waiting to be accepted against the limit of the queue.
    ListenBacklog,
    /// Local ports towards one remote address and port.
    EphemeralPorts,
    /// Bytes of a filesystem that an unprivileged process may use.
    FilesystemBytes,
    /// Inodes of a filesystem.
    FilesystemInodes,
}

impl Resource {
    /// The label value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenFiles => "open_files",
            Self::HostOpenFiles => "host_open_files",
            Self::HostPids => "host_pids",
            Self::HostThreads => "host_threads",
            Self::UserThreads => "user_threads",
            Self::ServicePids => "service_pids",
            Self::ServiceMemory => "service_memory",
            Self::Conntrack => "conntrack",
            Self::ListenBacklog => "listen_backlog",
            Self::EphemeralPorts => "ephemeral_ports",
            Self::FilesystemBytes => "filesystem_bytes",
            Self::FilesystemInodes => "filesystem_inodes",
        }
    }

    /// Whether its amounts are bytes; they are numbers of things otherwise.
    pub const fn is_bytes(self) -> bool {
        matches!(self, Self::ServiceMemory | Self::FilesystemBytes)
    }
}

/// Whose a limit is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Limited {
    /// The host.
    Host,
    /// A process of this group.
    Process(Owner),
    /// A user, by name; by number if it has none.
    User(Arc<str>),
    /// A container or unit.
    Service(Arc<str>),
    /// A socket that listens on this address and port.
    Listener {
        /// Bound address; a wildcard stays one.
        ip: IpAddr,
        /// Bound port.
        port: u16,
        /// Who listens.
        owner: Owner,
    },
    /// Ports between two addresses.
    Ports {
        /// Address here.
        local: IpAddr,
        /// Address there.
        remote: IpAddr,
        /// Port there.
        port: u16,
    },
    /// A mounted filesystem.
    Filesystem {
        /// What is mounted, as in `/proc/self/mountinfo`.
        device: Arc<str>,
        /// Where.
        mountpoint: Arc<str>,
        /// Type, as in `/proc/filesystems`.
        fstype: Arc<str>,
    },
    /// The fullest of all that are beyond the budget.
    Folded,
}

/// One limit and how near it is. Rows are in the snapshot by resource, the fullest first.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitRow {
    /// Of what.
    pub resource: Resource,
    /// Whose.
    pub of: Limited,
    /// Used: bytes or a number of things, as [`Resource::is_bytes`] says.
    pub used: u64,
    /// What there is, in the same unit; not 0.
    pub limit: u64,
    /// Seconds until all is used at the pace of the last hour; `None` while it does not grow, or
    /// was not watched for long enough, or where no pace is kept.
    pub seconds_to_full: Option<f64>,
}

impl LimitRow {
    /// `used` over `limit`.
    pub fn ratio(&self) -> f64 {
        self.used as f64 / self.limit.max(1) as f64
    }

    /// Orders rows of one resource: the fullest first, equal ones by name.
    pub fn fullest_first(&self, other: &Self) -> std::cmp::Ordering {
        let order = other.ratio().total_cmp(&self.ratio());
        order.then_with(|| self.of.cmp(&other.of))
    }
}
