//! `cargo xtask docs`: pages that the binary itself knows best.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::sh;
use crate::tree::Tree;

/// Page → arguments of `hostlens` that print it.
const PAGES: [(&str, &[&str]); 1] = [("docs/metrics.md", &["metrics", "--markdown"])];

/// Options.
#[derive(clap::Args)]
pub struct Args {
    /// Change nothing: fail if a page is not what would be written
    #[arg(long)]
    pub check: bool,
}

/// Writes or checks the pages.
///
/// # Errors
/// The binary does not compile, or a page differs.
pub fn run(tree: &Tree, args: &Args) -> Result<()> {
    let hostlens = tree.build_hostlens(false)?;
    for (page, arguments) in PAGES {
        let text = sh::output(Command::new(&hostlens).args(arguments))?;
        ensure!(
            !text.trim().is_empty(),
            "hostlens {} printed nothing",
            arguments.join(" ")
        );
        let file = tree.root.join(page);
        if !args.check {
            fs::write(&file, text).with_context(|| format!("cannot write {page}"))?;
            println!("{page}");
        } else if fs::read_to_string(&file).ok().as_deref() != Some(text.as_str()) {
            bail!("{page} is missing or out of date: run `cargo xtask docs`");
        }
    }
    Ok(())
}
