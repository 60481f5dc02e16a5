//! Families of the agent itself.

use super::OwnFamily;

/// Every family [`crate::model::OwnStats`] fills.
pub const OWN_FAMILIES: &[OwnFamily] = &[];
