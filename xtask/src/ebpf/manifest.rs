//! `ebpf/prebuilt/MANIFEST.json`: what the committed objects were made with and from.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::compile::Compiler;
use super::flags::FLAGS;
use super::sources;

/// The record beside the objects.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// First line of `rustc -vV`.
    pub compiler: String,
    /// `bpf-linker --version`.
    pub linker: String,
    /// Compiler flags, those that rename folders left out.
    pub flags: Vec<String>,
    /// [`sources::hash`].
    pub sources: String,
    /// SHA-256 of each object, by file name.
    pub objects: BTreeMap<String, String>,
}

impl Manifest {
    /// The record for objects just made.
    ///
    /// # Errors
    /// The sources cannot be read.
    pub fn new(
        root: &Path,
        compiler: &Compiler,
        objects: &BTreeMap<String, Vec<u8>>,
    ) -> Result<Self> {
        Ok(Self {
            compiler: compiler.toolchain.version.clone(),
            linker: compiler.linker.version.clone(),
            flags: FLAGS.map(str::to_owned).to_vec(),
            sources: sources::hash(root)?,
            objects: objects
                .iter()
                .map(|(name, bytes)| (format!("{name}.o"), sources::digest(bytes)))
                .collect(),
        })
    }

    /// Reads the record.
    ///
    /// # Errors
    /// It is missing or has another shape.
    pub fn read(root: &Path) -> Result<Self> {
        let file = Self::file(root);
        let text = fs::read_to_string(&file).with_context(|| {
            format!(
                "cannot read {}; `cargo xtask ebpf` writes it",
                file.display()
            )
        })?;
        serde_json::from_str(&text).with_context(|| format!("{}", file.display()))
    }

    /// Writes the record.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, root: &Path) -> Result<()> {
        let file = Self::file(root);
        fs::write(&file, serde_json::to_string_pretty(self)? + "\n")
            .with_context(|| format!("cannot write {}", file.display()))
    }

    fn file(root: &Path) -> PathBuf {
        folder(root).join("MANIFEST.json")
    }
}

/// Where the committed objects are.
pub fn folder(root: &Path) -> PathBuf {
    root.join("ebpf/prebuilt")
}
