//! `cargo xtask package`: the static binary, and a Debian package and an rpm made of it.
//!
//! What is in the packages is said in `agent/Cargo.toml`. `--test` installs, upgrades and removes
//! them in a system of their own.

mod install;
mod root;
mod tool;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::musl;
use crate::sh;
use crate::tree::Tree;
use tool::Tool;

/// Options.
#[derive(clap::Args)]
pub struct Args {
    /// Package the static binary that is there already
    #[arg(long)]
    no_build: bool,
    /// Install, upgrade, remove and purge the packages in a system made for it (needs root, apt)
    #[arg(long)]
    test: bool,
}

/// Two builds of the same package, the second newer.
struct Pair {
    old: PathBuf,
    new: PathBuf,
}

/// Builds the packages and says where they are and how large.
///
/// # Errors
/// Something does not compile, a tool cannot be had, or with `--test` a package misbehaves.
pub fn run(tree: &Tree, args: &Args) -> Result<()> {
    if !args.no_build {
        musl::build(tree, &["hostlens"])?;
    }
    let binary = musl::folder(tree).join("hostlens");
    // Refuses one that would need libraries of the host.
    musl::read(&binary)?;
    let folder = tree.target.join("package");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let deb = debian(tree, &folder, 1)?;
    let rpm = redhat(tree, &folder, 1)?;
    for file in [&binary, &deb, &rpm] {
        let bytes = fs::metadata(file)?.len();
        println!("{:>6.2} MB  {}", bytes as f64 / 1e6, file.display());
    }
    if args.test {
        let newer = folder.join("newer");
        fs::create_dir_all(&newer)?;
        let debs = Pair {
            old: deb,
            new: debian(tree, &newer, 2)?,
        };
        let rpms = Pair {
            old: rpm,
            new: redhat(tree, &newer, 2)?,
        };
        install::test(&folder, &debs, &rpms)?;
    }
    Ok(())
}

fn debian(tree: &Tree, folder: &Path, revision: u32) -> Result<PathBuf> {
    let file = folder.join("hostlens.deb");
    let mut make = Tool::Deb.command(tree)?;
    make.args(["--package", "hostlens", "--target", musl::TARGET]);
    make.args(["--no-build", "--no-strip", "--locked", "--quiet"]);
    make.args(["--deb-revision", &revision.to_string(), "--output"]);
    sh::run(make.arg(&file))?;
    Ok(file)
}

fn redhat(tree: &Tree, folder: &Path, release: u32) -> Result<PathBuf> {
    let file = folder.join("hostlens.rpm");
    let mut make = Tool::Rpm.command(tree)?;
    make.args(["--package", "agent", "--target", musl::TARGET]);
    make.args(["--set-metadata", &format!("release = \"{release}\"")]);
    make.arg("--output");
    sh::run(make.arg(&file))?;
    Ok(file)
}
