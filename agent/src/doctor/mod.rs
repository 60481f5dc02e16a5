//! `hostlens doctor`: what works on this host, from where, and why not from better.

mod balance;
mod report;
mod text;

use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;

use crate::{
    collect::host::facts,
    engine::{Engine, EngineOptions},
    model::BirthGate,
};

pub use balance::Balance;
pub use report::{Health, Report};

/// Time between the two cycles of an examination: enough for ring buffers to have something.
const PAUSE: Duration = Duration::from_millis(200);

/// Cycles beyond these two at most, until the memory of all processes is read.
const MORE_CYCLES: usize = 20;

/// Loads everything, runs two cycles, reports. Exit code: see [`Health`].
///
/// # Errors
/// The report could not be written.
pub fn run(json: bool, options: EngineOptions) -> anyhow::Result<ExitCode> {
    let report = examine(&options);
    let text = if json {
        let mut text = serde_json::to_string(&report).context("cannot write the report")?;
        text.push('\n');
        text
    } else {
        text::render(&report)
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    Ok(ExitCode::from(report.health().exit_code()))
}

/// Examines this host.
pub fn examine(options: &EngineOptions) -> Report {
    let facts = facts::read();
    match Engine::start(options) {
        Ok(mut engine) => {
            engine.cycle(BirthGate::default());
            std::thread::sleep(PAUSE);
            engine.drain();
            let mut snapshot = engine.cycle(BirthGate::default());
            for _ in 0..MORE_CYCLES {
                if snapshot.own.scope.memory_pending == 0 {
                    break;
                }
                engine.drain();
                snapshot = engine.cycle(BirthGate::default());
            }
            Report::new(facts, &snapshot)
        }
        Err(error) => Report::unusable(facts, format!("{error:#}")),
    }
}
