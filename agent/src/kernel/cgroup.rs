//! The cgroup that programs for all sockets are attached to: the root of the v2 hierarchy. It need
//! not hold any controller; the empty hierarchy of a hybrid host will do.

use std::{fs, fs::File, path::PathBuf};

use aya::programs::{CgroupAttachMode, Program, ProgramError};

use super::object::Hook;
use crate::model::ProgramState;

/// Inode number of the first cgroup namespace (`PROC_CGROUP_INIT_INO` of
/// `include/linux/proc_ns.h`).
const FIRST_NAMESPACE: &str = "cgroup:[4026531835]";

/// The topmost cgroup within reach.
pub struct Cgroup {
    file: File,
    partial: Option<String>,
}

impl Cgroup {
    /// Opens it.
    ///
    /// # Errors
    /// One line: no v2 hierarchy is mounted (none is mounted for this), or it cannot be opened.
    pub fn root() -> Result<Self, String> {
        let mounts = fs::read_to_string("/proc/self/mountinfo")
            .map_err(|error| format!("/proc/self/mountinfo: {error}"))?;
        let (path, root) = find(&mounts).ok_or("no cgroup2 is mounted")?;
        let file = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let namespace = fs::read_link("/proc/self/ns/cgroup");
        let inside = namespace.is_ok_and(|name| name.as_os_str() != FIRST_NAMESPACE);
        let partial = match (root.as_str(), inside) {
            ("/", false) => None,
            ("/", true) => Some("in a cgroup namespace: only sockets below it are seen".to_owned()),
            _ => Some(format!(
                "{} shows cgroup {root} alone: only its sockets are seen",
                path.display()
            )),
        };
        Ok(Self { file, partial })
    }

    /// Loads a program and attaches it, beside those of others.
    ///
    /// # Errors
    /// The kernel refuses the one or the other.
    pub fn attach(&self, hook: Hook, program: &mut Program) -> Result<ProgramState, ProgramError> {
        // A link (since 5.7) stands beside the programs of others and takes no mode.
        let beside = CgroupAttachMode::Single;
        match (hook, program) {
            (Hook::CgroupSkb(way), Program::CgroupSkb(program)) => {
                program.load()?;
                program.attach(&self.file, way, beside)?;
            }
            (Hook::CgroupConnect(_), Program::CgroupSockAddr(program)) => {
                program.load()?;
                program.attach(&self.file, beside)?;
            }
            _ => {
                return Ok(ProgramState::Refused(
                    "the object holds another kind of program".into(),
                ));
            }
        }
        Ok(ProgramState::Attached)
    }

    /// Why not all sockets of the host are below it; `None` if they are.
    pub fn partial(&self) -> Option<&str> {
        self.partial.as_deref()
    }
}

/// Mount point and shown cgroup of the mount of the v2 hierarchy that shows most.
fn find(mountinfo: &str) -> Option<(PathBuf, String)> {
    let mounts = mountinfo.lines().filter_map(|line| {
        // 30 23 0:26 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw
        let (mount, kind) = line.split_once(" - ")?;
        let mut fields = mount.split(' ');
        let (root, point) = (fields.nth(3)?, fields.next()?);
        (kind.split(' ').next()? == "cgroup2").then(|| (PathBuf::from(plain(point)), plain(root)))
    });
    mounts.min_by_key(|(_, root)| root.len())
}

/// Undoes the octal escapes of `/proc/*/mountinfo` (space, tab, newline, backslash).
fn plain(field: &str) -> String {
    let escapes = [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ];
    escapes
        .iter()
        .fold(field.to_owned(), |text, (escape, sign)| {
            text.replace(escape, sign)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_that_shows_most_is_found() {
        let hybrid = "24 1 0:22 / /proc rw - proc proc rw\n\
                      31 30 0:27 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu\n\
                      40 30 0:36 /pod /mnt/a\\040b rw - cgroup2 cgroup2 rw\n\
                      41 30 0:36 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw\n";
        let unified = ("/sys/fs/cgroup/unified".into(), "/".to_owned());
        assert_eq!(find(hybrid), Some(unified));
        let container = hybrid.lines().take(3).collect::<Vec<_>>().join("\n");
        let shown = ("/mnt/a b".into(), "/pod".to_owned());
        assert_eq!(find(&container), Some(shown));
        assert_eq!(
            find("31 30 0:27 / /c rw - cgroup cgroup rw\nnonsense\n"),
            None
        );
    }
}
