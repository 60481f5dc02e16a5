//! `hostlens top`: the last snapshot on a terminal, as plain text or as JSON. Reads
//! [`Snapshot`] and nothing else.
//!
//! ```text
//! Feed ──► history ─┐
//!      └─► rows ────┴► view ──► terminal        keys ──► state ──► rows
//!      └─► batch, json ──► standard output
//! ```
//!
//! Rows, layout and state are pure. A view is one table in `columns`.

mod alert;
mod answers;
mod batch;
mod columns;
mod filter;
mod history;
pub(crate) mod human;
mod input;
mod item;
mod json;
mod keys;
mod layout;
mod notice;
mod options;
mod overview;
mod rows;
mod screen;
mod stack;
mod state;
mod terminal;
#[cfg(test)]
mod tests;
mod text;
mod theme;
mod value;
mod view;
mod watch;
mod words;
mod words_disk;

use std::{sync::Arc, time::Duration};

use crate::{model::Snapshot, request::ResponseRequest};

pub use columns::View;
pub use options::TopOptions;

/// Where snapshots come from. They should carry connections and members (details).
pub trait Feed {
    /// The last complete snapshot, if there is one.
    fn latest(&self) -> Option<Arc<Snapshot>>;

    /// The last complete snapshot, once it is newer than `sequence`; `None` after `timeout`.
    fn wait_newer(&self, sequence: u64, timeout: Duration) -> Option<Arc<Snapshot>>;
}

/// Shows what `feed` has until the user leaves, enough was printed or a signal comes. `request` is
/// how the screen asks for times to first byte, while it is looked at.
///
/// # Errors
/// When an option makes no sense, or the terminal or standard output cannot be used. Nobody
/// reading standard output any more is no error.
pub fn run(
    options: &TopOptions,
    feed: &mut dyn Feed,
    request: &ResponseRequest,
) -> anyhow::Result<()> {
    if options.interactive() {
        screen::run(options, feed, request)
    } else {
        batch::run(options, feed)
    }
}
