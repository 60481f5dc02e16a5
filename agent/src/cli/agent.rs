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
    config::{LiveConfig, LiveWeb},
    engine::{EngineOptions, Runner},
    expose::{ListenAddress, Server, ServerOptions, Sockets},
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
    let web = options.web_config_file.clone();
    let web = web.map(LiveWeb::open).transpose()?;
    let scheme = match &web {
        Some(web) if web.speaks_tls() => "https",
        _ => "http",
    };
    let watched = store.clone();
    let manager = Manager::find();
    let server = Server::new(
        sockets(&options.listen)?,
        ServerOptions {
            series_limit: options.series_limit as usize,
            config: config.clone(),
            web,
            response: engine_options.response_request.clone(),
            ..ServerOptions::default()
        },
        Arc::new(store.clone()),
    )?;
    for address in server.addresses() {
        match address {
            ListenAddress::Tcp(address) => tracing::info!("listening on {scheme}://{address}"),
            ListenAddress::Unix(_) => tracing::info!("listening on {address} ({scheme})"),
        }
    }
    if let Some(warning) = server.warning() {
        tracing::warn!("{warning}");
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

/// The sockets that systemd opened for us, or else those of the command line.
fn sockets(addresses: &[ListenAddress]) -> anyhow::Result<Sockets> {
    match Sockets::from_systemd()? {
        Some(sockets) => Ok(sockets),
        None => Sockets::bind(addresses),
    }
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
