//! What a person sees and what a pipe gets, from fixed snapshots.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod answering;
mod door;
pub mod fixture;
mod golden;
mod order;
mod output;
mod response;
mod screens;
pub mod session;
