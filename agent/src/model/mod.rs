//! What a finished cycle leaves behind: plain rows, complete and immutable. Exposition and `top`
//! read nothing else.

pub mod budget;
mod connection;
mod disk;
mod dns;
mod fds;
mod filesystem;
mod histogram;
mod host;
mod job;
mod limit;
mod listener;
mod own;
mod owner;
mod peer;
mod process;
mod response;
mod server;
mod service;
mod snapshot;
mod swap;

pub use connection::ConnectionRow;
pub use disk::{
    BusySeconds, DiskOpRow, DiskRow, DiskUser, DiskVerdict, ProcessDiskRow, ServiceDiskRow,
};
pub use dns::{DnsKey, DnsRow, FailedName, RCODES};
pub use fds::{FdRow, fd_type};
pub use filesystem::{FilesystemRow, Inodes, Room};
pub use histogram::{Histogram, QUANTILES, SampleCounts};
pub use host::{
    CPU_MODES, HostTotals, InterfaceRow, MEMORY_TYPES, Pressure, RESOURCES, STALLS,
    ServicePressureRow, Traffic,
};
pub use job::{JobKey, JobRow};
pub use limit::{LimitRow, Limited, Resource};
pub use listener::{
    ListenSettings, ListenerKey, ListenerRates, ListenerRow, RefusedKey, RefusedRow, Saturation,
    SaturationReason,
};
pub use own::{
    Budget, ConfigStatus, CrossCheck, Lost, MapFill, OwnStats, ProgramState, ProgramStatus, Scope,
    SourceStatus, Stage,
};
pub use owner::{Owner, UNKNOWN};
pub use peer::{ConnectionState, PeerKey, PeerRates, PeerRow, Remote};
pub use process::{ExitReason, MemberRow, Memory, ProcessId, ProcessRates, ProcessRow};
pub use response::{
    Detached, EXCLUDED_NAMES, ListenerTurnRow, ResponseExclusions, ResponseMode, ResponseRow,
    ResponseState, ResponseStatus,
};
pub use server::{FormatStats, ServerStats};
pub use service::{
    AbortCause, CloseReason, ConnectError, FailureKey, FailureRow, Heaviest, PortUseRow,
    ServiceKey, ServiceRates, ServiceRow, UpstreamRow,
};
pub use snapshot::{BirthGate, HostOverview, Snapshot};
pub use swap::{SwapKey, SwapMeasure, SwapNobody, SwapRates, SwapRow, SwapUnattributed};

/// A label set is shown under this value once it is beyond its budget or outside the own networks.
pub const OTHER: &str = "other";
