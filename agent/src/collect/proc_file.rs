//! Reads of small files under `/proc` without an allocation each.

use std::{
    fmt::Write as _,
    fs::{File, Metadata},
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Enough for every per-process file that we read in one go; larger files let it grow.
const FIRST_BYTES: usize = 4096;

/// Refuses to read more than this of any file.
const MOST_BYTES: usize = 16 << 20;

/// Reads files of one `/proc`, reusing its path and its buffer.
#[derive(Debug)]
pub struct ProcReader {
    root: String,
    path: String,
    buffer: Vec<u8>,
}

impl ProcReader {
    /// Reads below `root` (`/proc`, or a fixture). A root that is no UTF-8 is read lossily.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_string_lossy().into_owned(),
            path: String::new(),
            buffer: vec![0; FIRST_BYTES],
        }
    }

    /// The root it reads below.
    pub fn root(&self) -> &Path {
        Path::new(&self.root)
    }

    /// Path of `file` of process `pid`; of our own for pid 0.
    pub fn path_of(&mut self, pid: u32, file: &str) -> &Path {
        self.path.clear();
        // Writing to a String does not fail.
        let _ = if pid == 0 {
            write!(self.path, "{}/self/{file}", self.root)
        } else {
            write!(self.path, "{}/{pid}/{file}", self.root)
        };
        Path::new(&self.path)
    }

    /// Metadata of `file` of process `pid`; of what it leads to, if it is a link.
    pub fn metadata(&mut self, pid: u32, file: &str) -> io::Result<Metadata> {
        std::fs::metadata(self.path_of(pid, file))
    }

    /// Reads `file` of process `pid` with a single `read(2)`, at most 4 KiB of it. Right for
    /// files that the kernel makes in one piece (`stat`, `statm`, `status`, `io`, …).
    pub fn read_once(&mut self, pid: u32, file: &str) -> io::Result<&[u8]> {
        let mut opened = File::open(self.path_of(pid, file))?;
        loop {
            match opened.read(&mut self.buffer) {
                Ok(len) => return Ok(self.buffer.get(..len).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads all of `file` of process `pid`.
    pub fn read(&mut self, pid: u32, file: &str) -> io::Result<&[u8]> {
        self.read_up_to(pid, file, MOST_BYTES)
    }

    /// Reads `file` of process `pid`, at most about `most` bytes of it.
    pub fn read_up_to(&mut self, pid: u32, file: &str, most: usize) -> io::Result<&[u8]> {
        let opened = File::open(self.path_of(pid, file))?;
        self.fill(opened, most)
    }

    /// Reads all of `file`, given relative to the root.
    pub fn read_host(&mut self, file: &str) -> io::Result<&[u8]> {
        let opened = File::open(self.root().join(file))?;
        self.fill(opened, MOST_BYTES)
    }

    fn fill(&mut self, mut file: File, most: usize) -> io::Result<&[u8]> {
        let mut filled = 0;
        loop {
            if filled == self.buffer.len() {
                if filled >= most {
                    break;
                }
                self.buffer.resize(filled * 2, 0);
            }
            let Some(room) = self.buffer.get_mut(filled..) else {
                break;
            };
            match file.read(room) {
                Ok(0) => break,
                Ok(len) => filled += len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.buffer.get(..filled).unwrap_or_default())
    }
}

/// Pids listed under a `/proc`, in the kernel's order (ascending).
pub fn pids(root: &Path) -> io::Result<impl Iterator<Item = u32> + use<>> {
    Ok(std::fs::read_dir(root)?
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok()))
}

/// The file or its process is not there (any more).
pub fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}

/// The file is there and not for us.
pub fn is_denied(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

/// The default root.
pub fn proc_root() -> PathBuf {
    PathBuf::from("/proc")
}

/// The number that `text` starts with, blanks skipped; `None` without a digit or beyond `u64`.
pub fn leading_number(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii_start();
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(text.get(..digits)?).ok()?.parse().ok()
}

/// The value of the line that starts with `key`, e.g. `VmSwap:`; blanks around it trimmed.
pub fn line_value<'a>(text: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    text.split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(key))
        .map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn reads_grow_with_the_file() {
        let mut reader = ProcReader::new(&proc_root());
        let all = reader.read(0, "smaps").unwrap().len();
        assert!(all > FIRST_BYTES, "{all}");
        assert!(reader.read_host("stat").unwrap().starts_with(b"cpu "));
        let pid = std::process::id();
        assert!(pids(&proc_root()).unwrap().any(|other| other == pid));
    }

    #[test]
    fn a_missing_process_is_gone() {
        let mut reader = ProcReader::new(&proc_root());
        assert!(is_gone(&reader.read_once(u32::MAX, "stat").unwrap_err()));
    }

    #[test]
    fn numbers() {
        assert_eq!(leading_number(b"  12 kB"), Some(12));
        assert_eq!(leading_number(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(leading_number(b"18446744073709551616"), None);
        assert_eq!(leading_number(b""), None);
        assert_eq!(leading_number(b"-1"), None);
        assert_eq!(line_value(b"A: 1\nAB: 2 kB\n", b"AB:"), Some(&b"2 kB"[..]));
        assert_eq!(line_value(b"A: 1", b"B:"), None);
    }
}
