//! `cargo xtask vm`: boots other kernels and asks hostlens there what it can do.
//!
//! Each machine runs `hostlens doctor` and `hostlens top` over a little traffic, and an agent that
//! times questions and answers of known length. A kernel passes if it refuses none of the programs
//! (one it cannot support is not loaded), if the traffic and the processes are seen, from whatever
//! source, and if those times are the ones both ends measured.

pub mod apt;
mod initramfs;
mod kernel;
mod payload;
mod qemu;
mod report;
mod response;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::descendants::Descendants;
use crate::tree::Tree;
use report::Report;

/// Oldest series supported, long-term series, and whatever is newest.
const ALL: [&str; 5] = ["5.10", "6.1", "6.12", "6.18", kernel::NEWEST];
/// The two ends.
const QUICK: [&str; 2] = ["5.10", kernel::NEWEST];
/// A machine needs some 30 s; emulation on a busy host may take a multiple.
const LIMIT: Duration = Duration::from_secs(300);

/// Options.
#[derive(clap::Args, Default)]
pub struct Args {
    /// Kernel series, e.g. 5.10 or newest; a selection from oldest to newest if none is given
    pub series: Vec<String>,
    /// Only the oldest and the newest
    #[arg(long, conflicts_with = "series")]
    pub quick: bool,
}

/// Boots each kernel; `Some(reason)` if nothing could be tried.
///
/// # Errors
/// The payload does not compile, or hostlens fails on a kernel.
pub fn run(tree: &Tree, args: &Args) -> Result<Option<String>> {
    let _descendants = Descendants::adopt();
    let series: Vec<&str> = match (args.series.as_slice(), args.quick) {
        ([], true) => QUICK.to_vec(),
        ([], false) => ALL.to_vec(),
        (given, _) => given.iter().map(String::as_str).collect(),
    };
    let cache = tree.target.join("vm-cache");
    let kernels = match kernel::fetch(&cache, &series) {
        Ok(kernels) => kernels,
        Err(error) => return Ok(Some(format!("no kernel image to be had: {error:#}"))),
    };
    let qemu = match qemu::Qemu::find(&cache) {
        Ok(qemu) => qemu,
        Err(error) => return Ok(Some(format!("no emulator to be had: {error:#}"))),
    };
    let initramfs = payload::initramfs(tree, &cache)?;
    let mut reports = Vec::new();
    for kernel in kernels {
        let start = Instant::now();
        let console = qemu.boot(&kernel.image, &initramfs, LIMIT)?;
        let report = Report::read(&kernel.release, &console);
        println!(
            "{:<28} {:>5.1} s",
            kernel.release,
            start.elapsed().as_secs_f64()
        );
        if !report.failures.is_empty() {
            let log = cache.join(format!("{}.log", kernel.release));
            std::fs::write(&log, console)?;
            println!("  console: {}", log.display());
        }
        reports.push(report);
    }
    report::print(&reports);
    let failed = reports
        .iter()
        .filter(|report| !report.failures.is_empty())
        .count();
    if failed > 0 {
        bail!("hostlens fails on {failed} of {} kernels", reports.len());
    }
    Ok(None)
}
