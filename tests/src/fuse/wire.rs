//! The protocol of `/dev/fuse`, as far as a directory with one file needs it (`linux/fuse.h`,
//! version 7.31). All fields are in the byte order of the host.

/// What is asked; everything else is answered with `ENOSYS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Op {
    /// Look up a name.
    Lookup = 1,
    /// Attributes.
    Getattr = 3,
    /// Change attributes.
    Setattr = 4,
    /// Open the file.
    Open = 14,
    /// Read.
    Read = 15,
    /// Write.
    Write = 16,
    /// Figures of the filesystem.
    Statfs = 17,
    /// Last close.
    Release = 18,
    /// `fsync`.
    Fsync = 20,
    /// Each close.
    Flush = 25,
    /// First request: versions and flags.
    Init = 26,
    /// Open the directory.
    Opendir = 27,
    /// List it.
    Readdir = 28,
    /// Close it.
    Releasedir = 29,
    /// Any other.
    Other = 0,
}

/// Requests that have no answer: forget, interrupt, batch forget.
const SILENT: [u32; 3] = [2, 36, 42];

const OPS: [Op; 14] = [
    Op::Lookup,
    Op::Getattr,
    Op::Setattr,
    Op::Open,
    Op::Read,
    Op::Write,
    Op::Statfs,
    Op::Release,
    Op::Fsync,
    Op::Flush,
    Op::Init,
    Op::Opendir,
    Op::Readdir,
    Op::Releasedir,
];

/// Largest read or write asked for in one request.
pub const LARGEST: u32 = 1 << 20;

/// Room for any request: a write with its headers.
pub const REQUEST_BYTES: usize = LARGEST as usize + 4096;

/// `struct fuse_in_header`.
const IN_HEADER: usize = 40;
/// `struct fuse_out_header`.
const OUT_HEADER: usize = 16;
/// `struct fuse_write_in`.
const WRITE_IN: usize = 40;

/// The root directory.
pub const ROOT: u64 = 1;
/// The one file.
pub const FILE: u64 = 2;

/// For how long the kernel may believe a name or attributes, seconds.
const VALID: u64 = 3600;

/// Reads and direct I/O may be in flight at once, writes larger than a page, lookups in parallel,
/// requests of more than 32 pages.
const FLAGS: u32 = 1 | 1 << 5 | 1 << 15 | 1 << 18 | 1 << 22;

/// One request.
#[derive(Debug)]
pub struct Request {
    /// What is asked.
    pub op: Op,
    /// Of which inode.
    pub node: u64,
    unique: u64,
    body: Vec<u8>,
}

impl Request {
    /// Reads one; `None` if it has no answer.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let code = u32_at(bytes, 4);
        if SILENT.contains(&code) {
            return None;
        }
        let op = OPS.into_iter().find(|op| *op as u32 == code);
        Some(Self {
            op: op.unwrap_or(Op::Other),
            unique: u64_at(bytes, 8),
            node: u64_at(bytes, 16),
            body: bytes[IN_HEADER..].to_vec(),
        })
    }

    /// The name a lookup asks for.
    pub fn name(&self) -> &[u8] {
        self.body.split(|byte| *byte == 0).next().unwrap_or(&[])
    }

    /// Offset and length of a read or write.
    pub fn extent(&self) -> (u64, u32) {
        (u64_at(&self.body, 8), u32_at(&self.body, 16))
    }

    /// What is to be written.
    pub fn data(&self) -> &[u8] {
        &self.body[WRITE_IN..]
    }

    /// The answer to a request for versions.
    pub fn init(&self) -> Reply {
        let (readahead, flags) = (u32_at(&self.body, 8), u32_at(&self.body, 12));
        Reply::default()
            .u32s(&[7, 31, readahead, flags & FLAGS])
            // Nothing waits in the kernel for earlier requests: all are seen as they come.
            .u32s(&[u32::from_ne_bytes(pair(1024, 1024)), LARGEST, 1])
            .u32s(&[u32::from_ne_bytes(pair((LARGEST / 4096) as u16, 0))])
            .u32s(&[0; 8])
    }

    /// The bytes of an answer to it, or of an error number.
    pub fn answer(&self, reply: Result<Reply, i32>) -> Vec<u8> {
        let (error, body) = match reply {
            Ok(reply) => (0, reply.0),
            Err(error) => (-error, Vec::new()),
        };
        let length = (OUT_HEADER + body.len()) as u32;
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(error.to_ne_bytes());
        bytes.extend(self.unique.to_ne_bytes());
        bytes.extend(body);
        bytes
    }
}

/// The body of an answer.
#[derive(Debug, Default)]
pub struct Reply(Vec<u8>);

impl Reply {
    /// Bytes as they are.
    pub fn bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Appends words of 32 bits.
    pub fn u32s(mut self, values: &[u32]) -> Self {
        self.0.extend(values.iter().flat_map(|v| v.to_ne_bytes()));
        self
    }

    /// Appends words of 64 bits.
    pub fn u64s(mut self, values: &[u64]) -> Self {
        self.0.extend(values.iter().flat_map(|v| v.to_ne_bytes()));
        self
    }

    /// `struct fuse_entry_out` of the file.
    pub fn entry(size: u64) -> Self {
        Self::default()
            .u64s(&[FILE, 0, VALID, VALID])
            .u32s(&[0, 0])
            .attributes(FILE, size)
    }

    /// `struct fuse_attr_out`.
    pub fn attr(node: u64, size: u64) -> Self {
        Self::default()
            .u64s(&[VALID])
            .u32s(&[0, 0])
            .attributes(node, size)
    }

    /// `struct fuse_open_out`.
    pub fn opened() -> Self {
        Self::default().u64s(&[0]).u32s(&[0, 0])
    }

    /// `struct fuse_attr`.
    fn attributes(self, node: u64, size: u64) -> Self {
        let (mode, links, size) = if node == ROOT {
            (libc::S_IFDIR | 0o755, 2, 0)
        } else {
            (libc::S_IFREG | 0o666, 1, size)
        };
        self.u64s(&[node, size, size / 512, 0, 0, 0])
            .u32s(&[0, 0, 0, mode, links, 0, 0, 0, 4096, 0])
    }
}

fn pair(first: u16, second: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (first.to_ne_bytes(), second.to_ne_bytes());
    [a, b, c, d]
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap())
}
