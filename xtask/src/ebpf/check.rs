//! Are the committed objects those of these sources?

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::compile::{Compiler, programs};
use super::manifest::{Manifest, folder};
use super::{object, sources};
use crate::sh;
use crate::tree::Tree;

/// What needs no compiler: the sources' hash, and the objects' own.
///
/// # Errors
/// Something differs; the message says what.
pub fn recorded(tree: &Tree) -> Result<Manifest> {
    let manifest = Manifest::read(&tree.root)?;
    ensure!(
        manifest.sources == sources::hash(&tree.root)?,
        "the kernel programs' sources changed since ebpf/prebuilt was made: run `cargo xtask ebpf`"
    );
    for (name, recorded) in &manifest.objects {
        let digest = sources::digest(&committed(&tree.root, name)?);
        ensure!(
            digest == *recorded,
            "ebpf/prebuilt/{name} is not the object recorded beside it"
        );
    }
    let mut programs: Vec<String> = programs(tree)?
        .into_iter()
        .map(|name| name + ".o")
        .collect();
    programs.sort();
    let recorded: Vec<&String> = manifest.objects.keys().collect();
    ensure!(
        programs.iter().eq(recorded.iter().copied()),
        "ebpf/prebuilt holds {recorded:?}, the package declares {programs:?}"
    );
    Ok(manifest)
}

/// Rebuilds and compares: bytes where compiler, linker and flags are those recorded, else
/// sections and symbols, and whether this kernel takes the rebuilt objects.
///
/// # Errors
/// Something differs; the message says what.
pub fn rebuilt(tree: &Tree, recorded: &Manifest, compiler: &Compiler) -> Result<()> {
    let objects = compiler.objects(tree)?;
    let now = Manifest::new(&tree.root, compiler, &objects)?;
    let same_tools = (&now.compiler, &now.linker, &now.flags)
        == (&recorded.compiler, &recorded.linker, &recorded.flags);
    if same_tools {
        for (name, digest) in &now.objects {
            let equal = recorded.objects.get(name) == Some(digest);
            ensure!(
                equal,
                "ebpf/prebuilt/{name} differs from its rebuild: run `cargo xtask ebpf`"
            );
        }
        eprintln!("rebuilt with the recorded compiler and linker: all bytes equal");
        return Ok(());
    }
    eprintln!(
        "the committed objects come from {} and {}: comparing sections and symbols, not bytes",
        recorded.compiler, recorded.linker
    );
    for (name, bytes) in &objects {
        let committed = object::shape(&committed(&tree.root, &format!("{name}.o"))?)?;
        let rebuilt = object::shape(bytes)?;
        let differing: Vec<_> = committed.symmetric_difference(&rebuilt).collect();
        ensure!(
            differing.is_empty(),
            "object {name} differs from its rebuild in {differing:?}"
        );
    }
    load(tree, &objects)
}

/// Has the agent load the rebuilt objects on this kernel.
fn load(tree: &Tree, objects: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    if !sh::is_root() {
        eprintln!("sections and symbols equal; not loaded: that takes root");
        return Ok(());
    }
    let folder = tree.target.join("ebpf/rebuilt");
    write(&folder, objects)?;
    let hostlens = tree.build_hostlens(false)?;
    let mut doctor = Command::new(hostlens);
    doctor
        .args(["doctor", "--json", "--rtt-source", "ack"])
        .env("HOSTLENS_EBPF_DIR", &folder);
    // A degraded host is no fault of the objects, so the exit code says nothing here.
    let output = doctor.output().context("cannot start hostlens doctor")?;
    let report: Value = serde_json::from_slice(&output.stdout).with_context(|| {
        format!(
            "hostlens doctor --json: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )
    })?;
    let programs = report.get("programs").and_then(Value::as_array);
    let programs = programs.context("hostlens doctor --json lists no programs")?;
    let is_refused = |program: &&Value| program.get("state") == Some(&Value::from("refused"));
    if let Some(program) = programs.iter().find(is_refused) {
        bail!("this kernel refuses a rebuilt program: {program}");
    }
    eprintln!(
        "sections and symbols equal; {} programs load on this kernel",
        programs.len()
    );
    Ok(())
}

/// Writes objects into `folder`, which then holds nothing else.
///
/// # Errors
/// A file cannot be written.
pub fn write(folder: &Path, objects: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for (name, bytes) in objects {
        let file = folder.join(format!("{name}.o"));
        fs::write(&file, bytes).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

fn committed(root: &Path, name: &str) -> Result<Vec<u8>> {
    let file = folder(root).join(name);
    fs::read(&file).with_context(|| format!("cannot read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::recorded;
    use crate::tree::Tree;

    #[test]
    fn committed_objects_are_those_of_the_sources() {
        let outcome = Tree::find().and_then(|tree| recorded(&tree));
        assert!(
            outcome.is_ok(),
            "{:#}",
            outcome.err().unwrap_or_else(|| unreachable!())
        );
    }
}
