//! Network namespaces: how to get into one.
//!
//! Entering is done on a thread of its own that ends afterwards, so no caller's thread is ever
//! left in a foreign namespace. Whatever the work opened there (a netlink socket, an iterator)
//! stays in that namespace and can be used from anywhere, but also keeps the namespace alive:
//! close it in the same cycle, or a container's interfaces outlive the container.

use std::{
    fs::File,
    io,
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
    thread,
};

pub use super::netns_find::{Finder, Found, Hints};
use crate::collect::proc_file;

/// A network namespace and how to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Its inode number (`stat` of `/proc/PID/ns/net`).
    pub inode: u32,
    /// It is our own: no entering needed.
    pub own: bool,
    /// Some processes that live in it. More than one, as the first may be gone by the time it is
    /// needed.
    pub pids: Vec<u32>,
    /// A file it is mounted on (`ip netns add`), if no process lives in it.
    pub mounted: Option<PathBuf>,
}

impl Namespace {
    /// A namespace that a process lives in.
    pub fn of_pid(inode: u32, pid: u32) -> Self {
        Self {
            inode,
            own: false,
            pids: vec![pid],
            mounted: None,
        }
    }

    /// Our own namespace.
    pub fn own() -> io::Result<Self> {
        Ok(Self {
            inode: own_inode()?,
            own: true,
            pids: vec![0],
            mounted: None,
        })
    }

    /// The process through which `/proc/PID/net` shows this namespace: 0 (ourselves) for our own.
    /// Where a process moves between namespaces the answer may be of the other one: callers use
    /// it for hints only.
    pub fn proc_pid(&self) -> Option<u32> {
        if self.own {
            return Some(0);
        }
        self.pids.first().copied()
    }
}

/// Why a namespace was not entered.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    /// Nothing leads to it any more: it has ended, or its processes have. Not a fault.
    #[error("network namespace {inode} is gone")]
    Gone {
        /// The namespace.
        inode: u32,
    },
    /// Not allowed.
    #[error("network namespace {inode} not entered: needs CAP_SYS_ADMIN and CAP_SYS_PTRACE")]
    Denied {
        /// The namespace.
        inode: u32,
    },
    /// Anything else.
    #[error("network namespace {inode} not entered: {source}")]
    Failed {
        /// The namespace.
        inode: u32,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Inode number of the network namespace of the calling thread.
pub fn own_inode() -> io::Result<u32> {
    // The thread's own: other threads may live elsewhere.
    inode_of(&std::fs::metadata("/proc/thread-self/ns/net")?)
}

fn inode_of(metadata: &std::fs::Metadata) -> io::Result<u32> {
    u32::try_from(metadata.ino())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "namespace inode beyond 32 bits"))
}

/// Runs `work` inside one namespace and returns what it gave. In our own namespace it runs on the
/// calling thread.
pub fn within<T: Send>(
    namespace: &Namespace,
    work: impl FnOnce() -> T + Send,
) -> Result<T, EnterError> {
    if namespace.own {
        return Ok(work());
    }
    let mut work = Some(work);
    let mut results = within_each(&[namespace], || work.take().map(|work| work()));
    match results.pop() {
        Some(Ok(Some(value))) => Ok(value),
        Some(Err(error)) => Err(error),
        Some(Ok(None)) | None => Err(EnterError::Failed {
            inode: namespace.inode,
            source: io::Error::other("its thread did not run"),
        }),
    }
}

/// Runs `work` in each of these namespaces in turn, all on one short-lived thread. One result per
/// namespace, in order.
pub fn within_each<T: Send>(
    namespaces: &[&Namespace],
    mut work: impl FnMut() -> T + Send,
) -> Vec<Result<T, EnterError>> {
    let visit = || -> Vec<Result<T, EnterError>> {
        // The thread starts where its creator is.
        let mut at_home = true;
        let mut results = Vec::with_capacity(namespaces.len());
        for namespace in namespaces {
            let entered = if namespace.own && at_home {
                Ok(())
            } else {
                enter(namespace).inspect(|()| at_home = false)
            };
            results.push(entered.map(|()| work()));
        }
        results
    };
    let visited = thread::scope(|scope| {
        let visitor = thread::Builder::new()
            .name("netns".into())
            // It opens a few files; there is no need to map the default of 2 MiB.
            .stack_size(128 << 10)
            .spawn_scoped(scope, visit)?;
        visitor
            .join()
            .map_err(|_| io::Error::other("its thread panicked"))
    });
    visited.unwrap_or_else(|error| {
        let failed = |namespace: &&Namespace| {
            Err(EnterError::Failed {
                inode: namespace.inode,
                source: io::Error::new(error.kind(), error.to_string()),
            })
        };
        namespaces.iter().map(failed).collect()
    })
}

/// Moves the calling thread, for the rest of its life.
fn enter(namespace: &Namespace) -> Result<(), EnterError> {
    let inode = namespace.inode;
    let mut denied = false;
    for path in doors(namespace) {
        match enter_by(&path, inode) {
            Ok(()) => return Ok(()),
            Err(error) if proc_file::is_gone(&error) => {}
            // EPERM by setns, EACCES by the links of /proc.
            Err(error) if proc_file::is_denied(&error) => denied = true,
            Err(source) => return Err(EnterError::Failed { inode, source }),
        }
    }
    Err(if denied {
        EnterError::Denied { inode }
    } else {
        EnterError::Gone { inode }
    })
}

/// Paths that lead into a namespace, as far as known.
fn doors(namespace: &Namespace) -> impl Iterator<Item = PathBuf> {
    let of_pids = namespace.pids.iter().map(|pid| match pid {
        0 => PathBuf::from("/proc/self/ns/net"),
        pid => PathBuf::from(format!("/proc/{pid}/ns/net")),
    });
    of_pids.chain(namespace.mounted.clone())
}

/// Enters the namespace at `path` if it is the one meant: a pid may belong to another process by
/// now, and a process may have moved. That counts as gone.
fn enter_by(path: &Path, inode: u32) -> io::Result<()> {
    let door = File::open(path)?;
    if inode_of(&door.metadata()?)? != inode {
        return Err(io::ErrorKind::NotFound.into());
    }
    // SAFETY: the descriptor is open for the duration of the call; setns changes the calling
    // thread only, which exists for nothing else.
    let status = unsafe { libc::setns(door.as_raw_fd(), libc::CLONE_NEWNET) };
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
#[path = "netns_tests.rs"]
mod tests;
