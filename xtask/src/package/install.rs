//! Do the packages come, stay and go as they should?

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::Pair;
use super::root::Root;

/// Its options; whoever changed them keeps them.
const CONFIG: &str = "/etc/default/hostlens";
const CHANGED: &str = "# changed by the administrator\n";
const ENABLED: &str = "/etc/systemd/system/multi-user.target.wants/hostlens.service";
/// What must be there with either package.
const FILES: [&str; 5] = [
    "/usr/bin/hostlens",
    "/usr/lib/systemd/system/hostlens.service",
    CONFIG,
    "/usr/share/bash-completion/completions/hostlens",
    "/usr/share/fish/vendor_completions.d/hostlens.fish",
];

/// Tries both packages, one after the other, in a system made in `folder`.
///
/// # Errors
/// The system cannot be made, or a package misbehaves.
pub fn test(folder: &Path, debs: &Pair, rpms: &Pair) -> Result<()> {
    let root = Root::make(&folder.join("root"))?;
    debian(&root, debs).context("the Debian package")?;
    println!("Debian package: installed, upgraded, removed, purged");
    redhat(&root, rpms).context("the rpm")?;
    println!("rpm: installed, upgraded, removed");
    Ok(())
}

fn debian(root: &Root, debs: &Pair) -> Result<()> {
    let [old, new] = [
        root.bring(&debs.old, "old.deb")?,
        root.bring(&debs.new, "new.deb")?,
    ];
    root.run(&["dpkg", "--install", &old])?;
    complete(root)?;
    ensure!(root.has(ENABLED), "the service is not enabled");
    ensure!(
        root.has("/usr/share/man/man1/hostlens-agent.1.gz"),
        "no man page"
    );
    change(root)?;
    let version = || {
        root.run(&[
            "dpkg-query",
            "--show",
            "--showformat=${Version}",
            "hostlens",
        ])
    };
    let before = version()?;
    root.run(&["dpkg", "--install", &new])?;
    ensure!(version()? != before, "still {before} after the upgrade");
    complete(root)?;
    ensure!(changed(root)?, "the upgrade overwrote {CONFIG}");
    ensure!(root.has(ENABLED), "the upgrade disabled the service");
    root.run(&["dpkg", "--remove", "hostlens"])?;
    ensure!(!root.has(FILES[0]), "the program is still there");
    ensure!(changed(root)?, "removing took {CONFIG} along");
    root.run(&["dpkg", "--purge", "hostlens"])?;
    for file in FILES
        .into_iter()
        .chain([ENABLED, "/usr/share/doc/hostlens"])
    {
        ensure!(!root.has(file), "{file} is left after purging");
    }
    Ok(())
}

fn redhat(root: &Root, rpms: &Pair) -> Result<()> {
    // Its dependencies are unknown to a system of Debian packages.
    let rpm = |what: &str, file: &Path| {
        let arguments = [what.as_ref(), "--nodeps".as_ref(), file.as_os_str()];
        root.rpm(arguments)
    };
    rpm("--install", &rpms.old)?;
    complete(root)?;
    change(root)?;
    let release = || root.rpm(["--query", "--queryformat", "%{RELEASE}", "hostlens"]);
    let before = release()?;
    rpm("--upgrade", &rpms.new)?;
    ensure!(release()? != before, "still {before} after the upgrade");
    complete(root)?;
    ensure!(changed(root)?, "the upgrade overwrote {CONFIG}");
    root.rpm(["--erase", "--nodeps", "hostlens"])?;
    for file in FILES {
        ensure!(!root.has(file), "{file} is left after removing");
    }
    ensure!(
        root.has(&format!("{CONFIG}.rpmsave")),
        "removing threw away the changed {CONFIG}"
    );
    Ok(())
}

/// Everything is there, and the program runs.
fn complete(root: &Root) -> Result<()> {
    for file in FILES {
        ensure!(root.has(file), "{file} is missing");
    }
    let metrics = root.run(&["/usr/bin/hostlens", "metrics"])?;
    ensure!(
        metrics.contains("hostlens_"),
        "the program prints no metrics"
    );
    Ok(())
}

fn change(root: &Root) -> Result<()> {
    let mut file = OpenOptions::new().append(true).open(root.path(CONFIG))?;
    file.write_all(CHANGED.as_bytes())?;
    Ok(())
}

fn changed(root: &Root) -> Result<bool> {
    let text = fs::read_to_string(root.path(CONFIG));
    Ok(text
        .with_context(|| format!("{CONFIG} is gone"))?
        .contains(CHANGED))
}
