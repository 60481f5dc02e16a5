//! Things held until standard input ends.

use std::{fs::File, num::NonZeroUsize};

use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap_anonymous};

use crate::hold_on;

/// Holds `count` descriptors more than it was started with.
pub fn descriptors(count: u64) {
    let null = File::open("/dev/null").expect("open /dev/null");
    let held: Vec<File> = (1..count)
        .map(|_| null.try_clone().expect("duplicate a descriptor"))
        .collect();
    println!("{{\"held\":{}}}", held.len() + 1);
    hold_on();
}

/// Holds an anonymous mapping in which no two pages are alike.
pub fn mapping(mebibytes: usize, page_out: bool) {
    const PAGE: usize = 4096;
    let length = NonZeroUsize::new(mebibytes << 20).expect("a size above 0");
    // SAFETY: a new private mapping at an address of the kernel's choice.
    let address = unsafe {
        mmap_anonymous(
            None,
            length,
            ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
            MapFlags::MAP_PRIVATE,
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
    if page_out {
        // SAFETY: advice on a mapping of our own; its contents stay as they are.
        unsafe { madvise(address, length.get(), MmapAdvise::MADV_PAGEOUT) }.expect("MADV_PAGEOUT");
    }
    println!("{{\"mapped\":{}}}", length);
    hold_on();
}
