//! Mounted filesystems and their room. Those that answer from memory are asked directly; those
//! behind which something may hang are asked by a process of their own and by no other.

mod asker;
mod choose;
pub mod helper;
mod kind;
mod mounts;

use std::{io, path::Path, process::Child, sync::Arc};

use rustc_hash::FxHashMap;

use crate::model::{Inodes, Room};

use asker::Asker;
use choose::Chosen;
use mounts::MountTable;

/// Filesystems looked at.
const MOST: usize = 256;

/// What a filesystem said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing yet.
    Pending,
    /// Its room; `None` if it has no size.
    Room(Option<Room>),
    /// Nothing, for longer than any answer takes.
    Hung,
    /// An error: it cannot be asked.
    Refused(Arc<str>),
}

/// A filesystem and what it said.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Identity of the filesystem, `major:minor`.
    pub dev: Arc<str>,
    /// Where it is mounted.
    pub mountpoint: Arc<str>,
    /// What is mounted.
    pub source: Arc<str>,
    /// Type.
    pub fstype: Arc<str>,
    /// Mounted read-only.
    pub read_only: bool,
    /// What it said.
    pub answer: Answer,
}

/// All filesystems that have room.
pub struct Filesystems {
    table: MountTable,
    chosen: Vec<Chosen>,
    left_out: u64,
    /// By mount.
    askers: FxHashMap<u32, Asker>,
    /// Helpers that were sent away and are still there.
    leaving: Vec<Child>,
    /// Why some are not asked.
    unasked: Option<String>,
}

impl Filesystems {
    /// Opens the mount table.
    ///
    /// # Errors
    /// When there is none: no `/proc`.
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            table: MountTable::open()?,
            chosen: Vec::new(),
            left_out: 0,
            askers: FxHashMap::default(),
            leaving: Vec::new(),
            unasked: None,
        })
    }

    /// Asks those that others must ask, so that they may answer while something else is done. Never
    /// waits.
    ///
    /// # Errors
    /// When the mount table cannot be read; the last one stays in use.
    pub fn ask(&mut self, now_ns: u64) -> io::Result<()> {
        let table = self.table.changed(now_ns);
        if let Ok(Some(mounts)) = &table {
            let (chosen, left_out) = choose::choose(mounts, MOST);
            self.left_out = left_out;
            self.replace(chosen);
        }
        self.unasked = None;
        // Whoever has ended is taken leave of; an error means that nobody is there.
        self.leaving
            .retain_mut(|child| matches!(child.try_wait(), Ok(None)));
        for one in self.chosen.iter().filter(|one| one.remote) {
            let behind = one.behind.and_then(|id| self.askers.get_mut(&id));
            if behind.is_some_and(|asker| asker.answer(now_ns) == Answer::Hung) {
                // The way to it leads through the one that hangs.
                continue;
            }
            let id = one.mount.id;
            if self.askers.get(&id).is_some_and(Asker::ended) {
                self.leaving
                    .extend(self.askers.remove(&id).map(Asker::leave));
            }
            if !self.askers.contains_key(&id) {
                let helpers = self.askers.len() + self.leaving.len();
                match start(&self.table.reach(&one.mount.path), helpers) {
                    Ok(asker) => {
                        self.askers.insert(id, asker);
                    }
                    Err(why) => {
                        self.unasked = Some(format!("{} not read: {why}", one.mount.mountpoint));
                    }
                }
            }
            if let Some(asker) = self.askers.get_mut(&id) {
                asker.ask(now_ns);
            }
        }
        table.map(drop)
    }

    /// What each of them said by now.
    pub fn readings(&mut self, now_ns: u64) -> impl Iterator<Item = Reading> {
        let Self {
            chosen,
            askers,
            table,
            ..
        } = self;
        chosen.iter().map(move |one| {
            let mut said = |id: u32| askers.get_mut(&id).map(|asker| asker.answer(now_ns));
            let behind = one.behind.and_then(&mut said);
            let answer = if behind == Some(Answer::Hung) {
                Answer::Hung
            } else if one.remote {
                said(one.mount.id).unwrap_or(Answer::Pending)
            } else {
                ask(&table.reach(&one.mount.path))
            };
            let mount = &one.mount;
            Reading {
                dev: Arc::clone(&mount.dev),
                mountpoint: Arc::clone(&mount.mountpoint),
                source: Arc::clone(&mount.source),
                fstype: Arc::clone(&mount.fstype),
                read_only: mount.read_only,
                answer,
            }
        })
    }

    /// Filesystems that are not looked at as there are too many.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Why some are not asked.
    pub fn unasked(&self) -> Option<&str> {
        self.unasked.as_deref()
    }

    /// Why these may not be the host's filesystems; `None` if they are.
    pub fn unsure(&self) -> Option<&str> {
        self.table.unsure()
    }

    /// Helpers, those included that wait for mounts which are gone; and how many there may be.
    pub fn helpers(&self) -> (usize, usize) {
        (self.askers.len() + self.leaving.len(), asker::HELPERS)
    }

    /// Takes another choice over; helpers of mounts that are still the same go on.
    fn replace(&mut self, chosen: Vec<Chosen>) {
        let before: FxHashMap<u32, &Chosen> =
            self.chosen.iter().map(|one| (one.mount.id, one)).collect();
        let same = |one: &&Chosen| {
            // Numbers of mounts are used again.
            before.get(&one.mount.id).is_some_and(|old| {
                (&old.mount.dev, &old.mount.path) == (&one.mount.dev, &one.mount.path)
            })
        };
        let stay: Vec<u32> = chosen.iter().filter(same).map(|one| one.mount.id).collect();
        let gone = self.askers.extract_if(|id, _| !stay.contains(id));
        self.leaving.extend(gone.map(|(_, asker)| asker.leave()));
        self.chosen = chosen;
    }
}

