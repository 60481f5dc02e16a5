//! Families of descriptors by what they stand for.

use hostlens_ebpf::wire::FdType;

use super::{
    Exposed, Family, LabelValues, Row, Unit,
    define::gauge,
    row::{SERVICE_NOTE, push_owner},
};
use crate::model::{FdRow, fd_type};

impl Row for FdRow {
    const AREA: &'static str = "Descriptors";
    const LABELS: &'static [&'static str] = super::PROCESS_LABELS;
    const NOTE: &'static str = SERVICE_NOTE;
    const OWNER_SERVICE: Option<&'static str> = Some("service");
    const FAMILIES: &'static [Family<Self>] = FD_FAMILIES;

    fn rows(exposed: Exposed<'_>) -> &[Self] {
        &exposed.snapshot.fds
    }

    fn label_values(&self, values: &mut LabelValues) {
        push_owner(values, Some(&self.owner));
    }
}

/// Every family a [`FdRow`] fills.
pub const FD_FAMILIES: &[Family<FdRow>] = &[gauge(
    "process_fds",
    Unit::None,
    &["type"],
    "Open file descriptors by what they stand for: socket, file, pipe, anon (epoll, eventfd, timerfd, …), other; of the groups that hold most, counted once a minute.",
    "inode.i_mode, super_block.s_magic of each open file; /proc/PID/fd",
    |row, points| {
        for (kind, count) in FdType::ALL.into_iter().zip(row.counts) {
            points.gauge(&[fd_type(kind)], count as f64);
        }
    },
)];
