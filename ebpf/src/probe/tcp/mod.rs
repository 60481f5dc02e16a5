//! TCP sockets: what is remembered of each, when it changes, and the record it becomes.
//!
//! ```text
//! memory      what is remembered of a socket, and where
//! transition  its life-cycle up to the close
//! ack         a round-trip time per acknowledgement
//! turn        a time to first byte per question and answer
//! place       which group a connection belongs to
//! group       the slot of a group
//! end         its end, and what an application reads after that
//! owner       whose it is
//! record      the record it becomes
//! listen      listening sockets, polled several times a second
//! reset       resets we send
//! ```

pub mod ack;
mod end;
pub mod group;
mod listen;
mod memory;
mod owner;
pub mod place;
mod record;
mod reset;
mod transition;
pub mod turn;

pub use end::{End, on_destroy};
pub use listen::{Listeners, poll};
pub use memory::{SockState, Sockets};
pub use owner::{Current, Task, on_read};
pub use record::walk;
pub use reset::{Refusals, on_reset};
pub use transition::{adopt, on_transition, seed};
