//! Compiler flags of the kernel programs.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::toolchain::Toolchain;
use crate::tree::metadata;

/// Flags that shape the code. `bpf_target_arch` only picks aya's register names for programs
/// that receive `pt_regs`; ours do not, so one object serves every little-endian machine.
///
/// Copying and clearing memory is expanded in place, never a call: before the kernel's commit
/// 0108a4e9f358 (June 2023, `jit_subprogs()`) a program with functions of its own has no exception
/// table, so that a null pointer on its way, which otherwise reads as zero, is a kernel panic.
pub const FLAGS: [&str; 5] = [
    "--cfg=bpf_target_arch=\"x86_64\"",
    "-Cdebuginfo=2",
    "-Clink-arg=--btf",
    "-Clink-arg=--disable-expand-memcpy-in-order",
    "-Clinker=bpf-linker",
];

/// Folders of this machine and what stands for them in line information.
pub struct Remap(Vec<(PathBuf, &'static str)>);

impl Remap {
    /// Finds the folders; fetches the dependencies if need be, so that their folder is known.
    ///
    /// # Errors
    /// Cargo cannot describe the workspace.
    pub fn find(root: &Path, toolchain: &Toolchain) -> Result<Self> {
        let mut folders: Vec<(PathBuf, &'static str)> = Vec::new();
        // The compiler takes the last prefix that matches: from the general to the special.
        folders.extend(std::env::home_dir().map(|home| (home, "/home")));
        folders.push((toolchain.sysroot.clone(), "/rust"));
        for package in metadata(root, &[])?.packages {
            let registry = package.manifest_path.parent().and_then(Path::parent);
            if let (Some(registry), Some(_)) = (registry, &package.source) {
                folders.push((registry.to_owned(), "/registry"));
            }
        }
        folders.push((root.to_owned(), "/hostlens"));
        folders.dedup();
        folders.retain(|(folder, _)| folder.parent().is_some());
        Ok(Self(folders))
    }

    /// The flags for the compiler.
    pub fn flags(&self) -> impl Iterator<Item = String> {
        self.0
            .iter()
            .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()))
    }

    /// A folder of this machine that is named in `bytes` all the same.
    pub fn leftover(&self, bytes: &[u8]) -> Option<&Path> {
        let names = |folder: &Path| {
            let folder = folder.as_os_str().as_encoded_bytes();
            bytes.windows(folder.len()).any(|window| window == folder)
        };
        self.0
            .iter()
            .map(|(folder, _)| folder.as_path())
            .find(|folder| names(folder))
    }
}
