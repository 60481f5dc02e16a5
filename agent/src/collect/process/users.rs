//! Names of users from `/etc/passwd`.
//!
//! The file is read directly: a lookup through the C library may ask a directory server and block
//! a cycle for seconds. A uid from a user namespace (rootless containers) is shown as the host
//! sees it; one that a container uses itself may carry the host's name for that number.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use rustc_hash::FxHashMap;

/// Longest name shown, bytes; as for process names.
const MOST_BYTES: usize = 64;

/// Names by uid.
#[derive(Debug)]
pub struct Users {
    path: PathBuf,
    /// Length and modification time of the file as last read.
    version: Option<(u64, SystemTime)>,
    names: FxHashMap<u32, Arc<str>>,
    /// Numbers that stand for themselves, made on demand; bounded, as containers may bring many.
    numbers: FxHashMap<u32, Arc<str>>,
}

/// Numbers remembered before all are made anew.
const MOST_NUMBERS: usize = 4096;

impl Default for Users {
    fn default() -> Self {
        Self::new(Path::new("/etc/passwd"))
    }
}

impl Users {
    /// Names from the file at `path`, read on the first [`Self::refresh`].
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            version: None,
            names: FxHashMap::default(),
            numbers: FxHashMap::default(),
        }
    }

    /// Reads the file again if it changed; to be called once per cycle. True if it did. A file
    /// that is missing or not readable leaves the names as they were.
    pub fn refresh(&mut self) -> io::Result<bool> {
        let metadata = std::fs::metadata(&self.path)?;
        let version = (metadata.len(), metadata.modified()?);
        if self.version == Some(version) {
            return Ok(false);
        }
        self.names = parse(&std::fs::read(&self.path)?);
        self.version = Some(version);
        Ok(true)
    }

    /// The name of a user, its number if it has none.
    pub fn name(&mut self, uid: u32) -> Arc<str> {
        if let Some(name) = self.names.get(&uid) {
            return Arc::clone(name);
        }
        if self.numbers.len() >= MOST_NUMBERS {
            self.numbers = FxHashMap::default();
        }
        let number = self
            .numbers
            .entry(uid)
            .or_insert_with(|| Arc::from(uid.to_string()));
        Arc::clone(number)
    }
}

/// Reads passwd(5). Of several names for one uid the first holds, as with getpwuid(3). Lines
/// without a name or a number (comments, NIS entries) are passed over.
fn parse(text: &[u8]) -> FxHashMap<u32, Arc<str>> {
    let mut names = FxHashMap::default();
    for line in text.split(|byte| *byte == b'\n') {
        let mut fields = line.split(|byte| *byte == b':');
        let (Some(name), Some(_password), Some(uid)) =
            (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let is_entry = !name.is_empty() && !matches!(name[0], b'#' | b'+' | b'-');
        let uid = std::str::from_utf8(uid)
            .ok()
            .and_then(|uid| uid.parse().ok());
        let (true, Some(uid)) = (is_entry, uid) else {
            continue;
        };
        let name = super::names::printable(name, MOST_BYTES);
        names.entry(uid).or_insert_with(|| Arc::from(name));
    }
    names
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn entries_and_what_is_none() {
        let names = parse(
            b"root:x:0:0:root:/root:/bin/bash\n# note:x:5:\n\ntoor:x:0:0::/:/bin/sh\n\
            +nis:x:77:\nshort:x\n:x:9:9::/:\nbad:x:abc:1::/:\nbig:x:4294967295:1::/:\n\
            o\x1bdd:x:12:1::/:\nlast:x:42:42",
        );
        assert_eq!(names.get(&0).map(|name| &**name), Some("root"));
        assert_eq!(names.get(&42).map(|name| &**name), Some("last"));
        assert_eq!(names.get(&12).map(|name| &**name), Some("o?dd"));
        assert_eq!(names.len(), 4);
    }

    #[test]
    fn a_changed_file_is_read_again() {
        let path = std::env::temp_dir().join(format!("hostlens-passwd-{}", std::process::id()));
        let mut users = Users::new(&path);
        assert!(users.refresh().is_err());
        assert_eq!(&*users.name(7), "7");
        std::fs::write(&path, "alice:x:7:7::/:\n").unwrap();
        assert!(users.refresh().unwrap());
        assert_eq!(&*users.name(7), "alice");
        assert!(!users.refresh().unwrap());
        std::fs::write(&path, "alicia:x:7:7::/:\n").unwrap();
        assert!(users.refresh().unwrap());
        assert_eq!(&*users.name(7), "alicia");
        std::fs::remove_file(&path).unwrap();
        assert!(users.refresh().is_err());
        assert_eq!(&*users.name(7), "alicia");
        assert!(Arc::ptr_eq(&users.name(8), &users.name(8)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }
    }
}
