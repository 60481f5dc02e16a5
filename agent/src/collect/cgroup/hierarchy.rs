//! The cgroup hierarchies that are mounted here.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{handle, membership::plain};

/// Directories of the cgroup of a container or unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// In the v2 hierarchy, if one is mounted and it is kept there.
    pub v2: Option<PathBuf>,
    /// In v1 hierarchies, by controller: `memory`, `pids`, `blkio`, `cpu`, …
    pub v1: Vec<(Box<str>, PathBuf)>,
}

impl Paths {
    /// The directory that holds the files of a controller: on v1 that of its own hierarchy, else
    /// that of v2.
    pub fn controller(&self, name: &str) -> Option<&Path> {
        let v1 = self.v1.iter().find(|(known, _)| **known == *name);
        v1.map(|(_, path)| path.as_path()).or(self.v2.as_deref())
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Path> {
        let v1 = self.v1.iter().map(|(_, path)| path.as_path());
        self.v2.as_deref().into_iter().chain(v1)
    }
}

/// One mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hierarchy {
    /// Mount point.
    point: PathBuf,
    /// Which cgroup it shows there.
    root: String,
    /// Controllers of a v1 hierarchy, or its name (`name=systemd`); empty on v2.
    pub controllers: Vec<Box<str>>,
}

impl Hierarchy {
    /// The directory of a cgroup; `None` if the mount does not show it.
    pub fn directory(&self, path: &str) -> Option<PathBuf> {
        let shown = match self.root.as_str() {
            "/" => path,
            root => {
                let rest = path.strip_prefix(root)?;
                (rest.is_empty() || rest.starts_with('/')).then_some(rest)?
            }
        };
        Some(self.point.join(shown.trim_start_matches('/')))
    }

    /// The path of a cgroup.
    pub fn path_of(&self, id: u64) -> io::Result<String> {
        let found = handle::path_of(&self.point, id)?;
        let inner = found
            .strip_prefix(&self.point)
            .map_err(|_| io::Error::from(io::ErrorKind::NotFound))?;
        let inner = inner.to_str().ok_or(io::ErrorKind::InvalidData)?;
        let root = self.root.trim_end_matches('/');
        let path = match inner {
            "" => root.to_owned(),
            inner => format!("{root}/{inner}"),
        };
        Ok(plain(&path).to_owned())
    }

    /// Whether anything is kept in it beside its root.
    fn in_use(&self) -> bool {
        // A directory of kernfs counts its subdirectories as links.
        fs::metadata(&self.point).is_ok_and(|point| point.nlink() > 2)
    }
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hierarchies {
    pub v2: Option<Hierarchy>,
    pub v1: Vec<Hierarchy>,
}

impl Hierarchies {
    /// Those mounted for this process; none if that cannot be read.
    pub fn read() -> Self {
        fs::read_to_string("/proc/self/mountinfo")
            .map(|mounts| Self::parse(&mounts))
            .unwrap_or_default()
    }

    /// Those in a `mountinfo`.
    pub fn parse(mountinfo: &str) -> Self {
        let mut all = Self::default();
        for (hierarchy, v2) in mountinfo.lines().filter_map(parse_mount) {
            if v2 {
                // Of several mounts the one that shows most.
                let wider = |known: &Hierarchy| hierarchy.root.len() < known.root.len();
                if all.v2.as_ref().is_none_or(wider) {
                    all.v2 = Some(hierarchy);
                }
                continue;
            }
            let twin = |known: &&mut Hierarchy| known.controllers == hierarchy.controllers;
            match all.v1.iter_mut().find(twin) {
                Some(known) if hierarchy.root.len() < known.root.len() => *known = hierarchy,
                Some(_) => {}
                None => all.v1.push(hierarchy),
            }
        }
        all
    }

    /// The v1 hierarchy of a controller.
    pub fn controller(&self, name: &str) -> Option<&Hierarchy> {
        self.v1.get(self.index(name)?)
    }

