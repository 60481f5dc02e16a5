//! Whose a socket is.

use std::sync::Arc;

/// Name of a process or user that is not known.
pub const UNKNOWN: &str = "unknown";

/// Grouped process name, user and service, as in the process families.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    /// Grouped process name.
    pub process: Arc<str>,
    /// User name, number if it has none.
    pub user: Arc<str>,
    /// Container or unit; empty if it belongs to neither, or that is not told apart.
    pub service: Arc<str>,
}

impl Owner {
    /// The owner of what nobody could name.
    pub fn unknown() -> Self {
        Self {
            process: UNKNOWN.into(),
            user: UNKNOWN.into(),
            service: "".into(),
        }
    }
}
