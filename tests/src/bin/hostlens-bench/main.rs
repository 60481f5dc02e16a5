//! What hostlens costs, beside what others cost for the same facts, measured in one run.
//!
//! ```text
//! plan     which loads, which measurements, in which order
//! load     the loads, played by helper processes (this program under another command)
//! cycle    raw iterators, hostlens' cycle, ss, /proc, other exporters: CPU time per pass
//! encode   time per series of each format
//! memory   a running agent's resident memory
//! programs time per run of each kernel program
//! listeners the poll of listening sockets
//! pingpong what the agent does to the traffic it watches
//! response what times to first byte take per run and turn, and where auto gives up
//! report   the table: figure, target, verdict
//! ```
//!
//! Nothing is asserted: a verdict is for people, who know what else the machine was doing.

mod cpu;
mod cycle;
mod encode;
mod exporter;
mod helper;
mod listeners;
mod load;
mod memory;
mod namespaces;
mod pingpong;
mod plan;
mod programs;
mod raw;
mod report;
mod response;
mod stats;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measures what hostlens costs on this host.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Args {
    #[command(flatten)]
    options: plan::Options,
    #[command(subcommand)]
    role: Option<Role>,
}

/// What a helper process does.
#[derive(Debug, Subcommand)]
enum Role {
    /// Play a load until standard input ends
    #[command(subcommand, hide = true)]
    Load(load::Load),
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match args.role {
        Some(Role::Load(load)) => load.play(),
        None => plan::run(&args.options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
