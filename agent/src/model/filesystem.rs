//! Mounted filesystems and the room they have.

use std::sync::Arc;

/// What `statfs` says of a filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Size, bytes; never 0.
    pub size: u64,
    /// Free, bytes, what is reserved for root included.
    pub free: u64,
    /// Free for everyone, bytes.
    pub available: u64,
    /// Inodes there are, and those that are free; absent where the filesystem makes them as it
    /// goes (btrfs, network filesystems).
    pub inodes: Option<Inodes>,
}

/// Inodes of a filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inodes {
    /// All of them; never 0.
    pub total: u64,
    /// Free ones.
    pub free: u64,
}

impl Room {
    /// Used bytes.
    pub fn used(&self) -> u64 {
        self.size.saturating_sub(self.free)
    }

    /// Bytes that everyone may use together: the size without what is reserved for root. 1 at
    /// least.
    pub fn usable(&self) -> u64 {
        (self.used() + self.available).max(1)
    }

    /// Used over usable, as `df` shows it: at 1 nobody but root can write.
    pub fn ratio(&self) -> f64 {
        self.used() as f64 / self.usable() as f64
    }
}

impl Inodes {
    /// Used ones.
    pub fn used(&self) -> u64 {
        self.total.saturating_sub(self.free)
    }

    /// Used over all.
    pub fn ratio(&self) -> f64 {
        self.used() as f64 / self.total.max(1) as f64
    }
}

/// One filesystem.
#[derive(Clone, Debug)]
pub struct FilesystemRow {
    /// Where it is mounted; of several places the one that shows most of it.
    pub mountpoint: Arc<str>,
    /// What is mounted there, as the mount table names it.
    pub device: Arc<str>,
    /// Its type.
    pub fstype: Arc<str>,
    /// Mounted read-only: it cannot fill.
    pub read_only: bool,
    /// It does not answer: whoever touches it hangs too. `None` before its first answer is due.
    pub hung: Option<bool>,
    /// Its room; absent while it does not answer, or if it has no size.
    pub room: Option<Room>,
    /// Bytes per second it grows by; absent if it does not.
    pub growth: Option<f64>,
    /// Seconds until there is no room for bytes; absent if it does not grow.
    pub bytes_to_full: Option<f64>,
    /// Seconds until there is no inode left; absent if none are taken.
    pub inodes_to_full: Option<f64>,
}

impl FilesystemRow {
    /// The fuller of bytes and inodes; absent while unknown or where it cannot fill.
    pub fn ratio(&self) -> Option<f64> {
        let room = self.room.filter(|_| !self.read_only)?;
        let inodes = room.inodes.map_or(0.0, |inodes| inodes.ratio());
        Some(room.ratio().max(inodes))
    }

    /// Seconds until it is full by bytes or by inodes, whichever comes first.
    pub fn to_full(&self) -> Option<f64> {
        let both = [self.bytes_to_full, self.inodes_to_full];
        both.into_iter().flatten().reduce(f64::min)
    }
}
