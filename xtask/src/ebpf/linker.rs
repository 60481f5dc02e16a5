//! Finding bpf-linker, or building it from its crate.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::toolchain::Toolchain;
use crate::sh;
use crate::tree::Tree;

/// The version built when there is none, and the LLVM it then needs.
const VERSION: &str = "0.13.0";
const LLVM: u32 = 22;

/// A bpf-linker that runs.
pub struct Linker {
    /// Folder to put on `PATH`. The compiler gets the bare name, as a path would end up in the
    /// symbol names.
    pub folder: PathBuf,
    /// Its answer to `--version`.
    pub version: String,
}

impl Linker {
    /// The one on `PATH`, the one built earlier, or one built now.
    ///
    /// # Errors
    /// There is none and it cannot be built; the message says how to get one.
    pub fn find(tree: &Tree, toolchain: &Toolchain) -> Result<Self> {
        let tools = tree.target.join("tools");
        let found = sh::which("bpf-linker").and_then(|file| Self::inspect(&file));
        if let Some(linker) = found.or_else(|| Self::inspect(&tools.join("bin/bpf-linker"))) {
            return Ok(linker);
        }
        build(&tools, toolchain).with_context(|| {
            format!(
                "no bpf-linker on PATH, and building one failed; \
                 put a bpf-linker ≥ {VERSION} on PATH whose LLVM is at least that of `rustc -vV` \
                 (its releases carry static binaries; `cargo install bpf-linker` needs LLVM)"
            )
        })?;
        Self::inspect(&tools.join("bin/bpf-linker")).context("the bpf-linker just built won't run")
    }

    fn inspect(file: &Path) -> Option<Self> {
        let version = sh::probe(Command::new(file).arg("--version"))?
            .trim()
            .to_owned();
        Some(Self {
            folder: file.parent()?.to_owned(),
            version,
        })
    }
}

/// Builds bpf-linker into `tools`, against the LLVM that the compiler itself brings along.
fn build(tools: &Path, toolchain: &Toolchain) -> Result<()> {
    if toolchain.llvm != LLVM {
        bail!(
            "{} has LLVM {}, bpf-linker {VERSION} needs {LLVM}",
            toolchain.name,
            toolchain.llvm
        );
    }
    let lib = toolchain.sysroot.join("lib");
    let prefix = tools.join("llvm");
    let link = prefix.join("lib/libLLVM.so");
    fs::create_dir_all(prefix.join("lib"))?;
    match fs::remove_file(&link) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => symlink(shared_llvm(&lib)?, &link)?,
    }
    let mut install = toolchain.cargo(tools);
    install
        .args(["install", "bpf-linker", "--version", VERSION, "--locked"])
        .args([
            "--no-default-features",
            "--features",
            &format!("llvm-{LLVM}"),
        ])
        .arg("--root")
        .arg(tools)
        .arg("--target-dir")
        .arg(tools.join("build"))
        .env_remove("RUSTC_BOOTSTRAP")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("LLVM_PREFIX", &prefix)
        .env(
            "RUSTFLAGS",
            format!("-C link-arg=-Wl,-rpath,{}", lib.display()),
        );
    sh::run(&mut install)
}

/// The compiler's own `libLLVM.so.22…`.
fn shared_llvm(lib: &Path) -> Result<PathBuf> {
    let prefix = format!("libLLVM.so.{LLVM}");
    for entry in fs::read_dir(lib).with_context(|| format!("cannot list {}", lib.display()))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            return Ok(entry.path());
        }
    }
    bail!("no {prefix}… in {}", lib.display())
}
