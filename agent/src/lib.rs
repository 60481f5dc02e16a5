//! hostlens: what broke, where, and whose fault was it.
//!
//! Data flows one way, and the modules read in that order:
//!
//! ```text
//! kernel ──► collect ──► aggregate ──► model::Snapshot ──► expose (Prometheus, status)
//!  bpf(2)     BPF or      identity,      behind an Arc  └─► top    (terminal, --json)
//!             fallback    deltas, groups
//! ```
//!
//! `engine` drives one cycle after another, `cli` and `doctor` are the ways in.
//! `request` is the one way back: what clients and `top` ask the engine for.
//! `aggregate` is pure: no I/O, no clock. `metric` is the one table of exported families.

pub mod aggregate;
pub mod cli;
pub mod clock;
pub mod collect;
pub mod config;
pub mod doctor;
pub mod duration;
pub mod engine;
pub mod expose;
pub mod kernel;
pub mod metric;
pub mod model;
pub mod request;
pub mod top;
