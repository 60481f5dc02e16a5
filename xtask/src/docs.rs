//! `cargo xtask docs`: pages that the binary itself knows best, man pages and shell completions.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::sh;
use crate::tree::Tree;

/// Page → arguments of `hostlens` that print it.
const PAGES: [(&str, &[&str]); 1] = [("docs/metrics.md", &["metrics", "--markdown"])];

/// Folders that hold nothing but what `agent/examples/manual.rs` writes.
const FOLDERS: [&str; 2] = ["man", "completions"];
/// Where they are.
const DEPLOY: &str = "deploy";

/// Options.
#[derive(clap::Args)]
pub struct Args {
    /// Change nothing: fail if a page is not what would be written
    #[arg(long)]
    pub check: bool,
}

/// Writes or checks the pages.
///
/// # Errors
/// The binary does not compile, or a page differs.
pub fn run(tree: &Tree, args: &Args) -> Result<()> {
    let hostlens = tree.build_hostlens(false)?;
    let mut wanted = BTreeMap::new();
    for (page, arguments) in PAGES {
        let text = sh::output(Command::new(&hostlens).args(arguments))?;
        ensure!(
            !text.trim().is_empty(),
            "hostlens {} printed nothing",
            arguments.join(" ")
        );
        wanted.insert(PathBuf::from(page), text);
    }
    let made = tree.target.join("manual");
    if made.exists() {
        fs::remove_dir_all(&made).with_context(|| format!("cannot empty {}", made.display()))?;
    }
    let options = ["run", "--locked", "--quiet", "--package", "hostlens"];
    let mut manual = tree.cargo();
    manual.args(options).args(["--example", "manual", "--"]);
    sh::run(manual.arg(&made))?;
    let mut obsolete = Vec::new();
    for folder in FOLDERS {
        let place = Path::new(DEPLOY).join(folder);
        let texts = files(&made.join(folder))?;
        ensure!(!texts.is_empty(), "no {folder} were made");
        let there = files(&tree.root.join(&place)).unwrap_or_default();
        let gone = there.into_keys().filter(|name| !texts.contains_key(name));
        obsolete.extend(gone.map(|name| place.join(name)));
        wanted.extend(
            texts
                .into_iter()
                .map(|(name, text)| (place.join(name), text)),
        );
    }
    if args.check {
        check(tree, &wanted, &obsolete)
    } else {
        write(tree, &wanted, &obsolete)
    }
}

fn check(tree: &Tree, wanted: &BTreeMap<PathBuf, String>, obsolete: &[PathBuf]) -> Result<()> {
    for (page, text) in wanted {
        let there = fs::read_to_string(tree.root.join(page)).ok();
        if there.as_deref() != Some(text.as_str()) {
            let page = page.display();
            bail!("{page} is missing or out of date: run `cargo xtask docs`");
        }
    }
    if let Some(page) = obsolete.first() {
        bail!("{} is obsolete: run `cargo xtask docs`", page.display());
    }
    Ok(())
}

fn write(tree: &Tree, wanted: &BTreeMap<PathBuf, String>, obsolete: &[PathBuf]) -> Result<()> {
    for page in obsolete {
        fs::remove_file(tree.root.join(page))
            .with_context(|| format!("cannot remove {}", page.display()))?;
    }
    for (page, text) in wanted {
        let file = tree.root.join(page);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&file, text).with_context(|| format!("cannot write {}", page.display()))?;
        println!("{}", page.display());
    }
    Ok(())
}

/// The files of a folder and what is in them.
fn files(folder: &Path) -> Result<BTreeMap<PathBuf, String>> {
    let entries = fs::read_dir(folder);
    let entries = entries.with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files = BTreeMap::new();
    for entry in entries {
        let file = entry?.path();
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        if let Some(name) = file.file_name() {
            files.insert(PathBuf::from(name), text);
        }
    }
    Ok(files)
}
