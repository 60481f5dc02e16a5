//! A map of records, seen without system calls.

use std::{
    io,
    num::NonZeroUsize,
    os::fd::{AsRawFd as _, BorrowedFd},
    ptr::NonNull,
};

/// The elements of an array map that is made to be mapped, read-only.
///
/// Programs write them only while a walk is being read, which takes `&mut Walker`: whoever holds a
/// slice of a finished read sees it unchanged.
pub struct Batch {
    start: NonNull<u8>,
    records: usize,
    record_bytes: usize,
}

// SAFETY: the mapping belongs to this value alone and may be read from any thread.
unsafe impl Send for Batch {}

impl Batch {
    /// Maps an array of so many records of this size, a multiple of 8 bytes.
    ///
    /// # Errors
    /// It is another kind of map, or smaller.
    pub fn map(map: BorrowedFd<'_>, records: usize, record_bytes: usize) -> io::Result<Self> {
        let length = records
            .checked_mul(record_bytes)
            .and_then(NonZeroUsize::new)
            .filter(|_| record_bytes.is_multiple_of(8))
            .ok_or(io::ErrorKind::InvalidInput)?;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length.get(),
                libc::PROT_READ,
                libc::MAP_SHARED,
                map.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self {
            start,
            records,
            record_bytes,
        })
    }

    /// How many records there is room for.
    pub fn records(&self) -> usize {
        self.records
    }

    /// The bytes of the first so many records.
    pub(super) fn first(&self, records: usize) -> &[u8] {
        let bytes = records.min(self.records) * self.record_bytes;
        // SAFETY: the mapping is at least this long and lives as long as `self`; nothing writes
        // it while the slice lives, see above.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), bytes) }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // SAFETY: exactly the mapping made above, to which no slice is left.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.records * self.record_bytes) };
    }
}