/// Starts the helper of one mount beside `helpers` others.
fn start(path: &Path, helpers: usize) -> Result<Asker, String> {
    if helpers >= asker::HELPERS {
        return Err(format!("{helpers} helpers already ask or wait"));
    }
    let command = helper::command(path).ok_or("this program cannot be its own helper")?;
    Asker::start(command).map_err(|error| error.to_string())
}

impl Drop for Filesystems {
    fn drop(&mut self) {
        for (_, asker) in self.askers.drain() {
            // Whoever hangs is left to itself; the others are gone by now or a moment later.
            let _ = asker.leave().try_wait();
        }
    }
}

/// Asks a filesystem for its room, and waits for it.
fn ask(path: &Path) -> Answer {
    match rustix::fs::statvfs(path) {
        Ok(figures) => Answer::Room(room(&figures)),
        Err(error) => Answer::Refused(io::Error::from(error).to_string().into()),
    }
}

fn room(figures: &rustix::fs::StatVfs) -> Option<Room> {
    let bytes = |blocks: u64| blocks.saturating_mul(figures.f_frsize);
    let inodes = Inodes {
        total: figures.f_files,
        free: figures.f_ffree,
    };
    let room = Room {
        size: bytes(figures.f_blocks),
        free: bytes(figures.f_bfree),
        available: bytes(figures.f_bavail),
        inodes: (inodes.total > 0).then_some(inodes),
    };
    (room.size > 0).then_some(room)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_root_has_room() {
        let mut filesystems = Filesystems::open().unwrap();
        filesystems.ask(1).unwrap();
        let readings: Vec<_> = filesystems.readings(2).collect();
        let root = readings.iter().find(|one| &*one.mountpoint == "/").unwrap();
        let Answer::Room(Some(room)) = &root.answer else {
            panic!("{root:?}");
        };
        assert!(room.free <= room.size && room.available <= room.free);
    }
}
