//! `cargo xtask bench`: what hostlens costs, beside others.

use anyhow::Result;

use crate::descendants::Descendants;
use crate::sh;
use crate::test::BINARY;
use crate::tree::Tree;

/// Options.
#[derive(clap::Args)]
pub struct Args {
    /// Passed on; see `cargo xtask bench -- --help`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Builds both binaries with optimisation and runs the benchmark.
///
/// # Errors
/// They do not compile, or a load cannot be had.
pub fn run(tree: &Tree, args: &Args) -> Result<()> {
    let _descendants = Descendants::adopt();
    let hostlens = tree.build_hostlens(true)?;
    let mut build = tree.cargo();
    build.args([
        "build",
        "--locked",
        "--release",
        "--package",
        "hostlens-tests",
    ]);
    build.args(["--bin", "hostlens-bench"]);
    sh::run(&mut build)?;
    let mut bench = std::process::Command::new(tree.target.join("release/hostlens-bench"));
    bench.args(&args.arguments).env(BINARY, hostlens);
    sh::run(&mut bench)
}
