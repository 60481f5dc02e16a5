//! Families of swap I/O.

use super::{
    Exposed, Family, LabelValues, PROCESS_LABELS, Points, Row, Unit, define::counter,
    row::push_owner,
};
use crate::model::{OTHER, SwapKey, SwapMeasure, SwapRow, SwapUnattributed};

impl Row for SwapRow {
    const AREA: &'static str = "Swap I/O";
    const LABELS: &'static [&'static str] = PROCESS_LABELS;
    const OWNER_SERVICE: Option<&'static str> = Some("service");
    const NOTE: &'static str = "A group of processes is there from its first page on. Pages that \
        lead to no process have `process` in brackets and no `user`: `[exited]` (nobody mapped them any \
        more), `[shmem]` (shared memory, written; `service` is whom it is charged to), `[zswap writeback]`, `[ksm]`, `[kernel]` (read \
        by a thread of the kernel).";
    const FAMILIES: &'static [Family<Self>] = SWAP_FAMILIES;

    fn rows(exposed: Exposed<'_>) -> &[Self] {
        &exposed.snapshot.swap
    }

    fn label_values(&self, values: &mut LabelValues) {
        match &self.key {
            SwapKey::Owner(owner) => push_owner(values, Some(owner)),
            SwapKey::Nobody { kind, service } => {
                values.push_str(kind.name());
                values.skip();
                values.push_str(service);
            }
            SwapKey::Folded => values.repeat(OTHER, PROCESS_LABELS.len()),
        }
    }

    fn folded(&self) -> bool {
        self.key == SwapKey::Folded
    }
}

fn both_ways(row: &SwapRow, points: &mut dyn Points) {
    points.count(&["in"], row.in_bytes, row.held);
    points.count(&["out"], row.out_bytes, row.held);
}

/// Every family a [`SwapRow`] fills.
pub const SWAP_FAMILIES: &[Family<SwapRow>] = &[
    counter(
        "process_swap_io_bytes_total",
        Unit::Bytes,
        &["op"],
        "Swap I/O: in is charged to the process that read the page, out to the one whose page it was, whoever reclaimed it.",
        "block_bio_queue: current, or page → anon_vma → mm → owner",
        |row, points| {
            if row.measure == SwapMeasure::Moved {
                both_ways(row, points);
            }
        },
    ),
    counter(
        "process_swap_net_bytes_total",
        Unit::Bytes,
        &["op"],
        "Only where swap I/O cannot be seen: bytes by which VmSwap fell (in) and grew (out) from one look to the next.",
        "/proc/PID/status: VmSwap",
        |row, points| {
            if row.measure == SwapMeasure::Net {
                both_ways(row, points);
            }
        },
    ),
];

impl Row for SwapUnattributed {
    const AREA: &'static str = "Swap I/O nobody was charged with";
    const LABELS: &'static [&'static str] = &[];
    const FAMILIES: &'static [Family<Self>] = UNATTRIBUTED_FAMILIES;

    fn rows(exposed: Exposed<'_>) -> &[Self] {
        exposed.snapshot.swap_unattributed.as_slice()
    }

    fn label_values(&self, _values: &mut LabelValues) {}
}

/// Every family a [`SwapUnattributed`] fills.
pub const UNATTRIBUTED_FAMILIES: &[Family<SwapUnattributed>] = &[counter(
    "swap_unattributed_bytes_total",
    Unit::Bytes,
    &["op"],
    "Swap I/O that the kernel counts and process_swap_io_bytes_total does not, while it was charged.",
    "/proc/vmstat: pswpin, pswpout",
    |row, points| {
        points.count(&["in"], row.in_bytes, false);
        points.count(&["out"], row.out_bytes, false);
    },
)];
