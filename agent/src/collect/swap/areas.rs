//! Where swap lies (`/proc/swaps`).

use std::{
    fs::File,
    io::{self, Read as _, Seek as _},
    os::{
        fd::AsRawFd as _,
        unix::{ffi::OsStringExt as _, fs::MetadataExt as _},
    },
    path::{Path, PathBuf},
};

use hostlens_ebpf::wire::SwapDevices;

/// What `/proc/swaps` lists now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SwapAreas {
    paths: Vec<PathBuf>,
}

impl SwapAreas {
    /// Whether there is no swap.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// The devices behind them, in the kernel's own numbering. What cannot be told (a path of
    /// another mount namespace, a file of btrfs, whose device is not that of its requests, or more
    /// devices than fit) means any.
    pub fn devices(&self) -> SwapDevices {
        let mut found = SwapDevices::default();
        let mut places = found.devices.iter_mut();
        for path in &self.paths {
            match (device(path), places.next()) {
                (Some(device), Some(place)) => *place = device,
                _ => found.any = 1,
            }
        }
        found
    }
}

fn device(path: &Path) -> Option<u32> {
    let metadata = std::fs::metadata(path).ok()?;
    let number = if metadata.mode() & libc::S_IFMT == libc::S_IFBLK {
        metadata.rdev()
    } else {
        metadata.dev()
    };
    let (major, minor) = (libc::major(number), libc::minor(number));
    (major != 0).then_some(major << 20 | minor)
}

/// Notices when swap is switched on or off, for one cheap system call per look.
#[derive(Debug)]
pub struct SwapWatch {
    file: File,
    known: SwapAreas,
}

impl SwapWatch {
    /// Opens the list and reads it for the first time.
    ///
    /// # Errors
    /// There is none: a kernel without swap, or no `/proc`.
    pub fn open() -> io::Result<Self> {
        let mut watch = Self {
            file: File::open("/proc/swaps")?,
            known: SwapAreas::default(),
        };
        watch.read()?;
        Ok(watch)
    }

    /// What was listed when it last changed.
    pub fn areas(&self) -> &SwapAreas {
        &self.known
    }

    /// Whether the list has changed since the last look; if so, it is read again.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn changed(&mut self) -> io::Result<bool> {
        let mut wanted = libc::pollfd {
            fd: self.file.as_raw_fd(),
            events: libc::POLLPRI,
            revents: 0,
        };
        // SAFETY: one entry of ours, and the call does not wait.
        let ready = unsafe { libc::poll(&raw mut wanted, 1, 0) };
        if ready <= 0 || wanted.revents & (libc::POLLERR | libc::POLLPRI) == 0 {
            return Ok(false);
        }
        self.read()?;
        Ok(true)
    }

    fn read(&mut self) -> io::Result<()> {
        let mut text = Vec::new();
        self.file.rewind()?;
        self.file.read_to_end(&mut text)?;
        self.known = parse(&text);
        Ok(())
    }
}

fn parse(swaps: &[u8]) -> SwapAreas {
    let lines = swaps.split(|byte| *byte == b'\n').skip(1);
    let paths = lines
        .filter_map(|line| line.split(u8::is_ascii_whitespace).next())
        .filter(|path| !path.is_empty())
        .map(|path| PathBuf::from(std::ffi::OsString::from_vec(unescape(path))))
        .collect();
    SwapAreas { paths }
}

/// Blanks are written as a backslash and three octal digits.
fn unescape(path: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(path.len());
    let mut rest = path;
    while let [first, after @ ..] = rest {
        match rest {
            [
                b'\\',
                a @ b'0'..=b'3',
                b @ b'0'..=b'7',
                c @ b'0'..=b'7',
                after @ ..,
            ] => {
                plain.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = after;
            }
            _ => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn paths_are_read_as_the_kernel_escapes_them() {
        let text = b"Filename\t\t\t\tType\t\tSize\n/dev/zram0    partition\t65532\t0\t-2\n\
            /a\\040swap\\012file\\\\x    file\t1\t0\t-3\n";
        let areas = parse(text);
        assert_eq!(
            areas.paths,
            [Path::new("/dev/zram0"), Path::new("/a swap\nfile\\\\x")]
        );
        assert!(parse(b"Filename\tType\n").is_empty());
        assert!(parse(b"").is_empty());
    }

    #[test]
    fn a_file_lies_on_the_device_of_its_filesystem() {
        let areas = |paths: &[&str]| SwapAreas {
            paths: paths.iter().map(PathBuf::from).collect(),
        };
        let root = std::fs::metadata("/").unwrap().dev();
        let devices = areas(&["/"]).devices();
        if libc::major(root) == 0 {
            assert_eq!(devices.any, 1);
        } else {
            let number = libc::major(root) << 20 | libc::minor(root);
            assert_eq!((devices.any, devices.devices[0]), (0, number));
        }
        assert_eq!(areas(&["/nowhere/swap"]).devices().any, 1);
        assert_eq!(areas(&[]).devices(), SwapDevices::default());
        assert_eq!(areas(&["/proc/swaps"; 20]).devices().any, 1);
    }

    #[test]
    fn without_a_change_nothing_is_read_again() {
        let Ok(mut watch) = SwapWatch::open() else {
            println!("SKIP: no /proc/swaps");
            return;
        };
        // Others on this host may switch swap on and off meanwhile, but not every time.
        assert!((0..100).any(|_| !watch.changed().unwrap()));
    }
}
