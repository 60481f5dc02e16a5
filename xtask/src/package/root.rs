//! A Debian system in a folder, for trying packages.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::sh;
use crate::vm::apt;

/// The system; removed when dropped.
pub struct Root {
    folder: PathBuf,
}

impl Root {
    /// Makes a minimal one in `folder`, of this machine's release.
    ///
    /// # Errors
    /// It cannot be made: no root, no mmdebstrap, no mirror.
    pub fn make(folder: &Path) -> Result<Self> {
        ensure!(sh::is_root(), "trying packages needs root");
        for (program, package) in [("mmdebstrap", "mmdebstrap"), ("rpm", "rpm")] {
            if sh::which(program).is_none() {
                bail!("trying packages needs {program}: apt-get install {package}");
            }
        }
        let root = Self {
            folder: folder.to_owned(),
        };
        root.remove()?;
        let mut make = Command::new("mmdebstrap");
        make.args(["--quiet", "--variant=minbase", &release()?]);
        make.arg(folder);
        make.args(
            apt::mirrors()?
                .iter()
                .filter(|mirror| mirror.ends_with("/debian")),
        );
        sh::run(&mut make)?;
        Ok(root)
    }

    /// Runs a program inside; what it prints.
    ///
    /// # Errors
    /// It fails.
    pub fn run(&self, program: &[&str]) -> Result<String> {
        let mut inside = Command::new("chroot");
        inside.env("DEBIAN_FRONTEND", "noninteractive");
        sh::output(inside.arg(&self.folder).args(program))
    }

    /// Runs rpm on it from outside: Debian has none inside.
    ///
    /// # Errors
    /// It fails.
    pub fn rpm<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Result<String> {
        let mut rpm = Command::new("rpm");
        sh::output(rpm.arg("--root").arg(&self.folder).args(arguments))
    }

    /// Brings a file in; its name inside.
    ///
    /// # Errors
    /// It cannot be copied.
    pub fn bring(&self, file: &Path, name: &str) -> Result<String> {
        fs::copy(file, self.folder.join(name))
            .with_context(|| format!("cannot copy {}", file.display()))?;
        Ok(format!("/{name}"))
    }

    /// A place inside, seen from outside.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.folder.join(inside.trim_start_matches('/'))
    }

    /// Whether there is something, a dangling link included.
    pub fn has(&self, inside: &str) -> bool {
        fs::symlink_metadata(self.path(inside)).is_ok()
    }

    fn remove(&self) -> Result<()> {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", self.folder.display()))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            eprintln!("warning: {error:#}");
        }
    }
}

/// Name of the Debian release this machine runs.
fn release() -> Result<String> {
    let text = fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    Ok(name.context("/etc/os-release names no release")?.to_owned())
}
