//! Lives of connections by whose they are, and attempts to connect that failed.
//!
//! ```text
//! tcp::life: opened, ended, late unread ─► ServiceTable ─► ServiceRow
//!            failed                     ─► FailureTable ─► FailureRow
//! ```

mod account;
mod classify;
mod errno;
mod failure;
mod life;
mod table;
mod window;

pub(super) use classify::{connect_error, is_connect_failure};
pub use failure::BUDGET as FAILURE_BUDGET;
pub(super) use failure::FailureTable;
pub(super) use life::{End, Life};
pub use table::BUDGET as SERVICE_BUDGET;
pub(super) use table::ServiceTable;
