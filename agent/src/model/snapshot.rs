//! The result of one cycle.

use std::time::{Duration, SystemTime};

use super::{
    ConnectionRow, DiskRow, DnsRow, FailureRow, FdRow, FilesystemRow, HostTotals, InterfaceRow,
    JobRow, LimitRow, ListenSettings, ListenerRow, ListenerTurnRow, MemberRow, OwnStats, PeerRow,
    PortUseRow, ProcessDiskRow, ProcessRow, RefusedRow, ResponseExclusions, ResponseRow,
    ServiceDiskRow, ServicePressureRow, ServiceRow, SwapRow, SwapUnattributed, UpstreamRow,
};

/// A complete cycle. Shared behind an `Arc`; never changed.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// 1 for the first cycle.
    pub sequence: u64,
    /// When the cycle ended.
    pub at: SystemTime,
    /// Time covered by rates: since the cycle before; zero in the first.
    pub interval: Duration,
    /// The host as a whole.
    pub host: HostOverview,
    /// Totals of the host; absent with `--no-host`.
    pub host_totals: Option<HostTotals>,
    /// Network interfaces, heaviest first, `other` last.
    pub interfaces: Vec<InterfaceRow>,
    /// Time that containers and units lost to waiting, most first, `other` last.
    pub service_pressure: Vec<ServicePressureRow>,
    /// TCP groups, heaviest first within a direction, `other` last.
    pub peers: Vec<PeerRow>,
    /// Times to first byte, heaviest first within a direction, `other` last; empty unless watched.
    pub responses: Vec<ResponseRow>,
    /// Turns left out of them, by direction.
    pub response_exclusions: Vec<ResponseExclusions>,
    /// Waiting and serving by listener, heaviest first, `other` last; empty unless watched.
    pub listener_turns: Vec<ListenerTurnRow>,
    /// Listeners, heaviest first, `other` last.
    pub listeners: Vec<ListenerRow>,
    /// What a full accept queue does here.
    pub listen_settings: ListenSettings,
    /// Lives of connections, heaviest first within a direction, `other` last.
    pub services: Vec<ServiceRow>,
    /// Attempts to connect that failed, heaviest first, `other` last.
    pub failures: Vec<FailureRow>,
    /// Connection requests we refused, heaviest first, `other` last.
    pub refused: Vec<RefusedRow>,
    /// Pools of peers, most uneven first.
    pub upstreams: Vec<UpstreamRow>,
    /// Local ports in use, fullest first.
    pub port_use: Vec<PortUseRow>,
    /// Name resolution, heaviest first, `other` last; empty unless asked for.
    pub dns: Vec<DnsRow>,
    /// What can run out, by resource, the fullest first, `other` last.
    pub limits: Vec<LimitRow>,
    /// Disks, heaviest first, `other` last.
    pub disks: Vec<DiskRow>,
    /// Services at disks, heaviest first, `other` last.
    pub service_disks: Vec<ServiceDiskRow>,
    /// Processes at disks, heaviest first, `other` last; empty unless asked for.
    pub process_disks: Vec<ProcessDiskRow>,
    /// Filesystems, those that hang first, then the fullest.
    pub filesystems: Vec<FilesystemRow>,
    /// Descriptors by type, of the groups that hold most.
    pub fds: Vec<FdRow>,
    /// Whether owners are told apart by service: else no row has that label.
    pub service_label: bool,
    /// Process groups, heaviest first, `other` last.
    pub processes: Vec<ProcessRow>,
    /// Swap I/O, heaviest first, `other` last; empty until there is some.
    pub swap: Vec<SwapRow>,
    /// Swap I/O nobody was charged with; absent without swap, or where the kernel's sums are not
    /// compared.
    pub swap_unattributed: Option<SwapUnattributed>,
    /// Live connections; empty unless details were asked for.
    pub connections: Vec<ConnectionRow>,
    /// Single processes; empty unless details were asked for.
    pub members: Vec<MemberRow>,
    /// Processes of one session or service together, heaviest first; empty unless details were
    /// asked for.
    pub jobs: Vec<JobRow>,
    /// The agent itself.
    pub own: OwnStats,
}

impl Snapshot {
    /// A cycle that saw nothing.
    pub fn empty(sequence: u64, at: SystemTime) -> Self {
        Self {
            sequence,
            at,
            interval: Duration::ZERO,
            host: HostOverview::default(),
            host_totals: None,
            interfaces: Vec::new(),
            service_pressure: Vec::new(),
            peers: Vec::new(),
            responses: Vec::new(),
            response_exclusions: Vec::new(),
            listener_turns: Vec::new(),
            listeners: Vec::new(),
            listen_settings: ListenSettings::default(),
            services: Vec::new(),
            failures: Vec::new(),
            refused: Vec::new(),
            upstreams: Vec::new(),
            port_use: Vec::new(),
            dns: Vec::new(),
            limits: Vec::new(),
            fds: Vec::new(),
            disks: Vec::new(),
            service_disks: Vec::new(),
            process_disks: Vec::new(),
            filesystems: Vec::new(),
            service_label: true,
            processes: Vec::new(),
            swap: Vec::new(),
            swap_unattributed: None,
            connections: Vec::new(),
            members: Vec::new(),
            jobs: Vec::new(),
            own: OwnStats::default(),
        }
    }
}

/// One line about the host, from `/proc`. Absent fields could not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HostOverview {
    /// Online CPUs.
    pub cpus: Option<u64>,
    /// CPUs busy over the last cycle (1.0 = one CPU).
    pub cpu_busy: Option<f64>,
    /// Total memory, bytes.
    pub memory_total: Option<u64>,
    /// Available memory, bytes.
    pub memory_available: Option<u64>,
    /// Total swap, bytes.
    pub swap_total: Option<u64>,
    /// Free swap, bytes.
    pub swap_free: Option<u64>,
    /// Load averages over 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
}

/// What the birth of a series waits for (`expose` knows, `aggregate` asks).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BirthGate {
    /// Every scraper active in the last 10 minutes has been served some snapshot with this
    /// sequence or a later one; `None`: no scraper is active, nothing needs to wait.
    pub served_floor: Option<u64>,
}
