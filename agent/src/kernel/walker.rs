//! An attached iterator: one walk per call.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use super::{Batch, sys};

/// The kernel fills its own buffer of 32 KiB and hands it over whole if ours is at least as large.
const BUFFER: usize = 64 * 1024;

/// What an iterator walks.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// Everything of its kind.
    All,
    /// The elements of one map.
    Map(BorrowedFd<'a>),
    /// What one process has (kernels from 6.1 on; older ones take it for everything).
    Process(u32),
}

/// Why a walk ended early.
#[derive(Debug)]
pub enum WalkError {
    /// It could not be opened.
    Open(io::Error),
    /// A read failed; what came before was delivered.
    Read(io::Error),
}

impl std::fmt::Display for WalkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Open(error) => write!(f, "cannot open the iterator: {error}"),
            Self::Read(error) => write!(f, "the walk broke off: {error}"),
        }
    }
}

impl std::error::Error for WalkError {}

/// A linked iterator program and a reusable buffer.
pub struct Walker {
    link: OwnedFd,
    buffer: Vec<u8>,
}

impl Walker {
    /// Links a loaded program.
    ///
    /// # Errors
    /// The kernel refuses the link.
    pub fn link(program: BorrowedFd<'_>, target: Target<'_>) -> io::Result<Self> {
        Ok(Self {
            link: sys::link_iterator(program, target)?,
            buffer: Vec::new(),
        })
    }

    /// Opens a walk. It sees the network namespace of the calling thread for as long as it lasts.
    ///
    /// # Errors
    /// Out of descriptors, or no permission.
    pub fn open(&self) -> io::Result<File> {
        Ok(File::from(sys::open_walk(self.link.as_fd())?))
    }

    /// Walks once; `take` gets whole buffers and returns how many bytes it consumed, the rest is
    /// presented again with what follows.
    ///
    /// # Errors
    /// See [`WalkError`].
    pub fn walk(&mut self, take: impl FnMut(&[u8]) -> usize) -> Result<(), WalkError> {
        let file = self.open().map_err(WalkError::Open)?;
        self.drain(file, take)
    }

    /// Walks once with a program that writes a byte for each record it puts into `batch`; `take`
    /// gets the bytes of the records of each batch.
    ///
    /// # Errors
    /// See [`WalkError`].
    pub fn walk_batches(
        &mut self,
        batch: &Batch,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), WalkError> {
        let mut file = self.open().map_err(WalkError::Open)?;
        self.buffer.resize(BUFFER, 0);
        // The kernel stops at the first record beyond what there is room for.
        let room = batch.records().min(BUFFER);
        loop {
            match read_some(&mut file, &mut self.buffer[..room]) {
                Ok(0) => return Ok(()),
                Ok(records) => take(batch.first(records)),
                Err(error) => return Err(WalkError::Read(error)),
            }
        }
    }

    /// Reads an opened walk to its end, as [`Self::walk`].
    ///
    /// # Errors
    /// See [`WalkError`].
    pub fn drain(
        &mut self,
        mut file: File,
        mut take: impl FnMut(&[u8]) -> usize,
    ) -> Result<(), WalkError> {
        self.buffer.resize(BUFFER, 0);
        let mut kept = 0;
        loop {
            match read_some(&mut file, &mut self.buffer[kept..]) {
                Ok(0) => return Ok(()),
                Ok(read) => {
                    let filled = kept + read;
                    let used = take(&self.buffer[..filled]).min(filled);
                    self.buffer.copy_within(used..filled, 0);
                    kept = filled - used;
                    if kept == BUFFER {
                        // Nothing was recognized in a full buffer: drop it rather than spin.
                        kept = 0;
                    }
                }
                Err(error) => return Err(WalkError::Read(error)),
            }
        }
    }
}

/// Opens a walk that is made only once. It goes on by reading, and may be left at any time.
///
/// # Errors
/// The kernel refuses the link, or out of descriptors.
pub fn open_once(program: BorrowedFd<'_>, target: Target<'_>) -> io::Result<File> {
    let link = sys::link_iterator(program, target)?;
    Ok(File::from(sys::open_walk(link.as_fd())?))
}

/// A read that is repeated if it was interrupted, or came upon a million objects in a row without
/// a record.
fn read_some(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(buffer) {
            Err(error)
                if matches!(error.kind(), io::ErrorKind::Interrupted)
                    || error.raw_os_error() == Some(libc::EAGAIN) => {}
            outcome => return outcome,
        }
    }
}