    /// Its place in the list.
    pub fn index(&self, controller: &str) -> Option<usize> {
        let holds = |hierarchy: &Hierarchy| {
            hierarchy
                .controllers
                .iter()
                .any(|known| **known == *controller)
        };
        self.v1.iter().position(holds)
    }

    /// Whether processes are kept in v1 hierarchies.
    pub fn v1_in_use(&self) -> bool {
        self.v1.iter().any(Hierarchy::in_use)
    }
}

/// A line of `mountinfo`, if it is of a cgroup hierarchy; whether of v2.
fn parse_mount(line: &str) -> Option<(Hierarchy, bool)> {
    // 31 30 0:27 / /sys/fs/cgroup/cpu rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
    let (mount, kind) = line.split_once(" - ")?;
    let mut kind = kind.split(' ');
    let v2 = match kind.next()? {
        "cgroup" => false,
        "cgroup2" => true,
        _ => return None,
    };
    let mut fields = mount.split(' ');
    let (root, point) = (fields.nth(3)?, fields.next()?);
    // Options that are no controllers: those of any mount, and of the hierarchy as a whole.
    let plain_options = ["rw", "ro", "xattr", "noprefix", "clone_children", "none"];
    let controllers = match v2 {
        true => Vec::new(),
        false => kind
            .nth(1)?
            .split(',')
            .filter(|option| {
                !(plain_options.contains(option) || option.starts_with("release_agent="))
            })
            .map(Box::from)
            .collect(),
    };
    let hierarchy = Hierarchy {
        point: unescape(point).into(),
        root: plain(&unescape(root)).to_owned(),
        controllers,
    };
    Some((hierarchy, v2))
}

/// Undoes the octal escapes of `mountinfo` (space, tab, newline, backslash).
fn unescape(field: &str) -> String {
    let escapes = [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ];
    let text = field.to_owned();
    escapes
        .iter()
        .fold(text, |text, (escape, sign)| text.replace(escape, sign))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const HYBRID: &str = "24 1 0:22 / /proc rw - proc proc rw\n\
        31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n\
        32 30 0:28 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n\
        33 30 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n\
        40 30 0:36 /pod /mnt/a\\040b rw - cgroup2 cgroup2 rw\n\
        41 30 0:36 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";

    #[test]
    fn mounts_are_told_apart() {
        let all = Hierarchies::parse(HYBRID);
        let v2 = all.v2.as_ref().unwrap();
        assert_eq!(v2.point, Path::new("/sys/fs/cgroup/unified"));
        assert_eq!(all.v1.len(), 3);
        let cpu = all.controller("cpuacct").unwrap();
        assert_eq!(
            cpu.directory("/docker/a").unwrap(),
            Path::new("/sys/fs/cgroup/cpu,cpuacct/docker/a")
        );
        let systemd = all.controller("name=systemd").unwrap();
        assert_eq!(systemd.point, Path::new("/sys/fs/cgroup/systemd"));
        assert!(all.controller("blkio").is_none());
        assert_eq!(Hierarchies::parse("nonsense\n"), Hierarchies::default());
    }

    #[test]
    fn a_mount_of_a_part_shows_that_part() {
        let line = HYBRID.lines().nth(4).unwrap();
        let part = Hierarchies::parse(line).v2.unwrap();
        assert_eq!(part.directory("/pod/x").unwrap(), Path::new("/mnt/a b/x"));
        assert_eq!(part.directory("/other"), None);
        assert_eq!(part.directory("/podium"), None);
    }

    #[test]
    fn controllers_have_directories() {
        let paths = Paths {
            v2: Some("/c/u/x".into()),
            v1: vec![("memory".into(), "/c/m/x".into())],
        };
        assert_eq!(paths.controller("memory"), Some(Path::new("/c/m/x")));
        assert_eq!(paths.controller("pids"), Some(Path::new("/c/u/x")));
        assert_eq!(paths.all().count(), 2);
        assert_eq!(Paths::default().controller("pids"), None);
    }
}
