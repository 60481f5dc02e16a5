//! The command line.

mod agent;
mod manager;
mod metrics;
mod options;
mod refusal;
mod top;
mod values;

use std::{path::PathBuf, process::ExitCode};

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::{collect::filesystem::helper, doctor};

pub use options::{AgentOptions, CollectOptions, LogOptions};

/// What broke, where, and whose fault was it: the network, the disk, or which process of which
/// user?
#[derive(Debug, Parser)]
#[command(
    name = "hostlens",
    version,
    propagate_version = true,
    max_term_width = 100
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Collect in the background and serve Prometheus
    ///
    /// Serves /metrics (OpenMetrics, Prometheus text, protobuf with native histograms), /status,
    /// /healthz and /readyz. Runs without privileges too, but then sees less and says so.
    Agent(Box<AgentOptions>),
    /// Look at processes, peers and connections now
    ///
    /// On the screen, or as text (--batch) or JSON (--json) for other programs. As root it uses
    /// kernel programs; without privileges it shows what netlink and /proc give.
    Top {
        /// What to show
        #[command(flatten)]
        top: crate::top::TopOptions,
        /// What to collect
        #[command(flatten)]
        collect: CollectOptions,
        /// What to log
        #[command(flatten)]
        log: LogOptions,
    },
    /// Say what works on this host, from where each signal comes, and why not from better
    ///
    /// Exit code 0: everything has its best source; 1: degraded; 2: unusable.
    Doctor {
        /// As one JSON object
        #[arg(long)]
        json: bool,
        /// What to collect
        #[command(flatten)]
        collect: CollectOptions,
        /// What to log
        #[command(flatten)]
        log: LogOptions,
    },
    /// List every exported metric
    Metrics {
        /// As the reference page in docs/metrics.md
        #[arg(long)]
        markdown: bool,
    },
    /// Asks one filesystem for its room, once per line read
    #[command(name = helper::COMMAND, hide = true)]
    Statfs {
        /// Where it is mounted
        path: PathBuf,
    },
}

/// The command line as it describes itself, for man pages and completions: without what it only
/// says to itself.
pub fn command() -> clap::Command {
    let whole = Cli::command().disable_help_subcommand(true);
    let shown: Vec<_> = whole
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .cloned()
        .collect();
    // Commands can be added to a command line, not taken from it.
    let mut command = clap::Command::new("hostlens")
        .version(env!("CARGO_PKG_VERSION"))
        .propagate_version(true)
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .subcommands(shown);
    if let Some(about) = whole.get_about() {
        command = command.about(about.clone());
    }
    command
}

/// Runs the program.
///
/// # Errors
/// One line that names what was wrong and how to mend it.
pub fn run() -> anyhow::Result<ExitCode> {
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) => return refusal::answer(&error),
    };
    helper::offer();
    match command {
        Command::Agent(options) => agent::run(&options),
        Command::Top { top, collect, log } => top::run(&top, &collect, &log),
        Command::Doctor { json, collect, log } => {
            log.start("error");
            doctor::run(json, collect.engine(false)?)
        }
        Command::Metrics { markdown } => metrics::run(markdown),
        Command::Statfs { path } => {
            helper::serve(&path)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
