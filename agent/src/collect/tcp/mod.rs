//! TCP sockets of all network namespaces.

pub mod ack;
pub mod bpf;
pub mod bpf_hash;
pub mod diag;
mod diag_listener_book;
mod diag_listener_message;
pub mod diag_listeners;
mod diag_message;
mod diag_namespaces;
pub mod diag_socket;
mod door;
pub mod ends;
pub mod identity;
pub mod netns;
mod netns_find;
pub mod owners;
mod owners_fds;
mod owners_pass;
pub mod places;
mod refused;
pub mod refused_fallback;
pub mod settings;
mod slots;
pub mod sockstat;
pub mod time_wait;
pub mod turns;

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
mod turn_duplex_tests;
#[cfg(test)]
mod turn_tests;
#[cfg(test)]
mod unread_tests;
