//! `cargo xtask test`: unit tests, then end-to-end tests of the release binary.

mod packages;
mod tally;

use std::path::Path;

use anyhow::{Result, bail};

use crate::descendants::Descendants;
use crate::sh;
use crate::tree::Tree;
use tally::Tally;

/// Package of the end-to-end tests.
const END_TO_END: &str = "hostlens-tests";
/// Tells the end-to-end tests and the benchmark where the binary is.
pub const BINARY: &str = "HOSTLENS_BIN";
/// Tells the end-to-end tests that what cannot run is a failure.
const REQUIRE: &str = "HOSTLENS_REQUIRE";

/// Options.
#[derive(clap::Args, Default)]
pub struct Args {
    /// Run only tests whose name contains this
    #[arg(long)]
    filter: Option<String>,
    /// Leave out the end-to-end tests
    #[arg(long)]
    unit: bool,
}

/// Runs the tests.
///
/// # Errors
/// A test fails, or something the tests need cannot be had.
pub fn run(tree: &Tree, args: &Args) -> Result<()> {
    let descendants = Descendants::adopt();
    let mut total = Tally::default();
    let mut succeeded = total.run(
        || {
            let mut unit = tree.cargo();
            unit.args(["test", "--locked", "--no-fail-fast"]);
            unit.args(["--workspace", "--exclude", END_TO_END]);
            unit
        },
        args.filter.as_deref(),
        &descendants,
    )?;
    let skipped = if args.unit {
        Some("not asked for")
    } else {
        obstacle()
    };
    if skipped.is_none() {
        packages::install()?;
        let binary = tree.build_hostlens(true)?;
        succeeded &= total.run(
            || {
                let mut tests = tree.cargo();
                tests.args(["test", "--locked", "--no-fail-fast"]);
                tests.args(["--package", END_TO_END]);
                tests.env(BINARY, &binary).env(REQUIRE, "1");
                tests
            },
            args.filter.as_deref(),
            &descendants,
        )?;
    }
    println!();
    if let Some(reason) = skipped {
        println!("end-to-end tests skipped: {reason}");
    }
    total.print();
    if !succeeded {
        bail!("tests failed");
    }
    Ok(())
}

/// Why the end-to-end tests cannot run here, if so.
fn obstacle() -> Option<&'static str> {
    if !sh::is_root() {
        Some("they need root (namespaces, kernel programs)")
    } else if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        Some("this kernel has no BTF (/sys/kernel/btf/vmlinux)")
    } else {
        None
    }
}
