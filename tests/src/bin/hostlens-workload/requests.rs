//! Requests of one kind, one after the other.

use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    fs::{File, OpenOptions},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::PathBuf,
};

use clap::{Args, ValueEnum};

use crate::wait_for_line;

/// How to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Read directly.
    Read,
    /// Write directly.
    Write,
    /// Write through the page cache, `fsync` after each.
    Fsync,
    /// Write through the page cache and leave it at that.
    Buffered,
}

/// So many requests per line of standard input.
#[derive(Debug, Args)]
pub struct Requests {
    file: PathBuf,
    kind: Kind,
    count: u64,
    bytes: usize,
    /// All over the first so many bytes, not one behind the other.
    #[arg(long)]
    over: Option<u64>,
}

impl Requests {
    /// Asks until standard input ends.
    pub fn run(&self) {
        let mut block = Block::new(self.bytes);
        let flags = match self.kind {
            Kind::Read | Kind::Write => libc::O_DIRECT,
            Kind::Fsync | Kind::Buffered => 0,
        };
        let file = OpenOptions::new()
            .read(true)
            .write(self.kind != Kind::Read)
            .create(self.kind != Kind::Read)
            .truncate(false)
            .custom_flags(flags)
            .open(&self.file)
            .unwrap_or_else(|error| panic!("{}: {error}", self.file.display()));
        while wait_for_line() {
            for number in 0..self.count {
                self.ask(&file, block.bytes(), self.place(number));
            }
            println!("{{\"done\":{}}}", self.count);
        }
    }

    fn place(&self, number: u64) -> u64 {
        let bytes = self.bytes as u64;
        match self.over {
            None => number * bytes,
            // A stride that shares no factor with a power of two visits every block.
            Some(over) => (number.wrapping_mul(7_919) % (over / bytes)) * bytes,
        }
    }

    fn ask(&self, file: &File, block: &mut [u8], at: u64) {
        match self.kind {
            Kind::Read => file.read_exact_at(block, at).expect("read"),
            Kind::Write | Kind::Buffered => file.write_all_at(block, at).expect("write"),
            Kind::Fsync => {
                file.write_all_at(block, at).expect("write");
                file.sync_all().expect("fsync");
            }
        }
    }
}

/// Memory aligned as direct I/O wants it.
struct Block {
    start: *mut u8,
    layout: Layout,
}

impl Block {
    fn new(bytes: usize) -> Self {
        let layout = Layout::from_size_align(bytes.max(1), 4096).expect("a valid layout");
        // SAFETY: the layout has a size above 0.
        let start = unsafe { alloc_zeroed(layout) };
        assert!(!start.is_null(), "out of memory");
        Self { start, layout }
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: `start` is an allocation of so many initialised bytes owned by self.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.layout.size()) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with the same layout.
        unsafe { dealloc(self.start, self.layout) };
    }
}
