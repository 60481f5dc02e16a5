//! The one binary: parse, run, print `error: …`, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    match hostlens::cli::run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
