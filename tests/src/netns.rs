//! Network namespaces that live as long as their owner.

use std::{
    fs::File,
    os::{
        fd::AsFd,
        unix::{fs::MetadataExt, process::CommandExt},
    },
    process::Command,
    sync::Arc,
    thread,
};

use nix::sched::{CloneFlags, setns, unshare};

use crate::host;

/// A network namespace of its own. The kernel removes it, with its devices and addresses, when
/// this handle is dropped and the last process in it has ended.
#[derive(Clone, Debug)]
pub struct Netns {
    handle: Arc<File>,
}

impl Netns {
    /// A new namespace with its loopback device up.
    pub fn new() -> Self {
        let handle = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("unshare a network namespace");
            File::open("/proc/thread-self/ns/net").expect("open the new namespace")
        })
        .join()
        .expect("thread in the new namespace");
        let namespace = Self {
            handle: Arc::new(handle),
        };
        namespace.ip("link set lo up");
        namespace
    }

    /// Its inode number, as sockets and tasks carry it.
    pub fn inode(&self) -> u64 {
        self.handle.metadata().expect("stat the namespace").ino()
    }

    /// Runs `job` inside, on a thread of its own.
    pub fn run<T: Send>(&self, job: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            scope
                .spawn(|| {
                    setns(self.handle.as_fd(), CloneFlags::CLONE_NEWNET)
                        .expect("enter the namespace");
                    job()
                })
                .join()
                .expect("job in the namespace")
        })
    }

    /// Makes `command` start inside.
    pub fn enter(&self, command: &mut Command) {
        let handle = Arc::clone(&self.handle);
        // SAFETY: between fork and exec only setns(2) runs, which is async-signal-safe; the
        // descriptor is kept open by the closure.
        unsafe {
            command.pre_exec(move || {
                setns(handle.as_fd(), CloneFlags::CLONE_NEWNET).map_err(Into::into)
            });
        }
    }

    /// Runs `ip` with these space-separated arguments inside.
    pub fn ip(&self, arguments: &str) {
        let mut command = host::command("ip");
        command.args(arguments.split_whitespace());
        self.enter(&mut command);
        let output = command.output().expect("run ip");
        assert!(
            output.status.success(),
            "ip {arguments}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

impl Default for Netns {
    fn default() -> Self {
        Self::new()
    }
}
