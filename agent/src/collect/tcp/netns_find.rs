//! Network namespaces: which ones there are.

use std::{
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustc_hash::FxHashMap;

use super::netns::Namespace;
use crate::collect::proc_file::{self, ProcReader};

/// Where namespaces without processes are kept: `ip netns add` and CNI plugins; Docker.
const MOUNT_FOLDERS: [&str; 2] = ["/run/netns", "/run/docker/netns"];

/// Which processes live in which namespace, as a walk over processes saw it. Filled anew in each
/// cycle.
#[derive(Clone, Debug, Default)]
pub struct Hints {
    /// By inode: the first two processes seen and the last one, 0 where there are fewer. Walks go
    /// by pid, so the first ones tend to be the oldest and the last to leave.
    by_inode: FxHashMap<u32, [u32; 3]>,
}

impl Hints {
    /// Notes that process `pid` lives in namespace `inode`; 0 (unknown) is passed over.
    pub fn note(&mut self, inode: u32, pid: u32) {
        if inode == 0 || pid == 0 {
            return;
        }
        let [first, second, last] = self.by_inode.entry(inode).or_default();
        let place = if *first == 0 {
            first
        } else if *second == 0 {
            second
        } else {
            last
        };
        *place = pid;
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.by_inode.clear();
    }

    /// Whether nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.by_inode.is_empty()
    }
}

/// The namespaces of a host at one time.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Our own first, the others by inode.
    pub namespaces: Vec<Namespace>,
    /// Processes whose namespace could not be read (without CAP_SYS_PTRACE: those of other
    /// users). There may be namespaces that only they live in.
    pub unreadable: u64,
}

/// Finds network namespaces.
#[derive(Debug)]
pub struct Finder {
    proc: PathBuf,
    mount_folders: Vec<PathBuf>,
}

impl Default for Finder {
    fn default() -> Self {
        Self {
            proc: proc_file::proc_root(),
            mount_folders: MOUNT_FOLDERS.map(PathBuf::from).to_vec(),
        }
    }
}

impl Finder {
    /// Looks below other folders than the usual ones.
    pub fn with_roots(proc: PathBuf, mount_folders: Vec<PathBuf>) -> Self {
        Self {
            proc,
            mount_folders,
        }
    }

    /// All namespaces: ours, those in `hints` (or, if it is empty, those of all processes), and
    /// those kept by a mount alone. Fails only if our own cannot be told.
    pub fn find(&self, hints: &Hints) -> io::Result<Found> {
        let own = Namespace::own()?;
        let mut found = Found::default();
        let scanned;
        let hints = if hints.is_empty() {
            (scanned, found.unreadable) = scan(&self.proc)?;
            &scanned
        } else {
            hints
        };
        let mut others: Vec<Namespace> = hints
            .by_inode
            .iter()
            .filter(|(inode, _)| **inode != own.inode)
            .map(|(&inode, pids)| Namespace {
                inode,
                own: false,
                pids: pids.iter().copied().filter(|pid| *pid != 0).collect(),
                mounted: None,
            })
            .collect();
        for (inode, path) in self.mounted() {
            if inode != own.inode && others.iter().all(|other| other.inode != inode) {
                others.push(Namespace {
                    inode,
                    own: false,
                    pids: Vec::new(),
                    mounted: Some(path),
                });
            }
        }
        others.sort_unstable_by_key(|namespace| namespace.inode);
        found.namespaces.push(own);
        found.namespaces.append(&mut others);
        Ok(found)
    }

    /// Namespaces that a file is mounted on. Folders and files that cannot be read show none.
    fn mounted(&self) -> Vec<(u32, PathBuf)> {
        // A leftover file that nothing is mounted on lies on another file system.
        let Ok(ours) = std::fs::metadata("/proc/thread-self/ns/net") else {
            return Vec::new();
        };
        self.mount_folders
            .iter()
            .filter_map(|folder| std::fs::read_dir(folder).ok())
            .flatten()
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                let metadata = std::fs::metadata(&path).ok()?;
                let inode = u32::try_from(metadata.ino()).ok()?;
                (metadata.dev() == ours.dev()).then_some((inode, path))
            })
            .collect()
    }
}

/// Reads the namespace of every process; also how many of them were not for us to read.
fn scan(root: &Path) -> io::Result<(Hints, u64)> {
    let mut proc = ProcReader::new(root);
    let mut hints = Hints::default();
    let mut unreadable = 0;
    for pid in proc_file::pids(root)? {
        match proc.metadata(pid, "ns/net") {
            Ok(metadata) => hints.note(u32::try_from(metadata.ino()).unwrap_or(0), pid),
            Err(error) if proc_file::is_denied(&error) => unreadable += 1,
            // It died, or is dying and has no namespace left.
            Err(_) => {}
        }
    }
    Ok((hints, unreadable))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn hints_keep_the_first_two_and_the_last() {
        let mut hints = Hints::default();
        for pid in [10, 11, 12, 13] {
            hints.note(7, pid);
        }
        hints.note(0, 99);
        hints.note(8, 20);
        let finder = Finder::with_roots("/nonexistent".into(), Vec::new());
        let found = finder.find(&hints).unwrap();
        assert_eq!(found.namespaces.len(), 3);
        assert!(found.namespaces[0].own);
        assert_eq!(found.namespaces[1].pids, [10, 11, 13]);
        assert_eq!(found.namespaces[2].pids, [20]);
        assert_eq!(found.namespaces[2].inode, 8);
    }

    /// Takes the name back when dropped.
    struct Named(String);

    impl Drop for Named {
        fn drop(&mut self) {
            let _ = std::process::Command::new("ip")
                .args(["netns", "delete", &self.0])
                .status();
        }
    }

    #[test]
    fn one_without_processes_is_found_by_its_mount() {
        let named = Named(format!("hostlens-test-{}", std::process::id()));
        let made = std::process::Command::new("ip")
            .args(["netns", "add", &named.0])
            .stderr(std::process::Stdio::null())
            .status();
        if !made.is_ok_and(|status| status.success()) {
            eprintln!("skipped: needs root to make a network namespace");
            return;
        }
        let found = Finder::default().find(&Hints::default()).unwrap();
        let namespace = found
            .namespaces
            .iter()
            .find(|namespace| {
                let path = namespace.mounted.as_ref();
                path.is_some_and(|path| path.ends_with(&named.0))
            })
            .unwrap();
        assert_eq!((namespace.own, namespace.proc_pid()), (false, None));
        let inside = super::super::netns::within(namespace, super::super::netns::own_inode);
        assert_eq!(inside.unwrap().unwrap(), namespace.inode);
    }

    #[test]
    fn scanning_finds_our_own_once() {
        let found = Finder::default().find(&Hints::default()).unwrap();
        assert!(found.namespaces[0].own);
        assert_eq!(found.namespaces.iter().filter(|ns| ns.own).count(), 1);
        let mut inodes: Vec<u32> = found.namespaces.iter().map(|ns| ns.inode).collect();
        inodes.dedup();
        assert_eq!(inodes.len(), found.namespaces.len());
    }
}
