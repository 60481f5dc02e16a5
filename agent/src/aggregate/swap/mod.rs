//! Swap I/O, grouped by whose pages were moved.

mod account;
mod balance;
mod table;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use balance::SwapBalance;
pub use table::SwapTable;

/// How swap I/O is grouped and for how long groups are kept.
#[derive(Clone, Copy, Debug)]
pub struct SwapConfig {
    /// Label sets; `other` is not counted.
    pub budget: usize,
    /// How long counters stay after the last page.
    pub retention: Duration,
    /// Whether shared memory is told apart by service.
    pub service_label: bool,
    /// Whether [`SwapTable::single`] is wanted.
    pub details: bool,
}
