//! Who accepts at a listening socket, and what keeps them from it. From `/proc` alone: the
//! holders of a socket are looked for at first sight and when processes come or go, what their
//! threads do is read only while a queue stands.

mod family;
mod holders;
mod tasks;

pub use family::{Family, Kin};
pub use holders::{HolderFinder, Holders, Sought};
pub use tasks::TaskSampler;

/// What the threads of the processes that accept did between two looks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TaskUse {
    /// Processes that hold the socket.
    pub processes: u32,
    /// Their threads.
    pub threads: u32,
    /// Time between the looks, seconds.
    pub seconds: f64,
    /// Seconds on a CPU, summed over threads.
    pub running: f64,
    /// Seconds runnable without a CPU, summed over threads.
    pub waiting: f64,
}
