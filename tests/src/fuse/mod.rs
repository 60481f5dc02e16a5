//! A filesystem with one file, served by the test itself through `/dev/fuse`: a disk (under a loop
//! device) or a network mount that is as slow as one wants, or hangs, and knows what each request
//! really took.

mod pace;
mod serve;
mod wire;

use std::{
    ffi::CString,
    fs::{File, OpenOptions},
    io,
    os::{fd::AsRawFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
};

use tempfile::TempDir;

use crate::host::Need;
use serve::Server;

pub use pace::{Done, Pace};
pub use wire::Op;

/// What it needs.
pub const FUSE: &[Need] = &[Need::Root, Need::Path("/dev/fuse")];

/// Type of the filesystem, as in mount tables.
pub const FSTYPE: &str = "fuse.hostlens";

/// Source of the mount, as in mount tables.
pub const SOURCE: &str = "slow-file";

/// Requests served at once; more wait their turn, and that time counts as theirs.
pub const PARALLEL: usize = 8;

/// What `statfs` says, in blocks of 4 KiB.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// All blocks.
    pub blocks: u64,
    /// Free ones, as everyone may use them.
    pub free: u64,
    /// All inodes.
    pub files: u64,
    /// Free ones.
    pub files_free: u64,
}

/// The mounted filesystem; unmounted when dropped. A loop device over its file goes first.
#[derive(Debug)]
pub struct SlowFile {
    dir: TempDir,
    server: Arc<Server>,
    threads: Vec<JoinHandle<()>>,
}

impl SlowFile {
    /// Mounts a file of `bytes` zeros, held in memory as far as it is written.
    ///
    /// # Panics
    /// When it cannot be mounted.
    pub fn new(bytes: u64) -> Self {
        let dir = TempDir::with_prefix("hostlens-tests-").expect("temporary directory");
        let device = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/fuse")
            .expect("open /dev/fuse");
        mount(dir.path(), &device).expect("mount the filesystem");
        let server = Arc::new(Server::new(device, bytes));
        let mut threads = vec![thread::spawn({
            let server = Arc::clone(&server);
            move || server.take_in()
        })];
        threads.extend((0..PARALLEL).map(|_| {
            let server = Arc::clone(&server);
            thread::spawn(move || server.serve())
        }));
        Self {
            dir,
            server,
            threads,
        }
    }

    /// Where it is mounted.
    pub fn mountpoint(&self) -> &Path {
        self.dir.path()
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join(serve::NAME)
    }

    /// How fast requests are served that begin from now on.
    pub fn pace(&self, pace: Pace) {
        self.server.brake.set(pace);
    }

    /// Answers nothing until [`Self::resume`]: a disk or server that hangs.
    pub fn hang(&self) {
        self.server.brake.hang(true);
    }

    /// Goes on, with all that waits.
    pub fn resume(&self) {
        self.server.brake.hang(false);
    }

    /// What `statfs` says from now on.
    pub fn room(&self, room: Room) {
        self.server.set_room(room);
    }

    /// Requests that wait for their answer, by kind, in the order they came in.
    pub fn waiting(&self) -> Vec<Op> {
        self.server.waiting()
    }

    /// Requests answered since the last call, in the order of the answers.
    pub fn take_done(&self) -> Vec<Done> {
        self.server.take_done()
    }
}

impl Drop for SlowFile {
    fn drop(&mut self) {
        // Forced: requests that nobody answered any more fail. Detached: whoever still has the
        // file open does not keep it mounted.
        if let Err(error) = unmount(self.dir.path()) {
            eprintln!("{} stays mounted: {error}", self.dir.path().display());
            return;
        }
        self.server.close();
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing left to stop.
            let _ = thread.join();
        }
    }
}

fn mount(target: &Path, device: &File) -> io::Result<()> {
    let target = CString::new(target.as_os_str().as_bytes())?;
    let (source, fstype) = (CString::new(SOURCE)?, CString::new(FSTYPE)?);
    let options = CString::new(format!(
        "fd={},rootmode=40000,user_id=0,group_id=0,allow_other",
        device.as_raw_fd()
    ))?;
    // SAFETY: all four strings end with 0 and live through the call; for this type of filesystem
    // the last argument is a string.
    let status = unsafe {
        libc::mount(
            source.as_ptr(),
            target.as_ptr(),
            fstype.as_ptr(),
            libc::MS_NOSUID | libc::MS_NODEV,
            options.as_ptr().cast(),
        )
    };
    (status == 0)
        .then_some(())
        .ok_or_else(io::Error::last_os_error)
}

fn unmount(target: &Path) -> io::Result<()> {
    let target = CString::new(target.as_os_str().as_bytes())?;
    // SAFETY: the string ends with 0 and lives through the call.
    let status = unsafe { libc::umount2(target.as_ptr(), libc::MNT_FORCE | libc::MNT_DETACH) };
    (status == 0)
        .then_some(())
        .ok_or_else(io::Error::last_os_error)
}
