//! `cargo xtask`: everything that builds, checks and tests hostlens beyond plain `cargo build`.
//!
//! ```text
//! ebpf  compiles the kernel programs into ebpf/prebuilt, or checks what is there
//! docs  writes the generated pages, or checks them
//! test  unit tests, then end-to-end tests on this kernel
//! vm    boots other kernels and tries hostlens there
//! package  builds the static binary, the Debian package and the rpm, or tries them
//! bench measures what hostlens costs, beside others
//! ci    every check, in the order a reviewer would want to hear of a failure
//! ```

mod bench;
mod ci;
mod descendants;
mod docs;
mod ebpf;
mod musl;
mod package;
mod sh;
mod test;
mod tree;
mod vm;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Builds, checks and tests hostlens.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    disable_version_flag = true
)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Compile the kernel programs into ebpf/prebuilt
    Ebpf(ebpf::Args),
    /// Write the generated pages under docs/
    Docs(docs::Args),
    /// Unit tests, then end-to-end tests on the running kernel
    Test(test::Args),
    /// Boot other kernels under emulation and try hostlens there
    Vm(vm::Args),
    /// Build the static binary, the Debian package and the rpm
    Package(package::Args),
    /// Measure what hostlens costs, beside other programs
    Bench(bench::Args),
    /// All checks: format, lints, documentation, kernel objects, tests, other kernels
    Ci,
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<()> {
    let tree = tree::Tree::find()?;
    match args.task {
        Task::Ebpf(args) => ebpf::run(&tree, &args),
        Task::Docs(args) => docs::run(&tree, &args),
        Task::Test(args) => test::run(&tree, &args),
        Task::Vm(args) => {
            if let Some(reason) = vm::run(&tree, &args)? {
                println!("skipped: {reason}");
            }
            Ok(())
        }
        Task::Package(args) => package::run(&tree, &args),
        Task::Bench(args) => bench::run(&tree, &args),
        Task::Ci => ci::run(&tree),
    }
}
