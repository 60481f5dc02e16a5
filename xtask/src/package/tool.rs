//! The programs that make packages.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::sh;
use crate::tree::Tree;

/// One of them.
#[derive(Clone, Copy)]
pub enum Tool {
    /// cargo-deb.
    Deb,
    /// cargo-generate-rpm.
    Rpm,
}

impl Tool {
    const fn name(self) -> &'static str {
        match self {
            Self::Deb => "cargo-deb",
            Self::Rpm => "cargo-generate-rpm",
        }
    }

    /// The version built where there is none.
    const fn version(self) -> &'static str {
        match self {
            Self::Deb => "3.8.0",
            Self::Rpm => "0.21.1",
        }
    }

    /// It, to be run in the repository: from `PATH`, built earlier, or built now into
    /// `target/tools`.
    ///
    /// # Errors
    /// There is none, and it cannot be built.
    pub fn command(self, tree: &Tree) -> Result<Command> {
        let mut command = Command::new(self.find(tree)?);
        command
            .current_dir(&tree.root)
            .env("CARGO_TARGET_DIR", &tree.target);
        Ok(command)
    }

    fn find(self, tree: &Tree) -> Result<PathBuf> {
        let tools = tree.target.join("tools");
        let built = tools.join("bin").join(self.name());
        if let Some(found) =
            sh::which(self.name()).or_else(|| built.is_file().then(|| built.clone()))
        {
            return Ok(found);
        }
        let mut install = tree.cargo();
        install.args([
            "install",
            self.name(),
            "--version",
            self.version(),
            "--locked",
        ]);
        install.arg("--root").arg(&tools);
        install.arg("--target-dir").arg(tools.join("build"));
        sh::run(&mut install)
            .with_context(|| format!("{} is needed: cargo install {0}", self.name()))?;
        Ok(built)
    }
}
