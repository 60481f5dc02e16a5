//! What a descriptor stands for.

/// One byte per descriptor of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FdType {
    /// A socket of any family.
    Socket = 1,
    /// A regular file or a folder.
    File = 2,
    /// A pipe, named or not.
    Pipe = 3,
    /// An object of the kernel without a name: epoll, eventfd, timerfd, inotify, BPF, pidfd, …
    Anon = 4,
    /// A device, or what could not be told.
    Other = 5,
}

impl FdType {
    /// All types, in the order of the exposition.
    pub const ALL: [Self; 5] = [
        Self::Socket,
        Self::File,
        Self::Pipe,
        Self::Anon,
        Self::Other,
    ];
    /// Length of [`Self::ALL`].
    pub const COUNT: usize = Self::ALL.len();

    /// The type of what has this `inode.i_mode` on a filesystem with this `super_block.s_magic`.
    #[inline(always)]
    pub const fn of(mode: u16, magic: u64) -> Self {
        // Newer kernels give nameless objects the mode of a regular file.
        if magic == ANON_INODE_FS_MAGIC || magic == PID_FS_MAGIC {
            return Self::Anon;
        }
        match mode >> 12 {
            0o14 => Self::Socket,
            0o10 | 0o04 => Self::File,
            0o01 => Self::Pipe,
            0 => Self::Anon,
            _ => Self::Other,
        }
    }

    /// Position in [`Self::ALL`] of what a program wrote; of [`Self::Other`] if it means nothing.
    pub fn index(byte: u8) -> usize {
        let position = Self::ALL.iter().position(|kind| *kind as u8 == byte);
        position.unwrap_or(Self::COUNT - 1)
    }
}

/// Filesystem of nameless objects (`include/uapi/linux/magic.h`).
const ANON_INODE_FS_MAGIC: u64 = 0x0904_1934;
/// Filesystem of pidfds since 6.9 (`PID_FS_MAGIC`).
const PID_FS_MAGIC: u64 = 0x5049_4446;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_tell_types() {
        for (mode, magic, kind) in [
            (0o140_777, 0x534F_434B, FdType::Socket),
            (0o100_644, 0xEF53, FdType::File),
            (0o040_755, 0xEF53, FdType::File),
            (0o010_600, 0x5049_5045, FdType::Pipe),
            (0o000_600, ANON_INODE_FS_MAGIC, FdType::Anon),
            (0o100_600, ANON_INODE_FS_MAGIC, FdType::Anon),
            (0o100_600, PID_FS_MAGIC, FdType::Anon),
            (0o020_666, 0x0102_1994, FdType::Other),
            (0o060_660, 0x0102_1994, FdType::Other),
        ] {
            assert_eq!(FdType::of(mode, magic), kind, "{mode:o} {magic:x}");
        }
    }

    #[test]
    fn bytes_stand_for_their_type() {
        for (at, kind) in FdType::ALL.into_iter().enumerate() {
            assert_eq!(FdType::index(kind as u8), at);
        }
        assert_eq!(FdType::index(0), 4);
        assert_eq!(FdType::index(200), 4);
    }
}
