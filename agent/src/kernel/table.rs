//! A hash map of the kernel, as far as entries are taken out of it from here.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use hostlens_ebpf::wire::Record;

use super::sys;

/// Entries are removed by key; reading them is an iterator's work.
pub struct Table {
    map: OwnedFd,
    value_bytes: usize,
}

impl Table {
    /// A map whose values have this size.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn new(map: BorrowedFd<'_>, value_bytes: usize) -> io::Result<Self> {
        Ok(Self {
            map: map.try_clone_to_owned()?,
            value_bytes,
        })
    }

    /// The map.
    pub fn map(&self) -> BorrowedFd<'_> {
        self.map.as_fd()
    }

    /// Removes an entry; whether there was one.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn remove<K: Record>(&self, key: &K) -> io::Result<bool> {
        match sys::delete_element(self.map(), key) {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
            outcome => outcome.map(|()| true),
        }
    }

    /// Removes an entry and gives its value as it was at that moment (hash maps: from 5.14);
    /// `None` if there was none.
    ///
    /// # Errors
    /// The kernel refuses, or the value is of another size.
    pub fn take<K: Record, V: Record + Default>(&self, key: &K) -> io::Result<Option<V>> {
        if size_of::<V>() != self.value_bytes {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut value = V::default();
        match sys::take_element(self.map(), key, &mut value) {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
            outcome => outcome.map(|()| Some(value)),
        }
    }
}
