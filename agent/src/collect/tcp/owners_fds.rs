//! The sockets that one process holds, by its descriptors.

use std::{fs::File, io, mem::MaybeUninit, path::Path};

use rustix::fs::{Dir, readlinkat_raw};

/// A walk over `/proc/PID/fd` that can be stopped and taken up again. It is bound to the process
/// it was opened for: once that has ended it finds nothing, also if the number is in use again.
/// Threads that do not share their process's descriptors are not looked at.
#[derive(Debug)]
pub struct FdWalk {
    folder: Dir,
}

impl FdWalk {
    /// Opens the folder of descriptors. Without CAP_SYS_PTRACE those of other users' processes
    /// answer with [`io::ErrorKind::PermissionDenied`].
    pub fn open(path: &Path) -> io::Result<Self> {
        let folder = Dir::new(File::open(path)?)?;
        Ok(Self { folder })
    }

    /// Looks at up to `most` descriptors more and hands on the inode numbers of those that are
    /// sockets, of any family; false at the end.
    pub fn step(&mut self, most: usize, mut socket: impl FnMut(u32)) -> bool {
        for _ in 0..most {
            let Some(Ok(entry)) = self.folder.read() else {
                return false;
            };
            // Enough for `socket:[4294967295]`; what is longer is none.
            let mut target = [MaybeUninit::uninit(); 24];
            let Ok(folder) = self.folder.fd() else {
                return false;
            };
            // The other outcome: it was closed meanwhile, or is one of the two dots.
            if let Ok((target, _)) = readlinkat_raw(folder, entry.file_name(), &mut target)
                && let Some(inode) = socket_inode(target)
            {
                socket(inode);
            }
        }
        true
    }
}

/// Inode number from `socket:[N]`.
fn socket_inode(target: &[u8]) -> Option<u32> {
    let digits = target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::{net::TcpListener, os::fd::AsRawFd};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_sockets_have_a_socket_inode() {
        assert_eq!(socket_inode(b"socket:[4026531840]"), Some(4_026_531_840));
        for other in [
            &b"socket:[4294967296]"[..],
            b"socket:[]",
            b"socket:[12",
            b"socket:[1 2]",
            b"pipe:[12]",
            b"/dev/null",
            b"",
        ] {
            assert_eq!(socket_inode(other), None);
        }
    }

    #[test]
    fn our_sockets_are_found_step_by_step() {
        let held: Vec<TcpListener> = (0..5)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let mut found = Vec::new();
        let mut walk = FdWalk::open(Path::new("/proc/self/fd")).unwrap();
        while walk.step(2, |inode| found.push(inode)) {}
        for listener in held {
            let link = format!("/proc/self/fd/{}", listener.as_raw_fd());
            let link = std::fs::read_link(link).unwrap();
            let inode = socket_inode(link.to_str().unwrap().as_bytes()).unwrap();
            assert!(found.contains(&inode), "{inode} in {found:?}");
        }
    }

    #[test]
    fn a_process_that_ended_shows_nothing() {
        let mut child = std::process::Command::new("sleep")
            .arg("100")
            .spawn()
            .unwrap();
        let path = format!("/proc/{}/fd", child.id());
        let mut walk = FdWalk::open(Path::new(&path)).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!walk.step(100, |inode| assert_eq!(inode, 0)));
        assert!(FdWalk::open(Path::new(&path)).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..30)) {
            let _ = socket_inode(&bytes);
        }
    }
}
