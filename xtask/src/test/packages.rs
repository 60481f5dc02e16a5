//! Programs the end-to-end tests drive or compare with.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::sh;

/// Program → Debian package.
const PROGRAMS: [(&str, &str); 19] = [
    ("ip", "iproute2"),
    ("ss", "iproute2"),
    ("ps", "procps"),
    ("tmux", "tmux"),
    ("prometheus", "prometheus"),
    ("promtool", "prometheus"),
    ("mkfs.ext4", "e2fsprogs"),
    ("mkswap", "util-linux"),
    ("setpriv", "util-linux"),
    ("systemd-analyze", "systemd"),
    ("losetup", "mount"),
    ("perl", "perl-base"),
    ("initdb", "postgresql"),
    ("pgbench", "postgresql"),
    ("redis-benchmark", "redis-tools"),
    ("redis-server", "redis-server"),
    ("nginx", "nginx"),
    ("curl", "curl"),
    ("openssl", "openssl"),
];

/// Package → service it brings. Tests start their own; installing shall not leave one behind.
const SERVICES: [(&str, &str); 4] = [
    ("prometheus", "prometheus"),
    ("postgresql", "postgresql"),
    ("redis-server", "redis-server"),
    ("nginx", "nginx"),
];

/// Where PostgreSQL keeps its programs, one directory per version.
const POSTGRESQL: &str = "/usr/lib/postgresql";

/// Debian's way of saying: install, but start nothing.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs what is missing, as far as this machine lets us.
///
/// # Errors
/// Something is missing and cannot be installed; the message names the packages.
pub fn install() -> Result<()> {
    let mut missing: Vec<&str> = PROGRAMS
        .into_iter()
        .filter(|(program, _)| !present(program))
        .map(|(_, package)| package)
        .collect();
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if !sh::is_root() || sh::which("apt-get").is_none() {
        bail!("the end-to-end tests need these packages: {names}");
    }
    let _quiet = Policy::deny();
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.args(["-q", "-y", "--no-install-recommends"])
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null());
        sh::run(&mut apt)
    };
    let install: Vec<&str> = ["install"]
        .into_iter()
        .chain(missing.iter().copied())
        .collect();
    // Package lists may be absent or stale, but are often good enough.
    apt(&install).or_else(|_| apt(&["update"]).and_then(|()| apt(&install)))?;
    for (package, service) in SERVICES {
        if missing.contains(&package) {
            stay_off(service);
        }
    }
    Ok(())
}

/// Whether a program is here.
fn present(program: &str) -> bool {
    let versions = fs::read_dir(POSTGRESQL).into_iter().flatten().flatten();
    let mut there = versions.map(|version| version.path().join("bin").join(program));
    sh::which(program).is_some() || there.any(|file| file.is_file())
}

/// Keeps a service that was just installed from being started with the machine.
fn stay_off(service: &str) {
    let mut disable = Command::new("update-rc.d");
    disable.args([service, "disable"]).stdin(Stdio::null());
    if let Err(error) = sh::run(&mut disable) {
        eprintln!("warning: {service} will be started with this machine: {error:#}");
    }
}

/// Keeps package scripts from starting services while it lives.
struct Policy {
    /// A policy that was there already stays, whatever it says.
    ours: bool,
}

impl Policy {
    fn deny() -> Self {
        use std::os::unix::fs::OpenOptionsExt as _;
        let file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(POLICY);
        let written = file.and_then(|mut file| {
            use std::io::Write as _;
            file.write_all(b"#!/bin/sh\nexit 101\n")
        });
        Self {
            ours: written.is_ok(),
        }
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = std::fs::remove_file(POLICY)
        {
            eprintln!("warning: cannot remove {POLICY}: {error}");
        }
    }
}
