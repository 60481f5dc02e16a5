//! What the swap programs need to know of pages and requests. Their members have had other names
//! and their flags other numbers in each series.

use hostlens_ebpf::offsets::ABSENT;

use super::btf::Btf;

/// Values by name, and those without which pages and owners would be guessed.
pub struct SwapLayout {
    /// To be set in the object.
    pub values: Vec<(&'static str, u32)>,
    /// What this kernel lacks.
    pub missing: Vec<&'static str>,
}

/// Largest offset the programs read in one go: `struct page` has 64 bytes wherever they run.
const PAGE_BYTES: u32 = 64;
/// The same for a node of the tree of mappings.
const NODE_BYTES: u32 = 32;

/// Resolves them on a kernel with these types.
pub fn resolve(btf: &Btf) -> SwapLayout {
    let first = |members: &[(&str, &str)]| {
        let mut found = members.iter().filter_map(|(of, path)| btf.offset(of, path));
        found.next()
    };
    let in_page = |members: &[(&str, &str)]| first(members).filter(|at| *at < PAGE_BYTES);
    // Folios since 5.16.
    let needed = [
        ("PAGE_COMPOUND_HEAD", in_page(&[("page", "compound_head")])),
        (
            "PAGE_MAPPING",
            in_page(&[("folio", "mapping"), ("page", "mapping")]),
        ),
        (
            "PAGE_INDEX",
            in_page(&[
                ("folio", "index"),
                ("page", "index"),
                ("page", "__folio_index"),
            ]),
        ),
        (
            "PAGE_SWAPBACKED",
            // The flags are the first word.
            btf.enumerator("PG_swapbacked")
                .filter(|_| first(&[("page", "flags"), ("folio", "flags")]) == Some(0)),
        ),
        ("REQ_SWAP", btf.enumerator("__REQ_SWAP")),
        ("BIO_CLONED", btf.enumerator("BIO_CLONED")),
        (
            "BIO_ARGUMENT",
            btf.tracepoint_args("block_bio_queue")
                .filter(|arguments| *arguments == 1)
                .map(|_| 0),
        ),
    ];
    let wished = [
        ("BDEV_DEV", btf.offset("block_device", "bd_dev")),
        ("PAGE_HEAD", btf.enumerator("PG_head")),
        (
            "PAGE_MEMCG",
            in_page(&[("folio", "memcg_data"), ("page", "memcg_data")]),
        ),
        (
            "PAGE_COUNT",
            first(&[("folio", "_nr_pages"), ("folio", "_folio_nr_pages")]),
        ),
    ];
    let mut missing: Vec<&str> = needed
        .iter()
        .filter(|(_, value)| value.is_none())
        .map(|(name, _)| *name)
        .collect();
    let node = btf
        .offset("anon_vma_chain", "rb_subtree_last")
        .zip(btf.offset("anon_vma_chain", "rb"))
        .and_then(|(last, node)| last.checked_sub(node));
    if node.is_none_or(|inside| inside >= NODE_BYTES) {
        missing.push("AVC_SUBTREE_LAST");
    }
    let mut values: Vec<(&str, u32)> = needed
        .into_iter()
        .chain(wished)
        .map(|(name, value)| (name, value.unwrap_or(ABSENT)))
        .collect();
    values.push(("PAGE_SHIFT", page_shift()));
    SwapLayout { values, missing }
}

fn page_shift() -> u32 {
    // SAFETY: no pointers.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes)
        .ok()
        .filter(|bytes| bytes.is_power_of_two())
        .map_or(12, u64::trailing_zeros)
}
