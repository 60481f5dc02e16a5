//! Things held until standard input ends.

use std::{fs::File, num::NonZeroUsize};

use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap_anonymous};

use crate::{hold_on, next_line};

/// Holds `count` descriptors more than it was started with.
pub fn descriptors(count: u64) {
    let null = File::open("/dev/null").expect("open /dev/null");
    let held: Vec<File> = (1..count)
        .map(|_| null.try_clone().expect("duplicate a descriptor"))
        .collect();
    println!("{{\"held\":{}}}", held.len() + 1);
    hold_on();
}

/// A mapping in which no two pages are alike.
#[derive(Debug, clap::Args)]
pub struct Mapping {
    mebibytes: usize,
    /// Shared memory.
    #[arg(long)]
    shared: bool,
    #[arg(long)]
    page_out: bool,
}

impl Mapping {
    /// Holds it.
    pub fn run(&self) {
        const PAGE: usize = 4096;
        let length = NonZeroUsize::new(self.mebibytes << 20).expect("a size above 0");
        let kind = if self.shared {
            MapFlags::MAP_SHARED
        } else {
            MapFlags::MAP_PRIVATE
        };
        // SAFETY: a new mapping at an address of the kernel's choice.
        let address = unsafe {
            mmap_anonymous(
                None,
                length,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                kind,
            )
        }
        .expect("mmap");
        // SAFETY: the mapping is `length` bytes, readable, writable and used by nobody else.
        let bytes =
            unsafe { std::slice::from_raw_parts_mut(address.cast::<u8>().as_ptr(), length.get()) };
        for (number, page) in bytes.chunks_exact_mut(PAGE).enumerate() {
            // Half a page of its number repeated: compressible, yet never a page of one value.
            for word in page[..PAGE / 2].chunks_exact_mut(8) {
                word.copy_from_slice(&(number as u64 + 1).to_ne_bytes());
            }
            page[PAGE - 1] = 1;
        }
        let page_out = || {
            // SAFETY: advice on a mapping of our own; its contents stay as they are.
            unsafe { madvise(address, length.get(), MmapAdvise::MADV_PAGEOUT) }
                .expect("MADV_PAGEOUT");
        };
        if self.page_out {
            page_out();
        }
        println!("{{\"mapped\":{length}}}");
        while let Some(word) = next_line() {
            match word.as_str() {
                "out" => page_out(),
                "read" => {
                    let ends = bytes
                        .chunks_exact(PAGE)
                        .map(|page| usize::from(page[PAGE - 1]));
                    let pages: usize = ends.sum();
                    assert_eq!(pages, length.get() / PAGE, "pages as they were written");
                }
                _ => continue,
            }
            println!("{{\"done\":\"{word}\"}}");
        }
    }
}
