//! `cargo xtask ci`: every check, cheap ones first, up to the first failure.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::descendants::Descendants;
use crate::tree::Tree;
use crate::{docs, ebpf, sh, test, vm};

/// How a step ended that did not fail.
enum Outcome {
    Passed,
    Skipped(String),
}

/// A check: its name and what it does.
type Step = (&'static str, fn(&Tree) -> Result<Outcome>);

const STEPS: [Step; 8] = [
    ("format", format),
    ("lints", lints),
    ("kernel lints", kernel_lints),
    ("documentation", documentation),
    ("generated files", generated),
    ("kernel objects", objects),
    ("tests", tests),
    ("other kernels", other_kernels),
];

/// Runs the checks and prints what each took.
///
/// # Errors
/// The first failure.
pub fn run(tree: &Tree) -> Result<()> {
    let descendants = Descendants::adopt();
    let mut table = Vec::new();
    let mut failure = None;
    for (name, step) in STEPS {
        println!("\n== {name}");
        let start = Instant::now();
        let outcome = step(tree);
        descendants.end();
        let took = start.elapsed();
        match outcome {
            Ok(Outcome::Passed) => table.push((name, took, "passed".to_owned())),
            Ok(Outcome::Skipped(reason)) => table.push((name, took, format!("skipped: {reason}"))),
            Err(error) => {
                table.push((name, took, "FAILED".to_owned()));
                failure = Some(error.context(format!("step `{name}` failed")));
                break;
            }
        }
    }
    println!();
    for (name, took, outcome) in &table {
        println!("{name:<16} {:>6.1} s  {outcome}", took.as_secs_f64());
    }
    let total: Duration = table.iter().map(|(_, took, _)| *took).sum();
    println!("{:<16} {:>6.1} s", "total", total.as_secs_f64());
    failure.map_or(Ok(()), Err)
}

fn format(tree: &Tree) -> Result<Outcome> {
    sh::run(tree.cargo().args(["fmt", "--all", "--check"]))?;
    Ok(Outcome::Passed)
}

fn lints(tree: &Tree) -> Result<Outcome> {
    let options = [
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    sh::run(tree.cargo().args(options))?;
    Ok(Outcome::Passed)
}

fn kernel_lints(tree: &Tree) -> Result<Outcome> {
    with_compiler(tree, |compiler| compiler.clippy(tree))
}

fn documentation(tree: &Tree) -> Result<Outcome> {
    let mut doc = tree.cargo();
    doc.args([
        "doc",
        "--locked",
        "--workspace",
        "--no-deps",
        "--document-private-items",
    ]);
    sh::run(doc.env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(Outcome::Passed)
}

fn generated(tree: &Tree) -> Result<Outcome> {
    docs::run(tree, &docs::Args { check: true })?;
    Ok(Outcome::Passed)
}

fn objects(tree: &Tree) -> Result<Outcome> {
    let recorded = ebpf::recorded(tree)?;
    with_compiler(tree, |compiler| ebpf::rebuilt(tree, &recorded, compiler))
}

fn tests(tree: &Tree) -> Result<Outcome> {
    test::run(tree, &test::Args::default())?;
    Ok(Outcome::Passed)
}

fn other_kernels(tree: &Tree) -> Result<Outcome> {
    let args = vm::Args {
        quick: true,
        ..vm::Args::default()
    };
    let skipped = vm::run(tree, &args)?;
    Ok(skipped.map_or(Outcome::Passed, Outcome::Skipped))
}

/// Does `work` where the kernel programs can be compiled; elsewhere skips it with the reason.
fn with_compiler(tree: &Tree, work: impl FnOnce(&ebpf::Compiler) -> Result<()>) -> Result<Outcome> {
    match ebpf::Compiler::find(tree).context("kernel programs cannot be compiled here") {
        Ok(compiler) => work(&compiler).map(|()| Outcome::Passed),
        Err(error) => Ok(Outcome::Skipped(format!("{error:#}"))),
    }
}
