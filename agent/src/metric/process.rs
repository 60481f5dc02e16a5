//! Families of processes.

use crate::model::ProcessRow;

use super::Family;

/// Labels that identify a [`ProcessRow`].
pub const PROCESS_LABELS: &[&str] = &["process", "user"];

/// Every family a [`ProcessRow`] fills.
pub const PROCESS_FAMILIES: &[Family<ProcessRow>] = &[];
