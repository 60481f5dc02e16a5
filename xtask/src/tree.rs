//! Where things are in this repository.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::sh;

/// The repository.
pub struct Tree {
    /// Folder of the workspace's `Cargo.toml`.
    pub root: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
}

impl Tree {
    /// Finds the repository this program was built from.
    ///
    /// # Errors
    /// Cargo cannot describe the workspace.
    pub fn find() -> Result<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let metadata = metadata(here, &["--no-deps"])?;
        Ok(Self {
            root: metadata.workspace_root,
            target: metadata.target_directory,
        })
    }

    /// `cargo` in the repository's root.
    pub fn cargo(&self) -> std::process::Command {
        let mut cargo = sh::cargo();
        cargo.current_dir(&self.root);
        cargo
    }

    /// Builds the `hostlens` binary, with optimisation if `release`, and says where it is.
    ///
    /// # Errors
    /// It does not compile.
    pub fn build_hostlens(&self, release: bool) -> Result<PathBuf> {
        let mut build = self.cargo();
        build.args(["build", "--locked", "--package", "hostlens"]);
        if release {
            build.arg("--release");
        }
        sh::run(&mut build)?;
        let profile = if release { "release" } else { "debug" };
        Ok(self.target.join(profile).join("hostlens"))
    }
}

/// What we read of `cargo metadata`.
#[derive(Deserialize)]
pub struct Metadata {
    /// Packages, those of the workspace and, if asked for, all they depend on.
    pub packages: Vec<Package>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

/// One package.
#[derive(Deserialize)]
pub struct Package {
    /// Package name.
    pub name: String,
    /// Its manifest.
    pub manifest_path: PathBuf,
    /// Where it came from; `None` for packages of this workspace.
    pub source: Option<String>,
    /// What it builds.
    pub targets: Vec<Target>,
}

/// One thing a package builds.
#[derive(Deserialize)]
pub struct Target {
    /// Target name.
    pub name: String,
    /// `bin`, `lib`, …
    pub kind: Vec<String>,
}

/// `cargo metadata` of the workspace around `folder`; fetches what is not yet there.
///
/// # Errors
/// Cargo fails, or its answer has another shape than the documented one.
pub fn metadata(folder: &Path, options: &[&str]) -> Result<Metadata> {
    let mut cargo = sh::cargo();
    cargo
        .current_dir(folder)
        .args(["metadata", "--locked", "--format-version", "1"])
        .args(options);
    let text = sh::output(&mut cargo)?;
    serde_json::from_str(&text).context("cargo metadata has an unknown shape")
}
