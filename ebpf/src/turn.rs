//! Turns of a conversation over TCP: who asks, who answers, and how long that took. Pure, the same
//! in kernel programs and in tests.
//!
//! One way of a connection asks and the other answers: a connection we opened asks by what it
//! sends, one that a peer opened by what it receives. An event is a segment that has arrived and is
//! not processed yet, or the end of the connection. What was sent since the event before comes
//! first: nothing arrived in between. A turn begins with the first byte of a question and is decided
//! at the first byte of the answer: it is a sample, or left out for one reason.
//!
//! ```text
//! Unknown ──answer──▶ Answering ──question──▶ Asking ──answer──▶ Answering
//! ```

mod burst;
mod core;
mod doubt;
mod event;
mod network;
mod owed;
mod speech;

#[cfg(test)]
mod duplex_tests;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use self::{
    core::Turn,
    event::{Nanos, Outcome, Segment, Socket},
};
