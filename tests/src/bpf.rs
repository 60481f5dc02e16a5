//! Which programs, maps and links the kernel holds, and which of them a process holds.

use std::{collections::BTreeSet, fs};

/// A kind of kernel object with ids of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Program.
    Program,
    /// Map.
    Map,
    /// Link.
    Link,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Program, Self::Map, Self::Link];

    /// `BPF_*_GET_NEXT_ID` of `enum bpf_cmd`.
    fn next_id_command(self) -> libc::c_long {
        match self {
            Self::Program => 11,
            Self::Map => 12,
            Self::Link => 31,
        }
    }

    /// Key of the id in fdinfo.
    fn fdinfo_key(self) -> &'static str {
        match self {
            Self::Program => "prog_id:",
            Self::Map => "map_id:",
            Self::Link => "link_id:",
        }
    }
}

/// Objects by kind and id.
pub type Objects = BTreeSet<(Kind, u32)>;

/// All objects the kernel holds.
///
/// # Panics
/// Without the privilege to list them.
pub fn loaded() -> Objects {
    let mut all = Objects::new();
    for kind in Kind::ALL {
        // Start of union bpf_attr for these commands: start_id, next_id, open_flags.
        let mut attributes = [0u32; 3];
        loop {
            // SAFETY: the kernel reads and writes at most the 12 bytes it is told of.
            let status = unsafe {
                libc::syscall(
                    libc::SYS_bpf,
                    kind.next_id_command(),
                    attributes.as_mut_ptr(),
                    size_of_val(&attributes),
                )
            };
            if status != 0 {
                let error = std::io::Error::last_os_error();
                assert_eq!(error.raw_os_error(), Some(libc::ENOENT), "bpf: {error}");
                break;
            }
            all.insert((kind, attributes[1]));
            attributes[0] = attributes[1];
        }
    }
    all
}

/// Objects that process `pid` holds descriptors of, programs behind its links included.
///
/// # Panics
/// When its descriptors cannot be read.
pub fn held_by(pid: u32) -> Objects {
    let mut held = Objects::new();
    let entries = fs::read_dir(format!("/proc/{pid}/fdinfo")).expect("list fdinfo");
    for entry in entries.flatten() {
        // A descriptor may be closed while we look.
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        for kind in Kind::ALL {
            let id = text
                .lines()
                .find_map(|line| line.strip_prefix(kind.fdinfo_key()));
            if let Some(id) = id.and_then(|id| id.trim().parse().ok()) {
                held.insert((kind, id));
            }
        }
    }
    held
}
