//! Processes: the record of a living one, of one that ended, and of an interpreter's execve.

mod counters;
mod exec;
mod fds;
mod record;

pub use exec::{interpreter, read_args};
pub use record::{ended, walk};
