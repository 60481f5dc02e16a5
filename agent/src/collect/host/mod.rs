//! The host as a whole, the kernel's own totals to check sums against, and the agent itself.

pub mod cpu;
pub mod facts;
pub mod overview;
pub mod own;
pub mod snmp;
