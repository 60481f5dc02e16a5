//! An array map that programs and user space both write.

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd},
    ptr::NonNull,
};

use hostlens_ebpf::wire::{DiskProcessSlot, DiskSlot, RttSlot, TurnSlot};

/// What such a map may hold.
///
/// # Safety
/// The type is `repr(C)`, as large as the map's value, and consists of atomics alone.
pub unsafe trait SharedSlot: 'static {}

// SAFETY: repr(C), shared with the programs, atomics only.
unsafe impl SharedSlot for RttSlot {}
// SAFETY: repr(C), shared with the programs, atomics only.
unsafe impl SharedSlot for TurnSlot {}
// SAFETY: repr(C), shared with the programs, atomics only.
unsafe impl SharedSlot for DiskSlot {}
// SAFETY: repr(C), shared with the programs, atomics only.
unsafe impl SharedSlot for DiskProcessSlot {}

/// The elements of an array map that is made to be mapped.
pub struct SharedSlots<T: SharedSlot> {
    start: NonNull<T>,
    count: usize,
}

// SAFETY: the mapping belongs to this value alone, and its elements are atomics.
unsafe impl<T: SharedSlot> Send for SharedSlots<T> {}

impl<T: SharedSlot> SharedSlots<T> {
    /// Maps an array of so many slots.
    ///
    /// # Errors
    /// It is another kind of map, or smaller.
    pub fn map(map: BorrowedFd<'_>, count: usize) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                count * size_of::<T>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                map.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { start, count })
    }

    /// All slots.
    pub fn all(&self) -> &[T] {
        // SAFETY: the mapping is as long as the map's elements, page-aligned, and lives as long
        // as `self`; whatever others write there meanwhile they write to atomics.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.count) }
    }
}

impl<T: SharedSlot> Drop for SharedSlots<T> {
    fn drop(&mut self) {
        // SAFETY: exactly the mapping made above, to which no slice is left.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.count * size_of::<T>()) };
    }
}
