//! From sources to stripped objects.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result, bail, ensure};

use super::flags::{FLAGS, Remap};
use super::linker::Linker;
use super::object;
use super::toolchain::Toolchain;
use crate::sh;
use crate::tree::{Tree, metadata};

/// Package of the kernel programs.
const PACKAGE: &str = "hostlens-ebpf";
const TARGET: &str = "bpfel-unknown-none";
const PROFILE: &str = "bpf";

/// Everything needed to compile.
pub struct Compiler {
    /// Compiler.
    pub toolchain: Toolchain,
    /// Linker.
    pub linker: Linker,
}

impl Compiler {
    /// Finds, and where possible gets, compiler and linker, and says which.
    ///
    /// # Errors
    /// One of them is not to be had; the message says what to do.
    pub fn find(tree: &Tree) -> Result<Self> {
        let toolchain = Toolchain::find()?;
        eprintln!("compiler: {} ({})", toolchain.version, toolchain.name);
        let linker = Linker::find(tree, &toolchain)?;
        eprintln!("linker: {} ({})", linker.version, linker.folder.display());
        Ok(Self { toolchain, linker })
    }

    /// Compiles all programs: object name (without `.o`) → bytes, BTF kept, DWARF removed.
    ///
    /// # Errors
    /// They do not compile, there are none, or a path of this machine is left in one.
    pub fn objects(&self, tree: &Tree) -> Result<BTreeMap<String, Vec<u8>>> {
        let programs = programs(tree)?;
        let remap = Remap::find(&tree.root, &self.toolchain)?;
        let flags: Vec<String> = FLAGS
            .iter()
            .map(|&flag| flag.to_owned())
            .chain(remap.flags())
            .collect();
        // A folder of its own: `RUSTC_BOOTSTRAP` changes what build scripts find out.
        let target = tree.target.join("ebpf");
        let mut build = self.toolchain.cargo(&tree.root);
        build
            .args([
                "build",
                "--locked",
                "--package",
                PACKAGE,
                "--bins",
                "--features",
                "bpf",
            ])
            .args([
                "--profile",
                PROFILE,
                "--target",
                TARGET,
                "-Z",
                "build-std=core",
            ])
            .arg("--target-dir")
            .arg(&target)
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
            .env("PATH", sh::path_with(&self.linker.folder)?);
        sh::run(&mut build)?;
        let mut objects = BTreeMap::new();
        for name in programs {
            let file = target.join(TARGET).join(PROFILE).join(&name);
            let linked =
                fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let stripped = object::strip(&linked).with_context(|| format!("object {name}"))?;
            let calling = object::calling(&stripped)?;
            ensure!(
                calling.is_empty(),
                "object {name}: {calling:?} call functions of their own, which is not safe on \
                 every kernel: see FLAGS in xtask/src/ebpf/flags.rs"
            );
            if let Some(folder) = remap.leftover(&stripped) {
                bail!(
                    "object {name} names a folder of this machine: {}",
                    folder.display()
                );
            }
            objects.insert(name, stripped);
        }
        Ok(objects)
    }

    /// Lints the kernel programs for their own target.
    ///
    /// # Errors
    /// A lint or the compiler complains.
    pub fn clippy(&self, tree: &Tree) -> Result<()> {
        let mut clippy = self.toolchain.cargo(&tree.root);
        clippy
            .args([
                "clippy",
                "--locked",
                "--package",
                PACKAGE,
                "--bins",
                "--features",
                "bpf",
            ])
            .args([
                "--profile",
                PROFILE,
                "--target",
                TARGET,
                "-Z",
                "build-std=core",
            ])
            .arg("--target-dir")
            .arg(tree.target.join("ebpf"))
            .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}"))
            .args(["--", "-D", "warnings"]);
        sh::run(&mut clippy)
    }
}

/// Names of the kernel programs' objects, as the package declares them.
///
/// # Errors
/// Cargo cannot describe the workspace, or there are no programs.
pub fn programs(tree: &Tree) -> Result<Vec<String>> {
    let metadata = metadata(&tree.root, &["--no-deps"])?;
    let names: Vec<String> = metadata
        .packages
        .into_iter()
        .filter(|package| package.name == PACKAGE)
        .flat_map(|package| package.targets)
        .filter(|target| target.kind.iter().any(|kind| kind == "bin"))
        .map(|target| target.name)
        .collect();
    if names.is_empty() {
        bail!("package {PACKAGE} declares no [[bin]]");
    }
    Ok(names)
}
