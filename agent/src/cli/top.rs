//! `hostlens top`: an engine of its own, and the view on it.

use std::{process::ExitCode, sync::Arc, time::Duration};

use super::{CollectOptions, LogOptions};
use crate::{
    aggregate::Store,
    engine::Runner,
    model::{BirthGate, Snapshot},
    top::{self, Feed, TopOptions},
};

/// Shows until told to end.
pub fn run(
    options: &TopOptions,
    collect: &CollectOptions,
    log: &LogOptions,
) -> anyhow::Result<ExitCode> {
    // The screen is not for log lines: what is degraded stands in its notice.
    log.start("off");
    let store = Store::default();
    let gate = Box::new(BirthGate::default);
    let engine = collect.engine(true)?;
    let request = engine.response_request.clone();
    let runner = Runner::spawn(engine, options.interval, true, store, gate)?;
    top::run(options, &mut EngineFeed { runner: &runner }, &request)?;
    Ok(ExitCode::SUCCESS)
}

struct EngineFeed<'a> {
    runner: &'a Runner,
}

impl Feed for EngineFeed<'_> {
    fn latest(&self) -> Option<Arc<Snapshot>> {
        self.runner.store().latest()
    }

    fn wait_newer(&self, sequence: u64, timeout: Duration) -> Option<Arc<Snapshot>> {
        self.runner.store().wait_newer(sequence, timeout)
    }
}
