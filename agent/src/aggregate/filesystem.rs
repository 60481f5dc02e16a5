//! How filesystems fill over time.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::{
    collect::filesystem::{Answer, Reading},
    model::{Budget, FilesystemRow, LimitRow, Limited, Resource},
};

use super::fit::Trend;

/// What identifies a filesystem: its device and where it is mounted.
type Key = (Arc<str>, Arc<str>);

/// Past of one filesystem.
#[derive(Default)]
struct Past {
    bytes: Trend,
    inodes: Trend,
    seen: u64,
}

/// All filesystems of the last cycle and their past.
pub struct FilesystemTable {
    budget: usize,
    past: FxHashMap<Key, Past>,
    rows: Vec<FilesystemRow>,
    cycle: u64,
    folded: u64,
}

impl FilesystemTable {
    /// Shows at most `budget` of them.
    pub fn new(budget: usize) -> Self {
        Self {
            budget,
            past: FxHashMap::default(),
            rows: Vec::new(),
            cycle: 0,
            folded: 0,
        }
    }

    /// Takes a cycle's readings over, made at `mono_ns`.
    pub fn update(&mut self, mono_ns: u64, readings: impl Iterator<Item = Reading>) {
        self.cycle += 1;
        self.rows.clear();
        for reading in readings {
            let key = (Arc::clone(&reading.dev), Arc::clone(&reading.mountpoint));
            let past = self.past.entry(key).or_default();
            past.seen = self.cycle;
            self.rows.push(past.row(mono_ns, reading));
        }
        self.past.retain(|_, past| past.seen == self.cycle);
        // What hangs first, then the fullest.
        let weight = |row: &FilesystemRow| match row.hung {
            Some(true) => f64::INFINITY,
            _ => row.ratio().unwrap_or(-1.0),
        };
        self.rows.sort_by(|a, b| {
            let heavier = weight(b).total_cmp(&weight(a));
            heavier.then_with(|| a.mountpoint.cmp(&b.mountpoint))
        });
        self.folded = self.rows.len().saturating_sub(self.budget) as u64;
        self.rows.truncate(self.budget);
    }

    /// Filesystems, those that hang first, then the fullest.
    pub fn rows(&self) -> &[FilesystemRow] {
        &self.rows
    }

    /// The budget.
    pub fn budget(&self) -> Budget {
        Budget {
            name: "filesystem",
            limit: self.budget as u64,
            named: self.rows.len() as u64,
            folded: self.folded,
            folds: 0,
            evictions: 0,
        }
    }
}

/// The limits of filesystems: bytes and inodes of those that can be written.
pub fn filesystem_limits(rows: &[FilesystemRow]) -> impl Iterator<Item = LimitRow> {
    rows.iter().filter(|row| !row.read_only).flat_map(|row| {
        let of = || Limited::Filesystem {
            device: Arc::clone(&row.device),
            mountpoint: Arc::clone(&row.mountpoint),
            fstype: Arc::clone(&row.fstype),
        };
        let bytes = row.room.map(|room| LimitRow {
            resource: Resource::FilesystemBytes,
            of: of(),
            used: room.used(),
            limit: room.usable(),
            seconds_to_full: row.bytes_to_full,
        });
        let inodes = row.room.and_then(|room| room.inodes);
        let inodes = inodes.map(|inodes| LimitRow {
            resource: Resource::FilesystemInodes,
            of: of(),
            used: inodes.used(),
            limit: inodes.total,
            seconds_to_full: row.inodes_to_full,
        });
        bytes.into_iter().chain(inodes)
    })
}

