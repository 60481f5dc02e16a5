//! Swap I/O.

use crate::kernel::object::{Hook, ObjectSpec, ProgramSpec};

/// Members that lead from a page to its owner.
const PAGE_OWNER: &[&str] = &[
    "TASK_TGID",
    "TASK_FLAGS",
    "TASK_GROUP_LEADER",
    "TASK_START_BOOTTIME",
    "MM_OWNER",
    "VMA_START",
    "VMA_END",
    "VMA_MM",
    "VMA_PGOFF",
    "ANON_VMA_ROOT",
    "AVC_VMA",
    "AVC_RB",
    "AVC_SUBTREE_LAST",
    "RB_LEFT",
    "RB_RIGHT",
    "PAGE_MAPPING",
    "PAGE_INDEX",
    "PAGE_SWAPBACKED",
    "PAGE_COMPOUND_HEAD",
    "BIO_OPF",
    "BIO_STATE",
    "BIO_VCNT",
    "BIO_VEC",
    "BVEC_PAGE",
    "BVEC_LEN",
    "REQ_SWAP",
    "BIO_CLONED",
    "BIO_ARGUMENT",
];

/// Swap I/O; attached only while swap is configured.
pub const SWAP: ObjectSpec = ObjectSpec {
    name: "swap",
    bytes: embedded!("swap"),
    programs: &[
        ProgramSpec {
            name: "swap_queued",
            hook: Hook::LateTracepoint("block_bio_queue", 1),
            needs: PAGE_OWNER,
        },
        ProgramSpec {
            name: "swap_reclaimed",
            hook: Hook::LateTracepoint("mm_vmscan_write_folio", 1),
            needs: PAGE_OWNER,
        },
    ],
};
