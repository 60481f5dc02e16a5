//! TCP sockets of all network namespaces.

pub mod diag;
mod diag_message;
mod diag_namespaces;
pub mod diag_socket;
pub mod identity;
pub mod netns;
mod netns_find;
pub mod sockstat;
pub mod time_wait;

#[cfg(test)]
mod foreign;
