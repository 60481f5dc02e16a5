//! Families of filesystems.

use super::{Exposed, Family, LabelValues, Row, Unit, define::gauge};
use crate::model::FilesystemRow;

/// Labels that identify a [`FilesystemRow`].
pub const FILESYSTEM_LABELS: &[&str] = &["mountpoint", "device", "fstype"];

impl Row for FilesystemRow {
    const AREA: &'static str = "Filesystems";
    const LABELS: &'static [&'static str] = FILESYSTEM_LABELS;
    const FAMILIES: &'static [Family<Self>] = FILESYSTEM_FAMILIES;

    fn rows(exposed: Exposed<'_>) -> &[Self] {
        &exposed.snapshot.filesystems
    }

    fn label_values(&self, values: &mut LabelValues) {
        values.push_str(&self.mountpoint);
        values.push_str(&self.device);
        values.push_str(&self.fstype);
    }
}

/// Every family a [`FilesystemRow`] fills.
pub const FILESYSTEM_FAMILIES: &[Family<FilesystemRow>] = &[
    gauge(
        "filesystem_size_bytes",
        Unit::Bytes,
        &[],
        "Size of a filesystem.",
        "statfs f_blocks",
        |row, points| {
            if let Some(room) = row.room {
                points.gauge(&[], room.size as f64);
            }
        },
    ),
    gauge(
        "filesystem_free_bytes",
        Unit::Bytes,
        &[],
        "Free bytes of a filesystem, what is reserved for root included.",
        "statfs f_bfree",
        |row, points| {
            if let Some(room) = row.room {
                points.gauge(&[], room.free as f64);
            }
        },
    ),
    gauge(
        "filesystem_available_bytes",
        Unit::Bytes,
        &[],
        "Bytes of a filesystem that everyone may still use.",
        "statfs f_bavail",
        |row, points| {
            if let Some(room) = row.room {
                points.gauge(&[], room.available as f64);
            }
        },
    ),
    gauge(
        "filesystem_inodes",
        Unit::None,
        &[],
        "Inodes of a filesystem; absent where it makes them as it goes.",
        "statfs f_files",
        |row, points| {
            if let Some(inodes) = row.room.and_then(|room| room.inodes) {
                points.gauge(&[], inodes.total as f64);
            }
        },
    ),
    gauge(
        "filesystem_free_inodes",
        Unit::None,
        &[],
        "Free inodes of a filesystem; absent where it makes them as it goes.",
        "statfs f_ffree",
        |row, points| {
            if let Some(inodes) = row.room.and_then(|room| room.inodes) {
                points.gauge(&[], inodes.free as f64);
            }
        },
    ),
    gauge(
        "filesystem_hung",
        Unit::None,
        &[],
        "Whether a filesystem does not answer: 1 from one second without an answer on. Whoever touches it hangs too.",
        "statfs by a process of its own",
        |row, points| {
            if let Some(hung) = row.hung {
                points.gauge(&[], f64::from(u8::from(hung)));
            }
        },
    ),
    gauge(
        "filesystem_read_only",
        Unit::None,
        &[],
        "Whether a filesystem is mounted read-only, also when an error made it so.",
        "/proc/self/mountinfo",
        |row, points| points.gauge(&[], f64::from(u8::from(row.read_only))),
    ),
];
