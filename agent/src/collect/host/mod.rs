//! The host as a whole, and the agent on it.

pub mod cpu;
pub mod facts;
pub mod overview;
pub mod own_usage;
pub mod totals;
