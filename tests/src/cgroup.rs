//! Cgroups in the hierarchies of this host, taken down when dropped.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::deadline::poll_until;

/// Where a v1 hierarchy (`memory`, `name=systemd`) is mounted, or with an empty name v2.
pub fn mount(hierarchy: &str) -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (point, kind, options) = (fields.next()?, fields.next()?, fields.next()?);
        let wanted = match hierarchy {
            "" => kind == "cgroup2",
            name => kind == "cgroup" && options.split(',').any(|option| option == name),
        };
        wanted.then(|| PathBuf::from(point))
    })
}

/// One path in some hierarchies; directories that were not there before are removed at the end.
#[derive(Debug)]
pub struct Cgroup {
    leaves: Vec<PathBuf>,
    /// Innermost last.
    made: Vec<PathBuf>,
}

impl Cgroup {
    /// Makes `path` in all these hierarchies.
    ///
    /// # Panics
    /// When one of them is not mounted, or refuses.
    pub fn new(hierarchies: &[&str], path: &str) -> Self {
        let mut cgroup = Self {
            leaves: Vec::new(),
            made: Vec::new(),
        };
        for hierarchy in hierarchies {
            let mut place = mount(hierarchy)
                .unwrap_or_else(|| panic!("hierarchy {hierarchy:?} is not mounted"));
            for part in path.split('/').filter(|part| !part.is_empty()) {
                place.push(part);
                match fs::create_dir(&place) {
                    Ok(()) => cgroup.made.push(place.clone()),
                    Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                    Err(error) => panic!("{}: {error}", place.display()),
                }
            }
            cgroup.leaves.push(place);
        }
        cgroup
    }

    /// Moves a process into it.
    pub fn take(&self, pid: u32) {
        for leaf in &self.leaves {
            fs::write(leaf.join("cgroup.procs"), pid.to_string()).expect("move a process");
        }
    }

    /// Commands for a shell: it moves itself into the cgroup.
    pub fn enter(&self) -> String {
        let enter = |leaf: &PathBuf| format!("echo $$ > '{}/cgroup.procs'; ", leaf.display());
        self.leaves.iter().map(enter).collect()
    }

    /// Its directories, in the order of the hierarchies.
    pub fn directories(&self) -> impl Iterator<Item = &Path> {
        self.leaves.iter().map(PathBuf::as_path)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for place in self.made.iter().rev() {
            // Those in it have been killed, and leave in a moment.
            let gone = || match fs::remove_dir(place) {
                Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => {
                    Err(error.to_string())
                }
                _ => Ok(()),
            };
            if std::thread::panicking() {
                for _ in 0..50 {
                    if gone().is_ok() {
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
            } else {
                poll_until("an empty cgroup", Duration::from_secs(10), gone);
            }
        }
    }
}
