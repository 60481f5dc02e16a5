//! What runs in the machine: statically linked, so that it needs nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use object::build::elf::Builder;
use object::elf::PT_INTERP;

use super::initramfs::Initramfs;
use crate::sh;
use crate::tree::Tree;

const TARGET: &str = "x86_64-unknown-linux-musl";

/// The commands, by the name under which their result is reported.
pub const COMMANDS: [(&str, &str); 3] = [
    (
        "doctor",
        "/hostlens doctor --json --dns --rtt-source ack --response-time on",
    ),
    ("top", "/hostlens top --json -n 1"),
    ("response", "/init response"),
];

/// Builds the root file system of the machines into `cache`.
///
/// # Errors
/// Something does not compile, or is not static.
pub fn initramfs(tree: &Tree, cache: &Path) -> Result<PathBuf> {
    add_target()?;
    let mut build = tree.cargo();
    build.args(["build", "--locked", "--release", "--target", TARGET]);
    build.args(["--package", "hostlens", "--package", "vm-init"]);
    sh::run(&mut build)?;
    let built = tree.target.join(TARGET).join("release");
    let mut archive = Initramfs::default();
    for folder in ["dev", "proc", "sys", "tmp"] {
        archive.folder(folder);
    }
    archive.device("dev/console", 5, 1);
    archive.file("init", true, &read_static(&built.join("vm-init"))?);
    archive.file("hostlens", true, &read_static(&built.join("hostlens"))?);
    let lines = COMMANDS.map(|(name, command)| format!("{name} {command}\n"));
    archive.file("payload", false, lines.concat().as_bytes());
    let file = cache.join("initramfs");
    fs::write(&file, archive.finish())
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
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

fn read_static(file: &Path) -> Result<Vec<u8>> {
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
