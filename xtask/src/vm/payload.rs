//! What runs in the machine: statically linked, so that it needs nothing else.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::initramfs::Initramfs;
use crate::musl;
use crate::tree::Tree;

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
    let built = musl::build(tree, &["hostlens", "vm-init"])?;
    let mut archive = Initramfs::default();
    for folder in ["dev", "proc", "sys", "tmp"] {
        archive.folder(folder);
    }
    archive.device("dev/console", 5, 1);
    archive.file("init", true, &musl::read(&built.join("vm-init"))?);
    archive.file("hostlens", true, &musl::read(&built.join("hostlens"))?);
    let lines = COMMANDS.map(|(name, command)| format!("{name} {command}\n"));
    archive.file("payload", false, lines.concat().as_bytes());
    let file = cache.join("initramfs");
    fs::write(&file, archive.finish())
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}
