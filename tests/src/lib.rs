//! What the end-to-end tests stand on. Every helper owns what it creates (processes, namespaces,
//! links, devices) and removes it when dropped, also when its test fails.
//!
//! Helpers panic with a message when the ground truth itself cannot be had: that fails the test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a broken helper must fail its test"
)]

pub mod agent;
pub mod bpf;
pub mod bracket;
pub mod cgroup;
pub mod daemon;
pub mod deadline;
pub mod delay_link;
pub mod fuse;
pub mod handshake;
pub mod held_thread;
pub mod holder;
pub mod host;
pub mod http;
pub mod listen_truth;
pub mod loop_device;
pub mod memory_cgroup;
pub mod memory_limit;
pub mod netns;
pub mod output;
pub mod packet_truth;
pub mod prefork;
pub mod process_truth;
pub mod prometheus;
pub mod puppet;
pub mod random;
pub mod response;
pub mod scrape;
pub mod swap;
pub mod sysctl;
pub mod tcp_truth;
pub mod tmux;
pub mod top;
pub mod traffic;
pub mod urgent;
pub mod workload;
