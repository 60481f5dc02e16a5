//! From the id of a kernfs node to its path.

use std::{
    fs::{self, File},
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    path::{Path, PathBuf},
};

/// `FILEID_KERNFS` of `include/linux/exportfs.h` (since 5.5): a node is known by its 64-bit id.
const FILEID_KERNFS: libc::c_int = 0xfe;

/// `struct file_handle` with the payload of kernfs.
#[repr(C)]
struct Handle {
    bytes: libc::c_uint,
    kind: libc::c_int,
    id: [u8; 8],
}

/// The path of node `id` in the hierarchy mounted at `point`, as this process sees it.
///
/// # Errors
/// `ESTALE`: no such node (any more). `EPERM`: without CAP_DAC_READ_SEARCH.
pub(super) fn path_of(point: &Path, id: u64) -> io::Result<PathBuf> {
    // Opened each time: a descriptor that is kept would keep the hierarchy mounted.
    let mount = File::open(point)?;
    let mut handle = Handle {
        bytes: 8,
        kind: FILEID_KERNFS,
        id: id.to_ne_bytes(),
    };
    let flags = libc::O_PATH | libc::O_CLOEXEC;
    // SAFETY: `handle` is a `struct file_handle` followed by as many bytes as it says, and lives
    // until the call returns.
    let node =
        unsafe { libc::open_by_handle_at(mount.as_raw_fd(), (&raw mut handle).cast(), flags) };
    if node < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else owns it.
    let node = unsafe { OwnedFd::from_raw_fd(node) };
    fs::read_link(format!("/proc/self/fd/{}", node.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_node_is_found_by_its_inode_number() {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let points = mounts.lines().filter(|line| line.contains(" - cgroup"));
        let mut found = 0;
        for point in points.filter_map(|line| line.split(' ').nth(4)) {
            let point = Path::new(point);
            let id = fs::metadata(point).unwrap().ino();
            match path_of(point, id) {
                Ok(path) => assert_eq!(path, point),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    println!("SKIP: needs CAP_DAC_READ_SEARCH");
                    return;
                }
                Err(error) => panic!("{}: {error}", point.display()),
            }
            assert!(path_of(point, u64::MAX - 1).is_err());
            found += 1;
        }
        println!("{found} hierarchies");
    }
}
