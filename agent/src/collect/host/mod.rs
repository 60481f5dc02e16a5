//! The host as a whole, and the agent on it.

pub mod cpu;
pub mod disks;
pub mod facts;
pub mod files;
pub mod interfaces;
pub mod overview;
pub mod own_usage;
pub mod pressure;
pub mod totals;
pub mod vmstat;
