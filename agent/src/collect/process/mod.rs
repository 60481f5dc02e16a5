//! Processes: what they consume and what they are called.

pub mod bpf;
pub mod fd_types;
pub mod fds;
pub mod memory;
pub mod names;
mod names_args;
mod names_comm;
mod names_interpreter;
mod names_resolver;
mod names_subject;
pub mod procfs;
pub(super) mod procfs_stat;
pub mod sessions;
pub mod users;
