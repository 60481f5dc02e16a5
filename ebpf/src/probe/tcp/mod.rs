//! TCP sockets: what is remembered of each, when it changes, and the record it becomes.

pub mod ack;
mod memory;
mod record;
mod transition;

pub use memory::{SockState, Sockets};
pub use record::walk;
pub use transition::{End, on_transition, seed};
