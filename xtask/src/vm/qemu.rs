//! The emulator.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context as _, Result, bail};

use super::apt::Apt;
use crate::sh;

const PROGRAM: &str = "qemu-system-x86_64";
const PACKAGE: &str = "qemu-system-x86";

/// A way to start qemu.
pub enum Qemu {
    /// The machine's own.
    Installed,
    /// Unpacked below this folder.
    Private(PathBuf),
}

impl Qemu {
    /// The machine's own, else the distribution's package unpacked in the cache: installing it
    /// could remove packages that are in use.
    ///
    /// # Errors
    /// There is neither.
    pub fn find(cache: &Path) -> Result<Self> {
        if sh::which(PROGRAM).is_some() {
            return Ok(Self::Installed);
        }
        let root = cache.join("qemu");
        let qemu = Self::Private(root.clone());
        if qemu.runs() {
            return Ok(qemu);
        }
        let release = codename().context("this is no Debian release")?;
        let [updates, security, backports] =
            ["updates", "security", "backports"].map(|kind| format!("{release}-{kind}"));
        let suites = [release.as_str(), &updates, &security, &backports];
        let apt = Apt::open(&cache.join("apt-qemu"), &suites, true)?;
        apt.unpack_all(PACKAGE, &backports, &root)?;
        if !qemu.runs() {
            bail!("{PACKAGE} unpacked in {} does not run", root.display());
        }
        Ok(qemu)
    }

    /// Boots a kernel and returns what it writes to its console until it ends, or until `limit`
    /// is over and the machine is switched off.
    ///
    /// # Errors
    /// The emulator cannot be started.
    pub fn boot(&self, kernel: &Path, initramfs: &Path, limit: Duration) -> Result<String> {
        let mut machine = self.command();
        machine
            // Nested virtualisation is rare, and not every kernel takes the host's CPU. The
            // small machine types have one CPU or hang.
            .args([
                "-M",
                "q35,hpet=off",
                "-cpu",
                "max",
                "-accel",
                "tcg,thread=multi",
            ])
            .args(["-smp", "2", "-m", "1G", "-nodefaults", "-display", "none"])
            .args(["-serial", "stdio", "-no-reboot", "-append"])
            // An emulated timer that is late on a busy host is not a broken one, which the kernel
            // would take for a reason to panic.
            .arg("console=ttyS0 panic=-1 reboot=t quiet mitigations=off no_timer_check")
            .arg("-kernel")
            .arg(kernel)
            .arg("-initrd")
            .arg(initramfs);
        machine.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut machine = machine
            .spawn()
            .with_context(|| format!("cannot start {PROGRAM}"))?;
        let mut stdout = machine.stdout.take().context("no console")?;
        let console = thread::spawn(move || {
            let mut bytes = Vec::new();
            // What came before a read error still counts.
            let _ = stdout.read_to_end(&mut bytes);
            bytes
        });
        let deadline = Instant::now() + limit;
        while machine.try_wait()?.is_none() {
            if Instant::now() > deadline {
                machine.kill()?;
                machine.wait()?;
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
        let bytes = console.join().unwrap_or_default();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn runs(&self) -> bool {
        sh::probe(self.command().arg("--version")).is_some()
    }

    fn command(&self) -> Command {
        let Self::Private(root) = self else {
            return Command::new(PROGRAM);
        };
        let mut command = Command::new(root.join("usr/bin").join(PROGRAM));
        for data in ["usr/share/qemu", "usr/share/seabios"] {
            command.arg("-L").arg(root.join(data));
        }
        let libraries = ["usr/lib", "lib"].map(|lib| root.join(lib).join("x86_64-linux-gnu"));
        if let Ok(path) = std::env::join_paths(libraries) {
            command.env("LD_LIBRARY_PATH", path);
        }
        command
    }
}

/// `VERSION_CODENAME` of this machine.
fn codename() -> Option<String> {
    let release = fs::read_to_string("/etc/os-release").ok()?;
    let line = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
    Some(line.trim_matches('"').to_owned())
}
