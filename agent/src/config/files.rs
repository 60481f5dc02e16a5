//! Files that are read whole, with a bound.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use ring::digest::{Digest, SHA256, digest};

use super::error::Fault;

/// Largest file, bytes.
const MOST_BYTES: usize = 1 << 20;

/// The text of the file that `flag` names.
pub(super) fn text(path: &Path, flag: &str) -> Result<String, Fault> {
    decode(contents(path), flag)
}

/// A text out of what was read.
fn decode(bytes: io::Result<Vec<u8>>, flag: &str) -> Result<String, Fault> {
    let bytes = bytes.map_err(|error| {
        Fault::whole(
            format!("cannot be read: {error}"),
            format!("name a file that the agent may read with {flag}"),
        )
    })?;
    if bytes.len() > MOST_BYTES {
        return Err(Fault::whole(
            "is larger than 1 MiB",
            format!("name a configuration file with {flag}"),
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..valid).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        Fault::at(line, "not UTF-8", "save the file in UTF-8")
    })
}

/// The file's bytes, one more than the most if it is larger.
fn contents(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    file.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Files that were read, remembered by what they held, so that a change of any is noticed.
#[derive(Debug, Default)]
pub(super) struct Watched {
    files: Vec<(PathBuf, Seen)>,
}

/// What a file held; not the bytes, which may be secret.
#[derive(Debug)]
enum Seen {
    Bytes(Digest),
    Failed(io::ErrorKind),
}

impl Seen {
    fn of(read: &io::Result<Vec<u8>>) -> Self {
        match read {
            Ok(bytes) => Self::Bytes(digest(&SHA256, bytes)),
            Err(error) => Self::Failed(error.kind()),
        }
    }

    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bytes(one), Self::Bytes(other)) => one.as_ref() == other.as_ref(),
            (Self::Failed(one), Self::Failed(other)) => one == other,
            _ => false,
        }
    }
}

impl Watched {
    /// Reads a file and remembers it.
    ///
    /// # Errors
    /// It cannot be read; that is remembered, too.
    pub(super) fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let read = contents(path);
        self.files.push((path.to_owned(), Seen::of(&read)));
        read
    }

    /// Reads the text of the file that `flag` names, and remembers it.
    pub(super) fn text(&mut self, path: &Path, flag: &str) -> Result<String, Fault> {
        decode(self.read(path), flag)
    }

    /// Whether all of them hold what they did.
    pub(super) fn unchanged(&self) -> bool {
        let same = |(path, seen): &(PathBuf, Seen)| seen.same(&Seen::of(&contents(path)));
        self.files.iter().all(same)
    }
}
