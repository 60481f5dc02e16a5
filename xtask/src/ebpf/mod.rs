//! `cargo xtask ebpf`: kernel programs → `ebpf/prebuilt/*.o` and the record beside them.

mod check;
mod compile;
mod flags;
mod linker;
mod manifest;
mod object;
mod sources;
mod toolchain;

use anyhow::Result;

pub use check::{rebuilt, recorded};
pub use compile::Compiler;

use crate::tree::Tree;
use manifest::Manifest;

/// Options.
#[derive(clap::Args)]
pub struct Args {
    /// Change nothing: fail if ebpf/prebuilt is not what the sources give
    #[arg(long)]
    check: bool,
}

/// Compiles or checks.
///
/// # Errors
/// No toolchain, a compile error, or a difference.
pub fn run(tree: &Tree, args: &Args) -> Result<()> {
    if args.check {
        let recorded = check::recorded(tree)?;
        return check::rebuilt(tree, &recorded, &Compiler::find(tree)?);
    }
    let compiler = Compiler::find(tree)?;
    let objects = compiler.objects(tree)?;
    check::write(&manifest::folder(&tree.root), &objects)?;
    Manifest::new(&tree.root, &compiler, &objects)?.write(&tree.root)?;
    for (name, bytes) in &objects {
        println!("ebpf/prebuilt/{name}.o  {} bytes", bytes.len());
    }
    Ok(())
}
