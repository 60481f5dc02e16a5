//! A memory cgroup with a limit, removed when dropped.

use std::{
    fs::{self, File},
    path::PathBuf,
    process,
};

/// Where the memory controller is: its own hierarchy, or the one of all.
const ROOTS: [(&str, &str); 2] = [
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
    ("/sys/fs/cgroup", "memory.max"),
];

/// Processes in it reclaim from each other once they use more than the limit.
#[derive(Debug)]
pub struct MemoryLimit {
    root: PathBuf,
    dir: PathBuf,
}

impl MemoryLimit {
    /// A cgroup of so many MiB; `None` where this host has no memory controller to be used.
    pub fn new(mebibytes: u64) -> Option<Self> {
        for (root, file) in ROOTS {
            let root = PathBuf::from(root);
            let dir = root.join(format!("hostlens-tests-{}", process::id()));
            if !root.join("cgroup.procs").exists() || fs::create_dir(&dir).is_err() {
                continue;
            }
            let limit = Self { root, dir };
            if fs::write(limit.dir.join(file), (mebibytes << 20).to_string()).is_ok() {
                return Some(limit);
            }
        }
        None
    }

    /// The list of its processes, to which is written who shall join.
    ///
    /// # Panics
    /// When it has gone.
    pub fn members(&self) -> File {
        let path = self.dir.join("cgroup.procs");
        File::options()
            .write(true)
            .open(path)
            .expect("open the list of members")
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        let members = fs::read_to_string(self.dir.join("cgroup.procs")).unwrap_or_default();
        for pid in members.lines() {
            // May end meanwhile.
            let _ = fs::write(self.root.join("cgroup.procs"), pid);
        }
        // A process that was just reaped may be there for a moment.
        for _ in 0..100 {
            if fs::remove_dir(&self.dir).is_ok() || !self.dir.exists() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        eprintln!("{} could not be removed", self.dir.display());
    }
}
