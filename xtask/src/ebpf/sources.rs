//! One number for everything an object is made from.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use super::flags::FLAGS;

/// Locked packages that end up in the objects; others in the closure only run at compile time.
const LINKED: [&str; 3] = ["aya-ebpf", "aya-log-ebpf", "aya-log-common"];

/// SHA-256, in hex, over the sources of package `hostlens-ebpf`, its manifest, the locked
/// versions of the packages linked in, the build profile and the compiler flags.
///
/// # Errors
/// A file cannot be read or parsed.
pub fn hash(root: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    let mut part = |name: &str, bytes: &[u8]| {
        // Lengths keep two neighbouring parts from being read as other two.
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    for file in files(root)? {
        let name = file
            .strip_prefix(root)
            .unwrap_or(&file)
            .to_string_lossy()
            .into_owned();
        part(&name, &read(&file)?);
    }
    part(
        "locked",
        locked(&text(&root.join("Cargo.lock"))?)?.as_bytes(),
    );
    part(
        "profile",
        profile(&text(&root.join("Cargo.toml"))?)?.as_bytes(),
    );
    part("flags", FLAGS.join("\n").as_bytes());
    Ok(hex(&hash.finalize()))
}

/// SHA-256 of some bytes in hex.
pub fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The manifest and all files below `ebpf/src`, in a stable order.
fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = vec![root.join("ebpf/Cargo.toml")];
    let mut folders = vec![root.join("ebpf/src")];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let list = if entry.file_type()?.is_dir() {
                &mut folders
            } else {
                &mut files
            };
            list.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// `name version checksum` of the [`LINKED`] packages, a line each.
fn locked(lock: &str) -> Result<String> {
    let lock: toml::Table = lock.parse().context("Cargo.lock")?;
    let packages = lock.get("package").and_then(toml::Value::as_array);
    let field = |package: &toml::Value, name: &str| {
        package
            .get(name)
            .and_then(toml::Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let mut lines: Vec<String> = packages
        .into_iter()
        .flatten()
        .filter(|package| {
            LINKED
                .iter()
                .any(|prefix| field(package, "name").starts_with(prefix))
        })
        .map(|package| {
            let [name, version, checksum] =
                ["name", "version", "checksum"].map(|key| field(package, key));
            format!("{name} {version} {checksum}\n")
        })
        .collect();
    lines.sort();
    Ok(lines.concat())
}

/// Settings of profile `bpf` and of those it inherits from, a line each.
fn profile(manifest: &str) -> Result<String> {
    let manifest: toml::Table = manifest.parse().context("Cargo.toml")?;
    let profiles = manifest.get("profile").and_then(toml::Value::as_table);
    let mut text = String::new();
    let mut name = "bpf";
    while let Some(settings) = profiles.and_then(|profiles| profiles.get(name)) {
        text += &format!("{name} {}\n", serde_json::to_string(settings)?);
        match settings.get("inherits").and_then(toml::Value::as_str) {
            Some(next) => name = next,
            None => break,
        }
    }
    Ok(text)
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

fn text(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn locked_takes_the_linked_family_only() {
        let package = |name: &str| format!("[[package]]\nname = \"{name}\"\nversion = \"1\"\n");
        let lock: String = [
            "aya",
            "aya-log-common",
            "aya-ebpf-bindings",
            "aya-ebpf",
            "syn",
        ]
        .map(package)
        .concat();
        assert_eq!(
            locked(&lock).unwrap(),
            "aya-ebpf 1 \naya-ebpf-bindings 1 \naya-log-common 1 \n"
        );
    }

    #[test]
    fn profile_follows_inheritance() {
        let manifest = "[profile.dev]\ndebug = 1\n[profile.release]\nlto = true\n\
                        [profile.bpf]\ninherits = \"release\"\ndebug = 2\n";
        let text = profile(manifest).unwrap();
        assert!(
            text.contains("\"lto\":true") && text.contains("\"debug\":2"),
            "{text}"
        );
        assert!(!text.contains("\"debug\":1"), "{text}");
    }
}
