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
pub mod sockstat;
pub mod time_wait;

#[cfg(test)]
mod foreign;
#[cfg(test)]
mod forked;
#[cfg(test)]
mod listener_tests;
#[cfg(test)]
mod observed;
#[cfg(test)]
mod owner_tests;
#[cfg(test)]
mod unread_tests;
