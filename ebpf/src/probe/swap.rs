//! Whose a page is that goes to swap or comes from it.
//!
//! A read is charged to the task at work: it faulted, or reads ahead. A write is charged to the
//! first process that still maps the page, whoever reclaims it: `page → anon_vma → anon_vma_chain
//! → vma → mm → owner`, as `mm/rmap.c` walks it. Forked mappings lie behind those they were copied
//! from, so the first is the oldest.

use aya_ebpf::helpers::bpf_probe_read_kernel;

use crate::{
    offsets::{ABSENT, at, set},
    probe::{
        current::Current,
        load::{global, member, peek, pointer, probe},
    },
    wire::{SWAP_DEVICES, SwapDevices, SwapKey, SwapOwner},
};

/// `REQ_OP_READ` and `REQ_OP_WRITE` of `include/linux/blk_types.h`, and the mask they are under.
const READ: u32 = 0;
const WRITE: u32 = 1;
const OPERATIONS: u32 = 0xFF;
/// Segments looked at: requests for swap have one, or one for each page read or written at once.
const SEGMENTS: u64 = 32;
/// Levels of the tree of mappings looked at: enough for 2²⁴ of them.
const LEVELS: u32 = 24;
/// `PAGE_MAPPING_ANON` and with it `PAGE_MAPPING_KSM` of `include/linux/page-flags.h`, and the mask they are under.
const ANON: u64 = 1;
const KSM: u64 = 3;
const KINDS: u64 = 3;
/// Flags in the low bits of `memcg_data`.
const MEMCG_FLAGS: u64 = 7;

/// A `struct page`, or the `struct folio` it begins; one read instead of three.
type Page = [u64; 8];

/// The word of a small structure at an offset.
#[inline(always)]
fn word<const N: usize>(words: &[u64; N], offset: u32) -> u64 {
    let at = (offset as usize / 8) & (N - 1);
    // SAFETY: `N` is a power of two, so the mask keeps `at` below it.
    unsafe { words.as_ptr().add(at).read_volatile() }
}

#[inline(always)]
fn has(flags: u32, bit: &'static u32) -> bool {
    let bit = global(bit);
    bit < 32 && flags >> bit & 1 == 1
}

/// The page at an address, or that which begins the several it belongs to.
#[inline(always)]
fn page(address: u64) -> (u64, Page) {
    let page: Page = peek(address);
    let head = word(&page, global(&set::PAGE_COMPOUND_HEAD));
    if head & 1 == 1 {
        (head - 1, peek(head - 1))
    } else {
        (address, page)
    }
}

#[inline(always)]
fn is_swapbacked(page: &Page) -> bool {
    page[0] >> (global(&set::PAGE_SWAPBACKED) & 63) & 1 == 1
}

/// Calls `charge` with the owner and the bytes of each segment of a request to read from swap or
/// write to it; `true`: a read.
///
/// # Safety
/// `bio` is a request as `block_bio_queue` hands it over.
#[inline(always)]
pub unsafe fn request(
    bio: *const u8,
    devices: *const SwapDevices,
    mut charge: impl FnMut(&SwapKey, bool, u64),
) {
    // SAFETY: promised by the caller; the verifier knows the request by its type.
    let (operation, state, segments) = unsafe {
        let operation: u32 = member(bio, &at::BIO_OPF);
        let read = match operation & OPERATIONS {
            READ => true,
            WRITE if has(operation, &set::REQ_SWAP) => false,
            _ => return,
        };
        if read && !is_swap_device(bio, devices) {
            return;
        }
        let state: u16 = member(bio, &at::BIO_STATE);
        let segments: u16 = member(bio, &at::BIO_VCNT);
        (read, state, segments)
    };
    // What stacked devices make of it was seen when it was queued for the first time.
    if has(u32::from(state), &set::BIO_CLONED) {
        return;
    }
    let list: u64 = probe(number(bio), &at::BIO_VEC);
    for segment in 0..SEGMENTS {
        if segment >= u64::from(segments) {
            break;
        }
        let entry = list + segment * SEGMENT_BYTES;
        let (address, page) = page(probe(entry, &at::BVEC_PAGE));
        if address == 0 || !is_swapbacked(&page) {
            continue;
        }
        let mapping = word(&page, global(&set::PAGE_MAPPING));
        let owner = if operation {
            // Direct reads into pages that somebody maps are not from swap.
            if mapping != 0 {
                continue;
            }
            reader()
        } else {
            owner(&page)
        };
        let bytes: u32 = probe(entry, &at::BVEC_LEN);
        charge(&owner, operation, u64::from(bytes));
    }
}

/// Size of `struct bio_vec`: a pointer and two 32-bit numbers since 2.6.
const SEGMENT_BYTES: u64 = 16;

