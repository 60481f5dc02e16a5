//! Debian packages of other releases, without touching the machine's own package state.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::sh;

/// Package lists older than this are fetched again.
const STALE: Duration = Duration::from_secs(24 * 3600);
/// Debian's keys; where they are elsewhere, apt's defaults have to do.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// An apt with lists, cache and installed packages of its own.
pub struct Apt {
    folder: PathBuf,
    status: PathBuf,
}

impl Apt {
    /// For packages of `suites` on the mirrors this machine is configured for. With `installed`,
    /// packages of this machine count as installed.
    ///
    /// # Errors
    /// There is no apt, or no mirror is configured.
    pub fn open(folder: &Path, suites: &[&str], installed: bool) -> Result<Self> {
        if sh::which("apt-get").is_none() || sh::which("dpkg-deb").is_none() {
            bail!("this machine has no apt");
        }
        let empty = folder.join("status");
        let status = if installed {
            PathBuf::from("/var/lib/dpkg/status")
        } else {
            empty.clone()
        };
        let apt = Self {
            folder: folder.to_owned(),
            status,
        };
        for name in ["lists/partial", "archives/partial"] {
            let folder = folder.join(name);
            fs::create_dir_all(&folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
        }
        fs::write(&empty, "")?;
        apt.configure()?;
        let sources = sources(&mirrors()?, suites);
        let file = folder.join("sources.list");
        let known = fs::read_to_string(&file).is_ok_and(|text| text == sources);
        if !known || apt.is_stale() {
            fs::write(&file, sources)?;
            // Not every mirror carries every suite; what is there is good enough.
            if sh::run(apt.get().arg("update").stdout(Stdio::null())).is_ok() {
                fs::write(apt.stamp(), "")?;
            }
        }
        Ok(apt)
    }

    /// Names of all packages that start with `prefix`, those only mentioned by others included.
    pub fn names(&self, prefix: &str) -> Vec<String> {
        let names = sh::probe(self.command("apt-cache").args(["pkgnames", prefix]));
        names
            .unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// Downloads one package into `folder`, which it then shares with nothing, and unpacks it.
    ///
    /// # Errors
    /// There is no such package, or it cannot be fetched.
    pub fn unpack(&self, package: &str, folder: &Path) -> Result<()> {
        let downloads = self.folder.join("downloads");
        replace(&downloads)?;
        replace(folder)?;
        sh::run(
            self.get()
                .args(["download", package])
                .current_dir(&downloads),
        )?;
        extract(&downloads, folder)
    }

    /// Downloads a package and what it needs beyond what is installed, and unpacks all of it
    /// into `folder`. The newer of the installed release's backports is preferred.
    ///
    /// # Errors
    /// It cannot be had for this machine.
    pub fn unpack_all(&self, package: &str, backports: &str, folder: &Path) -> Result<()> {
        let options = [
            "--yes",
            "--download-only",
            "--no-install-recommends",
            "install",
            package,
        ];
        sh::run(
            self.get()
                .args(["--target-release", backports])
                .args(options),
        )
        .or_else(|_| sh::run(self.get().args(options)))?;
        replace(folder)?;
        extract(&self.folder.join("archives"), folder)
    }

    fn get(&self) -> Command {
        let mut get = self.command("apt-get");
        get.arg("--quiet").stdin(Stdio::null());
        get
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("APT_CONFIG", self.configuration())
            .env("LC_ALL", "C");
        command
    }

    fn configuration(&self) -> PathBuf {
        self.folder.join("apt.conf")
    }

    /// Keeps everything below our folder; the machine's own settings stay for the rest.
    fn configure(&self) -> Result<()> {
        let (folder, status) = (self.folder.display(), self.status.display());
        // Software catalogues and file lists are many times the size of what we want.
        let text = format!(
            "Dir::State \"{folder}\";\n\
             Dir::State::status \"{status}\";\n\
             Dir::Cache \"{folder}\";\n\
             Dir::Etc::sourcelist \"{folder}/sources.list\";\n\
             Dir::Etc::sourceparts \"/dev/null\";\n\
             APT::Sandbox::User \"root\";\n\
             Acquire::Languages \"none\";\n\
             Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"no\";\n\
             Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled \"no\";\n"
        );
        let file = self.configuration();
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    fn stamp(&self) -> PathBuf {
        self.folder.join("updated")
    }

    fn is_stale(&self) -> bool {
        let modified = fs::metadata(self.stamp()).and_then(|stamp| stamp.modified());
        let age = modified.ok().and_then(|time| time.elapsed().ok());
        age.is_none_or(|age| age > STALE)
    }
}

/// Addresses this machine gets Debian packages from.
///
/// # Errors
/// There is no apt, or no mirror is configured.
pub fn mirrors() -> Result<Vec<String>> {
    let mut targets = Command::new("apt-get");
    targets.args([
        "indextargets",
        "--format",
        "$(REPO_URI)",
        "Created-By: Packages",
    ]);
    let mut mirrors: Vec<String> = sh::output(&mut targets)?
        .lines()
        .map(|uri| uri.trim_end_matches('/').to_owned())
        .filter(|uri| uri.ends_with("/debian") || uri.ends_with("/debian-security"))
        .collect();
    mirrors.sort();
    mirrors.dedup();
    if mirrors.is_empty() {
        bail!("apt is not configured with a Debian mirror");
    }
    Ok(mirrors)
}

/// Lines of a sources.list: security suites come from security mirrors, others from the others.
fn sources(mirrors: &[String], suites: &[&str]) -> String {
    let signed = if Path::new(KEYRING).exists() {
        format!("[signed-by={KEYRING}] ")
    } else {
        String::new()
    };
    let mut text = String::new();
    for mirror in mirrors {
        for suite in suites {
            if mirror.ends_with("-security") == suite.ends_with("-security") {
                text += &format!("deb {signed}{mirror} {suite} main\n");
            }
        }
    }
    text
}

/// Unpacks all packages in `from` over each other into `to`.
fn extract(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "deb") {
            let mut unpack = Command::new("dpkg-deb");
            unpack.arg("--extract").arg(&file).arg(to);
            sh::output(&mut unpack)?;
            fs::remove_file(&file)?;
        }
    }
    Ok(())
}

/// Makes `folder` an empty one.
fn replace(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::sources;

    #[test]
    fn security_suites_come_from_security_mirrors() {
        let mirrors = ["http://a/debian", "http://a/debian-security"].map(str::to_owned);
        let text = sources(&mirrors, &["x", "x-security"]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(
            lines
                .iter()
                .any(|line| line.ends_with("http://a/debian x main")),
            "{text}"
        );
        let security = "http://a/debian-security x-security main";
        assert!(lines.iter().any(|line| line.ends_with(security)), "{text}");
    }
}
