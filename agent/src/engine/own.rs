//! CPU and memory of the agent itself.

use crate::{collect::host::own_usage, model::OwnStats};

/// Reads the agent's own usage.
#[derive(Default)]
pub struct OwnReader;

impl OwnReader {
    /// A report with nothing but usage filled in.
    pub fn read(&self) -> OwnStats {
        let usage = own_usage::read();
        OwnStats {
            cpu_seconds: usage.cpu_seconds,
            rss_bytes: usage.rss_bytes,
            ..OwnStats::default()
        }
    }
}
