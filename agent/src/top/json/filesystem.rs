//! Filesystems.

use serde::Serialize;

use crate::model::{FilesystemRow, Inodes};

#[derive(Serialize)]
pub struct Filesystem<'a> {
    pub mountpoint: &'a str,
    pub device: &'a str,
    pub fstype: &'a str,
    pub read_only: bool,
    pub hung: Option<bool>,
    pub size_bytes: Option<u64>,
    pub free_bytes: Option<u64>,
    pub available_bytes: Option<u64>,
    pub used_ratio: Option<f64>,
    pub inodes: Option<u64>,
    pub free_inodes: Option<u64>,
    pub inodes_used_ratio: Option<f64>,
    pub growth_bytes_per_second: Option<f64>,
    pub bytes_to_full_seconds: Option<f64>,
    pub inodes_to_full_seconds: Option<f64>,
}

impl<'a> Filesystem<'a> {
    pub(super) fn new(row: &'a FilesystemRow) -> Self {
        let room = row.room;
        let inodes: Option<Inodes> = room.and_then(|room| room.inodes);
        Self {
            mountpoint: &row.mountpoint,
            device: &row.device,
            fstype: &row.fstype,
            read_only: row.read_only,
            hung: row.hung,
            size_bytes: room.map(|room| room.size),
            free_bytes: room.map(|room| room.free),
            available_bytes: room.map(|room| room.available),
            used_ratio: room.map(|room| room.ratio()),
            inodes: inodes.map(|inodes| inodes.total),
            free_inodes: inodes.map(|inodes| inodes.free),
            inodes_used_ratio: inodes.map(|inodes| inodes.ratio()),
            growth_bytes_per_second: row.growth,
            bytes_to_full_seconds: row.bytes_to_full,
            inodes_to_full_seconds: row.inodes_to_full,
        }
    }
}
