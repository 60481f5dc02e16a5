//! Times to first byte: what their programs take per run, and how many requests a second that
//! makes before `auto` gives up.
//!
//! ```text
//! source  the programs alone, in either object
//! runs    per run and per turn: their own figure beside the kernel's
//! auto    an agent and more and more requests
//! ```

mod auto;
mod runs;
mod source;

use super::report::Report;

/// Measures.
pub fn measure(passes: usize, report: &mut Report) -> anyhow::Result<()> {
    eprintln!("times to first byte");
    runs::measure(passes, report)?;
    auto::measure(report)
}
