//! Bytes to and from storage.

use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    fs::{File, OpenOptions},
    io::{Read, Seek, Write},
    os::{fd::AsFd, unix::fs::OpenOptionsExt},
    path::Path,
};

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use crate::hold_on;

const CHUNK: usize = 1 << 20;

/// Writes `mebibytes` directly and again through the page cache, and reads both ways.
pub fn run(file: &Path, mebibytes: usize) {
    let mut chunk = Chunk::new();
    let mut direct = open(file, libc::O_DIRECT);
    for _ in 0..mebibytes {
        direct.write_all(chunk.bytes()).expect("write directly");
    }
    direct.rewind().expect("rewind");
    for _ in 0..mebibytes {
        direct.read_exact(chunk.bytes()).expect("read directly");
    }

    let mut buffered = open(file, 0);
    for _ in 0..mebibytes {
        buffered.write_all(chunk.bytes()).expect("write");
    }
    buffered.sync_all().expect("fsync");
    posix_fadvise(
        buffered.as_fd(),
        0,
        0,
        PosixFadviseAdvice::POSIX_FADV_DONTNEED,
    )
    .expect("drop the cached pages");
    buffered.rewind().expect("rewind");
    for _ in 0..mebibytes {
        buffered.read_exact(chunk.bytes()).expect("read");
    }
    println!("{{\"done\":true}}");
    hold_on();
}

fn open(file: &Path, flags: i32) -> File {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .custom_flags(flags)
        .open(file)
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Memory aligned as direct I/O wants it.
struct Chunk {
    start: *mut u8,
}

impl Chunk {
    const LAYOUT: Layout = match Layout::from_size_align(CHUNK, 4096) {
        Ok(layout) => layout,
        Err(_) => panic!("a valid layout"),
    };

    fn new() -> Self {
        // SAFETY: the layout has a size above 0.
        let start = unsafe { alloc_zeroed(Self::LAYOUT) };
        assert!(!start.is_null(), "out of memory");
        Self { start }
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: `start` is an allocation of CHUNK initialised bytes owned by self.
        unsafe { std::slice::from_raw_parts_mut(self.start, CHUNK) }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with the same layout.
        unsafe { dealloc(self.start, Self::LAYOUT) };
    }
}
