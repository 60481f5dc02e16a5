//! Counting open descriptors: population count of the table's bitmap, exact, no lock.

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;

use crate::{
    offsets::at,
    probe::load::{member, pointer},
    wire::UNKNOWN_U32,
};

/// Words of the bitmap read at once: what fits on the stack beside a record.
const CHUNK: usize = 16;
/// Chunks at most (8,192 descriptors); user space counts larger tables.
const CHUNKS: usize = 8;

/// Open descriptors of a task; [`UNKNOWN_U32`] if the table is too large or unreadable, 0 without
/// a table (zombies, kernel threads).
///
/// # Safety
/// `task` is a `struct task_struct` known to the verifier.
#[inline(always)]
pub unsafe fn count(task: *const u8) -> u32 {
    // SAFETY: promised by the caller; the bitmap is untyped and therefore read by the helper,
    // which turns a fault into an error.
    unsafe {
        let files = pointer(task, &at::TASK_FILES);
        if files.is_null() {
            return 0;
        }
        let table = pointer(files, &at::FILES_FDT);
        let words = member::<u32>(table, &at::FDT_MAX_FDS) as usize / 64;
        let bitmap = pointer(table, &at::FDT_OPEN_FDS).cast::<u64>();
        if words > CHUNK * CHUNKS {
            return UNKNOWN_U32;
        }
        if words <= 1 {
            let mut word = 0u64;
            if bpf_probe_read_kernel((&raw mut word).cast(), 8, bitmap.cast()) != 0 {
                return UNKNOWN_U32;
            }
            return word.count_ones();
        }
        let mut open = 0;
        let mut chunk = [0u64; CHUNK];
        for index in 0..CHUNKS {
            let done = index * CHUNK;
            if done >= words {
                break;
            }
            // Tables grow in powers of two from 256 descriptors: only the first chunk can be
            // larger than the bitmap, by words that are then not counted.
            if bpf_probe_read_kernel(
                chunk.as_mut_ptr().cast(),
                size_of_val(&chunk) as u32,
                bitmap.add(done).cast(),
            ) != 0
            {
                return UNKNOWN_U32;
            }
            for (word, bits) in chunk.iter().enumerate() {
                if done + word < words {
                    open += bits.count_ones();
                }
            }
        }
        open
    }
}
