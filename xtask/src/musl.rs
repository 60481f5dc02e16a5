//! Static binaries: they run on any kernel and distribution.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use object::build::elf::Builder;
use object::elf::PT_INTERP;

use crate::sh;
use crate::tree::Tree;

/// What static binaries are built for.
pub const TARGET: &str = "x86_64-unknown-linux-musl";

/// Builds the binaries of these packages with optimisation; the folder they are then in.
///
/// # Errors
/// Something does not compile, or the standard library for [`TARGET`] cannot be had.
pub fn build(tree: &Tree, packages: &[&str]) -> Result<PathBuf> {
    add_target()?;
    let mut build = tree.cargo();
    build.args(["build", "--locked", "--release", "--target", TARGET]);
    for package in packages {
        build.args(["--package", package]);
    }
    sh::run(&mut build)?;
    Ok(folder(tree))
}

/// Where the binaries are once built.
pub fn folder(tree: &Tree) -> PathBuf {
    tree.target.join(TARGET).join("release")
}

/// A binary's bytes.
///
/// # Errors
/// It cannot be read, or is not static.
pub fn read(file: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let elf = Builder::read(bytes.as_slice())?;
    let interpreted = elf
        .segments
        .iter()
        .any(|segment| segment.p_type == PT_INTERP);
    ensure!(!interpreted, "{} is not statically linked", file.display());
    drop(elf);
    Ok(bytes)
}

/// Has rustup add the standard library for [`TARGET`] if it is not there.
fn add_target() -> Result<()> {
    let sysroot = sh::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    if Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(TARGET)
        .is_dir()
    {
        return Ok(());
    }
    sh::run(Command::new("rustup").args(["target", "add", TARGET]))
        .with_context(|| format!("the standard library for {TARGET} is needed"))
}