impl Past {
    fn row(&mut self, mono_ns: u64, reading: Reading) -> FilesystemRow {
        let mut row = FilesystemRow {
            mountpoint: reading.mountpoint,
            device: reading.source,
            fstype: reading.fstype,
            read_only: reading.read_only,
            hung: None,
            room: None,
            growth: None,
            bytes_to_full: None,
            inodes_to_full: None,
        };
        match reading.answer {
            Answer::Pending => {}
            Answer::Hung => row.hung = Some(true),
            Answer::Refused(_) => row.hung = Some(false),
            Answer::Room(room) => {
                row.hung = Some(false);
                row.room = room;
            }
        }
        let Some(room) = row.room.filter(|_| !row.read_only) else {
            return row;
        };
        self.bytes.observe(mono_ns, room.used() as f64);
        row.growth = self.bytes.growth();
        row.bytes_to_full = self.bytes.seconds_to(room.available as f64);
        if let Some(inodes) = room.inodes {
            self.inodes.observe(mono_ns, inodes.used() as f64);
            row.inodes_to_full = self.inodes.seconds_to(inodes.free as f64);
        }
        row
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::model::{Inodes, Room};

    const SECOND: u64 = 1_000_000_000;

    fn reading(mountpoint: &str, answer: Answer) -> Reading {
        Reading {
            dev: format!("8:{}", mountpoint.len()).into(),
            mountpoint: mountpoint.into(),
            source: "/dev/sda1".into(),
            fstype: "ext4".into(),
            read_only: false,
            answer,
        }
    }

    /// 1000 bytes, 100 of them for root alone.
    fn used(bytes: u64) -> Answer {
        Answer::Room(Some(Room {
            size: 1000,
            free: 1000 - bytes,
            available: 900_u64.saturating_sub(bytes),
            inodes: Some(Inodes {
                total: 100,
                free: 50,
            }),
        }))
    }

    #[test]
    fn fills_until_everyone_is_out_of_room() {
        let mut table = FilesystemTable::new(10);
        for cycle in 0..20 {
            let readings = [reading("/data", used(100 + cycle * 10))];
            table.update(cycle * 5 * SECOND, readings.into_iter());
        }
        let row = &table.rows()[0];
        let room = row.room.unwrap();
        assert_eq!((room.used(), room.usable()), (290, 900));
        assert!((row.growth.unwrap() - 2.0).abs() < 1e-9);
        assert!((row.bytes_to_full.unwrap() - 305.0).abs() < 1e-6);
        assert_eq!(row.inodes_to_full, None, "none are taken");
        assert_eq!(row.to_full(), row.bytes_to_full);
        assert_eq!(row.ratio(), Some(0.5), "inodes are fuller");
        let limits: Vec<_> = filesystem_limits(table.rows()).collect();
        assert_eq!(limits.len(), 2);
        assert_eq!((limits[0].used, limits[0].limit), (290, 900));
        assert_eq!(limits[0].seconds_to_full, row.bytes_to_full);
        assert_eq!((limits[1].used, limits[1].limit), (50, 100));
        table.update(1000 * SECOND, [reading("/data", used(900))].into_iter());
        assert_eq!(table.rows()[0].to_full(), Some(0.0));
    }

    #[test]
    fn hung_is_not_empty_and_unknown_is_not_zero() {
        let mut table = FilesystemTable::new(2);
        let readings = [
            reading("/", used(500)),
            reading("/fuller", used(800)),
            reading("/far", Answer::Hung),
            reading("/new", Answer::Pending),
        ];
        table.update(SECOND, readings.into_iter());
        let rows = table.rows();
        assert_eq!((&*rows[0].mountpoint, rows[0].hung), ("/far", Some(true)));
        assert!(rows[0].room.is_none() && rows[0].ratio().is_none());
        assert_eq!(&*rows[1].mountpoint, "/fuller");
        assert_eq!((table.budget().named, table.budget().folded), (2, 2));
    }

    #[test]
    fn what_cannot_be_written_does_not_fill() {
        let mut table = FilesystemTable::new(2);
        let image = Reading {
            read_only: true,
            ..reading("/image", used(1000))
        };
        table.update(SECOND, [image].into_iter());
        let row = &table.rows()[0];
        assert!(row.room.is_some() && row.ratio().is_none() && row.to_full().is_none());
        assert_eq!(filesystem_limits(table.rows()).count(), 0);
    }

    #[test]
    fn the_past_ends_with_the_mount() {
        let mut table = FilesystemTable::new(2);
        table.update(SECOND, [reading("/a", used(1))].into_iter());
        assert_eq!(table.past.len(), 1);
        table.update(2 * SECOND, std::iter::empty());
        assert!(table.past.is_empty() && table.rows().is_empty());
    }
}