/// The owner and the bytes of what reclaim says it wrote; `None` if that is no page of swap.
#[inline(always)]
pub fn reclaimed(folio: *const u8) -> Option<(SwapKey, u64)> {
    let address = number(folio);
    let page: Page = peek(address);
    if !is_swapbacked(&page) {
        return None;
    }
    let large = page[0] >> (global(&set::PAGE_HEAD) & 63) & 1 == 1;
    let pages: u32 = if large && global(&set::PAGE_COUNT) != ABSENT {
        probe(address, &set::PAGE_COUNT)
    } else {
        1
    };
    let bytes = u64::from(pages) << (global(&set::PAGE_SHIFT) & 63);
    Some((owner(&page), bytes))
}

/// An address as a number: the verifier knows a pointer by its type and allows no sums with it.
#[inline(always)]
fn number(pointer: *const u8) -> u64 {
    let kept = core::hint::black_box(pointer as u64);
    // SAFETY: a local variable.
    unsafe { bpf_probe_read_kernel(&raw const kept) }.unwrap_or_default()
}

/// Whether swap lies on the device of a request.
///
/// # Safety
/// As for [`request`].
#[inline(always)]
unsafe fn is_swap_device(bio: *const u8, devices: *const SwapDevices) -> bool {
    if global(&at::BIO_BDEV) == ABSENT {
        return true;
    }
    // SAFETY: promised by the caller; the list is a value of a map.
    unsafe {
        if (*devices).any != 0 {
            return true;
        }
        let device: u32 = member(pointer(bio, &at::BIO_BDEV), &set::BDEV_DEV);
        let known = (&raw const (*devices).devices).cast::<u32>();
        for at in 0..SWAP_DEVICES {
            let known = known.add(at).read_volatile();
            if known == 0 {
                return false;
            }
            if known == device {
                return true;
            }
        }
    }
    false
}

#[inline(always)]
fn named(task: Current, nobody: SwapOwner) -> SwapKey {
    match task.tgid() {
        0 => SwapKey {
            owner: nobody as u32,
            ..SwapKey::default()
        },
        tgid => SwapKey {
            id: task.process_start_ns(),
            tgid,
            owner: SwapOwner::Process as u32,
        },
    }
}

/// The task at work.
#[inline(always)]
fn reader() -> SwapKey {
    named(Current::task(), SwapOwner::Kernel)
}

/// Whose a page is that is about to be written.
#[inline(always)]
fn owner(page: &Page) -> SwapKey {
    let mapping = word(page, global(&set::PAGE_MAPPING));
    let nobody = match mapping & KINDS {
        ANON => {
            let mm = first_mapper(mapping & !KINDS, word(page, global(&set::PAGE_INDEX)));
            if mm != 0 {
                let task: u64 = probe(mm, &at::MM_OWNER);
                return named(Current::at(task), SwapOwner::Exited);
            }
            SwapOwner::Exited
        }
        KSM => SwapOwner::Ksm,
        _ => SwapOwner::Mapless,
    };
    SwapKey {
        id: match nobody {
            SwapOwner::Mapless => cgroup(page),
            _ => 0,
        },
        tgid: 0,
        owner: nobody as u32,
    }
}

/// Address space of the oldest mapping of a page; 0 if there is none left.
#[inline(always)]
fn first_mapper(anon_vma: u64, index: u64) -> u64 {
    let inside = global(&at::AVC_SUBTREE_LAST).wrapping_sub(global(&at::AVC_RB));
    let mut node: u64 = probe(anon_vma, &at::ANON_VMA_ROOT);
    for _ in 0..LEVELS {
        if node == 0 {
            break;
        }
        let words: [u64; 4] = peek(node);
        let left = word(&words, global(&at::RB_LEFT));
        if left != 0 && peek::<u64>(left + u64::from(inside)) >= index {
            node = left;
            continue;
        }
        let vma: u64 = probe(node - u64::from(global(&at::AVC_RB)), &at::AVC_VMA);
        let first: u64 = probe(vma, &at::VMA_PGOFF);
        if first > index {
            break;
        }
        let start: u64 = probe(vma, &at::VMA_START);
        let end: u64 = probe(vma, &at::VMA_END);
        if index - first < (end - start) >> (global(&set::PAGE_SHIFT) & 63) {
            return probe(vma, &at::VMA_MM);
        }
        node = word(&words, global(&at::RB_RIGHT));
    }
    0
}

/// Id of the cgroup a page is charged to; 0 unknown.
#[inline(always)]
fn cgroup(page: &Page) -> u64 {
    let offset = global(&set::PAGE_MEMCG);
    if offset == ABSENT {
        return 0;
    }
    // Its state is what the structure begins with.
    let state = word(page, offset) & !MEMCG_FLAGS;
    if state == 0 {
        return 0;
    }
    let cgroup: u64 = probe(state, &at::CSS_CGROUP);
    let node: u64 = probe(cgroup, &at::CGROUP_KN);
    probe(node, &at::KERNFS_NODE_ID)
}
