//! TCP sockets of all network namespaces.

pub mod bpf;
pub mod bpf_hash;
pub mod diag;
mod diag_message;
mod diag_namespaces;
pub mod diag_socket;
mod door;
pub mod ends;
pub mod identity;
pub mod netns;
mod netns_find;
mod refused;
pub mod settings;
pub mod sockstat;
pub mod time_wait;

#[cfg(test)]
mod foreign;
