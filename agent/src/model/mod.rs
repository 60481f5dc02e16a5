//! What a finished cycle leaves behind: plain rows, complete and immutable. Exposition and `top`
//! read nothing else.

mod connection;
mod histogram;
mod own;
mod peer;
mod process;
mod server;
mod snapshot;

pub use connection::ConnectionRow;
pub use histogram::{Histogram, QUANTILES, SampleCounts};
pub use own::{
    Budget, CrossCheck, Lost, MapFill, OwnStats, ProgramState, ProgramStatus, Scope, SourceStatus,
    Stage,
};
pub use peer::{ConnectionState, PeerKey, PeerRates, PeerRow, Remote};
pub use process::{ExitReason, MemberRow, Memory, ProcessId, ProcessRates, ProcessRow};
pub use server::{FormatStats, ServerStats};
pub use snapshot::{BirthGate, HostOverview, Snapshot};

/// A label set is shown under this value once it is beyond its budget or outside the own networks.
pub const OTHER: &str = "other";
