//! `hostlens agent`: engine, server, and an orderly end.

use std::{process::ExitCode, sync::Arc};

use anyhow::Context as _;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use super::{AgentOptions, manager::Manager};
use crate::{
    aggregate::Store,
    clock::Moment,
    config::LiveConfig,
    engine::{EngineOptions, Runner},
    expose::{Server, ServerOptions},
};

/// Serves until SIGTERM or SIGINT.
pub fn run(options: &AgentOptions) -> anyhow::Result<ExitCode> {
    options.log.start(if options.collect.ebpf_log {
        "debug"
    } else {
        "info"
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(serve(options))?;
    // Encoders still at work are not waited for.
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

async fn serve(options: &AgentOptions) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;
    let mut hangup = signal(SignalKind::hangup()).context("cannot watch for SIGHUP")?;
    let store = Store::default();
    let engine_options = EngineOptions {
        retention: options.series_retention,
        ..options.collect.engine(false)?
    };
    let config = engine_options.config.clone();
    let watched = store.clone();
    let manager = Manager::find();
    let server = Server::bind(
        &options.listen,
        ServerOptions {
            series_limit: options.series_limit as usize,
            config: config.clone(),
            response: engine_options.response_request.clone(),
            ..ServerOptions::default()
        },
        Arc::new(store.clone()),
    )?;
    for address in server.addresses() {
        tracing::info!("listening on http://{address}");
        if !address.ip().is_loopback() {
            tracing::warn!("{address} can be reached from other hosts, without password or TLS");
        }
    }
    let scrapers = server.scrapers();
    let gate = Box::new(move || scrapers.gate(Moment::now()));
    let interval = options.interval;
    let runner = tokio::task::spawn_blocking(move || {
        Runner::spawn(engine_options, interval, false, store, gate)
    })
    .await
    .context("the engine could not be started")??;

    let (stop, stopped) = watch::channel(false);
    let mut serving = tokio::spawn(server.run(async move {
        // The sender going away ends it too.
        let _ = stopped.clone().wait_for(|stop| *stop).await;
    }));
    let reloads = async {
        while hangup.recv().await.is_some() {
            manager.reloading();
            reload(config.clone()).await;
            manager.reloaded();
        }
        std::future::pending().await
    };
    tokio::select! {
        () = reloads => {}
        _ = terminate.recv() => tracing::info!("SIGTERM: ending"),
        _ = interrupt.recv() => tracing::info!("SIGINT: ending"),
        () = watch_engine(&runner, &watched, &manager) => anyhow::bail!("the engine's thread ended unexpectedly"),
        ended = &mut serving => return ended.context("the server ended")?,
    }
    manager.stopping();
    let _ = stop.send(true);
    let ended = serving.await.context("the server ended")?;
    drop(runner);
    ended
}

/// Reads the configuration again; what came of it is in the log and in the agent's own metrics.
async fn reload(config: Option<LiveConfig>) {
    match config {
        // Reading may block; a panic in it was reported by its thread.
        Some(config) => drop(tokio::task::spawn_blocking(move || config.reload()).await),
        None => tracing::info!("SIGHUP: nothing to read again without --config"),
    }
}

/// Returns if the engine's thread is gone: serving old numbers for ever would be a lie. Until then
/// the service manager hears how it fares.
async fn watch_engine(runner: &Runner, store: &Store, manager: &Manager) {
    while runner.is_running() {
        manager.progress(store.latest().is_some(), runner.turns());
        tokio::time::sleep(manager.pause()).await;
    }
}
