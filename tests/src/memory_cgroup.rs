//! A cgroup that may hold little memory, in whichever hierarchy has the controller.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

const V1: &str = "/sys/fs/cgroup/memory";
const V2: &str = "/sys/fs/cgroup";

/// Removed when dropped, once its processes have gone.
#[derive(Debug)]
pub struct MemoryCgroup {
    directory: PathBuf,
}

/// Whether some hierarchy has the memory controller.
pub fn available() -> bool {
    Path::new(V1).join("memory.limit_in_bytes").exists() || v2()
}

fn v2() -> bool {
    let enabled = fs::read_to_string(Path::new(V2).join("cgroup.subtree_control"));
    enabled.is_ok_and(|list| list.split_whitespace().any(|name| name == "memory"))
}

impl MemoryCgroup {
    /// One that may hold `bytes`, and swaps none of it.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn new(bytes: u64) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("hostlens-test-{}-{number}", std::process::id());
        let root = if v2() { V2 } else { V1 };
        let directory = Path::new(root).join(name);
        fs::create_dir(&directory).expect("make a cgroup");
        let cgroup = Self { directory };
        if v2() {
            cgroup.set("memory.max", &bytes.to_string());
            // Not there without swap accounting; the test then needs a host without swap.
            let _ = fs::write(cgroup.directory.join("memory.swap.max"), "0");
        } else {
            cgroup.set("memory.limit_in_bytes", &bytes.to_string());
            cgroup.set("memory.swappiness", "0");
        }
        cgroup
    }

    /// Puts a process in.
    ///
    /// # Panics
    /// When it cannot be moved.
    pub fn take(&self, pid: u32) {
        self.set("cgroup.procs", &pid.to_string());
    }

    fn set(&self, file: &str, value: &str) {
        let path = self.directory.join(file);
        fs::write(&path, value).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

impl Drop for MemoryCgroup {
    fn drop(&mut self) {
        // Whoever was killed in it is gone for cgroups a moment after for its parent.
        let gone = (0..50).any(|_| {
            let removed = fs::remove_dir(&self.directory).is_ok();
            if !removed {
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
            removed
        });
        if !gone {
            eprintln!("{} is not removed", self.directory.display());
        }
    }
}
