//! How a filesystem may be asked, by its type alone: asking already may hang, or mount something.

/// What is done about a filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The kernel answers from memory.
    Local,
    /// A server, a process or another machine answers, or nobody: a thread of its own asks.
    Remote,
    /// It has no room that could run out.
    Skip,
}

/// Types whose `statfs` reads counters in memory, also while their device hangs.
const LOCAL: &[&str] = &[
    "bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "hfs", "hfsplus", "jfs", "minix",
    "msdos", "nilfs2", "ntfs", "ntfs3", "reiserfs", "tmpfs", "ubifs", "udf", "ufs", "vfat", "xfs",
];

/// Views of the kernel, images that are full by nature, and what mounts when it is touched.
const SKIP: &[&str] = &[
    "aufs",
    "autofs",
    "binder",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "cpuset",
    "cramfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "erofs",
    "fuse.gvfsd-fuse",
    "fuse.lxcfs",
    "fuse.portal",
    "fuse.snapfuse",
    "fuse.squashfuse",
    "fusectl",
    "hugetlbfs",
    "iso9660",
    "mqueue",
    "nfsd",
    "nsfs",
    "overlay",
    "proc",
    "pstore",
    "ramfs",
    "resctrl",
    "romfs",
    "rootfs",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "smackfs",
    "squashfs",
    "sysfs",
    "tracefs",
];

/// Directories below which nothing is a store of anybody's data.
const NO_STORE: &[&str] = &["/dev", "/proc", "/run/credentials", "/sys"];

/// Decides for a filesystem of this type, mounted there.
pub(super) fn kind(fstype: &str, mountpoint: &str) -> Kind {
    // The root of a container; elsewhere it shows a filesystem that is listed itself.
    if fstype == "overlay" && mountpoint == "/" {
        return Kind::Local;
    }
    let no_store = NO_STORE.iter().any(|dir| below(mountpoint, dir));
    if SKIP.contains(&fstype) || no_store && mountpoint != "/dev/shm" {
        return Kind::Skip;
    }
    if LOCAL.contains(&fstype) {
        Kind::Local
    } else {
        // nfs, cifs, 9p, ceph, fuse, zfs (waits for a suspended pool), and whatever is not known.
        Kind::Remote
    }
}

/// Whether `path` is `dir` or lies in it.
pub(super) fn below(path: &str, dir: &str) -> bool {
    let dir = dir.trim_end_matches('/');
    path.strip_prefix(dir)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_type_and_place() {
        for (fstype, mountpoint, expected) in [
            ("ext4", "/", Kind::Local),
            ("tmpfs", "/run", Kind::Local),
            ("tmpfs", "/dev/shm", Kind::Local),
            ("tmpfs", "/sys/fs/cgroup", Kind::Skip),
            ("tmpfs", "/devices", Kind::Local),
            ("overlay", "/", Kind::Local),
            ("overlay", "/var/lib/docker/overlay2/x/merged", Kind::Skip),
            ("autofs", "/net", Kind::Skip),
            ("nfs4", "/home", Kind::Remote),
            ("fuse.sshfs", "/mnt/far", Kind::Remote),
            ("fuseblk", "/mnt/usb", Kind::Remote),
            ("9p", "/mnt/host", Kind::Remote),
            ("zfs", "/tank", Kind::Remote),
            ("brandnewfs", "/new", Kind::Remote),
            ("squashfs", "/snap/core/1", Kind::Skip),
        ] {
            assert_eq!(kind(fstype, mountpoint), expected, "{fstype} {mountpoint}");
        }
    }

    #[test]
    fn below_by_whole_names() {
        assert!(below("/a/b", "/a") && below("/a", "/a") && below("/a", "/"));
        assert!(!below("/ab", "/a") && !below("/", "/a"));
    }
}
