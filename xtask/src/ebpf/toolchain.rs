//! Finding a Rust compiler that can compile `core` for the BPF target.
//!
//! Any compiler can that has its own library sources at hand: `RUSTC_BOOTSTRAP=1` makes a stable
//! one accept `-Z build-std`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::sh;

/// Oldest minor version of Rust 1 that compiles the programs.
const OLDEST: u32 = 88;

/// What to do where nothing fits.
const CURE: &str = "no Rust compiler with its library sources was found. Either of these helps: \
    `rustup component add rust-src` (stable is enough); \
    `rustup toolchain install nightly --component rust-src`; \
    on Debian the packages rustc-web and rust-web-src";

/// A compiler with its library sources.
pub struct Toolchain {
    /// Which one, for people.
    pub name: &'static str,
    /// Folder the compiler lives in.
    pub sysroot: PathBuf,
    /// First line of `rustc -vV`.
    pub version: String,
    /// Major version of the LLVM inside.
    pub llvm: u32,
    /// How to start its cargo: program, arguments, `RUSTC`.
    start: Start,
}

/// The ways to reach a compiler.
enum Start {
    /// The one cargo uses anyway.
    Active,
    /// Another toolchain of rustup.
    Rustup(&'static str),
    /// A compiler at this path under the active cargo.
    Path(&'static str),
}

impl Start {
    fn rustc(&self) -> Command {
        match self {
            Self::Active => Command::new(std::env::var_os("RUSTC").unwrap_or("rustc".into())),
            Self::Rustup(toolchain) => rustup_run(toolchain, "rustc"),
            Self::Path(path) => Command::new(path),
        }
    }
}

fn rustup_run(toolchain: &str, program: &str) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", toolchain, program]);
    command
}

impl Toolchain {
    /// Takes the first that fits: the active one, the active one after asking rustup for the
    /// sources, rustup's nightly, the distribution's.
    ///
    /// # Errors
    /// None fits; the message says what to install.
    pub fn find() -> Result<Self> {
        if let Some(found) = Self::inspect("the active toolchain", Start::Active) {
            return Ok(found);
        }
        if sh::which("rustup").is_some() {
            let added = sh::run(Command::new("rustup").args(["component", "add", "rust-src"]));
            let found = Self::inspect("the active toolchain", Start::Active);
            match (added, found) {
                (Ok(()), Some(found)) => return Ok(found),
                (Err(error), _) => eprintln!("note: {error:#}"),
                (Ok(()), None) => {}
            }
            if let Some(found) = Self::inspect("rustup's nightly", Start::Rustup("nightly")) {
                return Ok(found);
            }
        }
        let distribution = Start::Path("/usr/bin/rustc");
        match Self::inspect("the distribution's compiler", distribution) {
            Some(found) => Ok(found),
            None => bail!(CURE),
        }
    }

    /// `None` if it is not there, too old, or has no library sources.
    fn inspect(name: &'static str, start: Start) -> Option<Self> {
        let sysroot = sh::probe(start.rustc().args(["--print", "sysroot"]))?;
        let sysroot = PathBuf::from(sysroot.trim());
        // What `-Z build-std` looks for first.
        sysroot
            .join("lib/rustlib/src/rust/library/Cargo.lock")
            .is_file()
            .then_some(())?;
        let verbose = sh::probe(start.rustc().arg("-vV"))?;
        let minor = number(&verbose, "release: 1.")?;
        let llvm = number(&verbose, "LLVM version: ")?;
        let version = verbose.lines().next()?.to_owned();
        (minor >= OLDEST).then_some(Self {
            name,
            sysroot,
            version,
            llvm,
            start,
        })
    }

    /// `cargo` of this toolchain, allowed to use `-Z` options, in `folder`.
    pub fn cargo(&self, folder: &Path) -> Command {
        let mut cargo = match self.start {
            Start::Rustup(toolchain) => rustup_run(toolchain, "cargo"),
            Start::Active | Start::Path(_) => sh::cargo(),
        };
        if let Start::Path(rustc) = self.start {
            cargo.env("RUSTC", rustc);
        }
        cargo.env("RUSTC_BOOTSTRAP", "1").current_dir(folder);
        cargo
    }
}

/// The digits after `key` in `text`.
fn number(text: &str, key: &str) -> Option<u32> {
    let (_, rest) = text.split_once(key)?;
    rest.split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_read_from_the_verbose_version() {
        let text = "rustc 1.95.0 (x)\nrelease: 1.95.0\nLLVM version: 22.1.2\n";
        assert_eq!(number(text, "release: 1."), Some(95));
        assert_eq!(number(text, "LLVM version: "), Some(22));
        assert_eq!(number(text, "host: "), None);
    }
}
