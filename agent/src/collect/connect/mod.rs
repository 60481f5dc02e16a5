//! Attempts to connect that fail inside `connect()`, before anything is sent: no route, or one
//! that says no. No socket changes its state for them, so no other source sees them.
//!
//! ```text
//! bpf ─► attempt that never reached SYN_SENT ─► thread   has it left connect()?
//!                                            └► route    what is the route's verdict?
//! ```

pub mod bpf;
mod route;
mod thread;
