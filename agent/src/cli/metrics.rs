//! `hostlens metrics`: the metric table.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use crate::metric;

/// Prints the table.
pub fn run(markdown: bool) -> anyhow::Result<ExitCode> {
    let text = if markdown {
        metric::reference()
    } else {
        metric::listing()
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}
