//! The views and their columns: one table each. Sorting, layout, `--sort`, help and sparklines
//! derive from it.

mod answer;
mod connection;
mod disk;
mod dns;
mod failure;
pub(super) mod filesystem;
mod job;
pub(super) mod limit;
mod listener;
mod peer;
mod port_use;
mod process;
mod service;
mod short;
mod upstream;

use clap::ValueEnum;

use crate::model::Snapshot;

use super::{human::Unit, item::Item, value::Value};

/// What is listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum View {
    /// Groups of processes by name and user.
    #[default]
    Processes,
    /// Groups of TCP connections by remote peer.
    Peers,
    /// Single TCP connections.
    Connections,
    /// TCP listeners and what they cannot keep up with; ports that refuse.
    Listeners,
    /// Lives of TCP connections by process and port: opens, ends, losses.
    Services,
    /// Attempts to connect that failed.
    Failures,
    /// Pools of peers and how evenly they are loaded.
    Upstreams,
    /// Local ports in use towards one remote end.
    Ports,
    /// Name resolution.
    Dns,
    /// Disks: how long requests take, for whom, and which are slow by themselves.
    Disks,
    /// Filesystems: how full, how soon full, what hangs.
    Filesystems,
    /// Processes of one session or service together.
    Jobs,
    /// What can run out: descriptors, threads, memory, ports, …
    Limits,
}

/// A view: what it lists and in which columns.
pub struct Table {
    /// Title.
    pub title: &'static str,
    /// The same where there is little room.
    pub short: &'static str,
    /// Columns, left to right.
    pub columns: &'static [Column],
    /// Column it is sorted by at first.
    pub sort: &'static str,
    /// Columns whose past is kept for the sparkline, the more telling one first.
    pub tracked: [&'static str; 2],
    /// Its lines, heaviest first.
    pub items: for<'a> fn(&'a Snapshot) -> Vec<Item<'a>>,
}

/// One column.
pub struct Column {
    /// Name for `--sort`.
    pub id: &'static str,
    /// Title.
    pub header: &'static str,
    /// One line of help.
    pub help: &'static str,
    /// How its numbers are written; text is aligned to the left.
    pub unit: Unit,
    /// Cells it takes.
    pub width: Width,
    /// Importance: 0 is always shown, the highest number is the first to go.
    pub rank: u8,
    /// How a cell is coloured.
    pub shade: Shade,
    /// Left out on the screen where no line has anything in it.
    pub optional: bool,
    /// What a line has in this column.
    pub value: for<'a> fn(Item<'a>) -> Value<'a>,
}

/// Width of a column in cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// Always the same.
    Fixed(u16),
    /// From the first to the second, as the screen allows.
    Stretch(u16, u16),
}

impl Width {
    /// The least it can do with.
    pub fn least(self) -> u16 {
        match self {
            Self::Fixed(width) | Self::Stretch(width, _) => width,
        }
    }
}

/// How the size of a number shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shade {
    /// It does not.
    Plain,
    /// By decade: below 1, 10, 100 ms, 1 s, above.
    Latency,
    /// From the first limit on a warning, from the second on bad.
    Limits(f64, f64),
}

impl View {
    /// All views, in the order of their keys.
    pub const ALL: [Self; 13] = [
        Self::Processes,
        Self::Peers,
        Self::Connections,
        Self::Listeners,
        Self::Services,
        Self::Failures,
        Self::Upstreams,
        Self::Ports,
        Self::Dns,
        Self::Disks,
        Self::Filesystems,
        Self::Jobs,
        Self::Limits,
    ];

    /// The table of this view.
    pub fn table(self) -> &'static Table {
        match self {
            Self::Processes => &process::TABLE,
            Self::Peers => &peer::TABLE,
            Self::Connections => &connection::TABLE,
            Self::Listeners => &listener::TABLE,
            Self::Services => &service::TABLE,
            Self::Failures => &failure::TABLE,
            Self::Upstreams => &upstream::TABLE,
            Self::Ports => &port_use::TABLE,
            Self::Dns => &dns::TABLE,
            Self::Disks => &disk::TABLE,
            Self::Filesystems => &filesystem::TABLE,
            Self::Jobs => &job::TABLE,
            Self::Limits => &limit::TABLE,
        }
    }

    /// The key that shows it.
    pub fn key(self) -> char {
        match self {
            Self::Processes => '1',
            Self::Peers => '2',
            Self::Connections => '3',
            Self::Listeners => '4',
            Self::Services => '5',
            Self::Failures => '6',
            Self::Upstreams => '7',
            Self::Ports => '8',
            Self::Dns => '9',
            Self::Disks => '0',
            Self::Filesystems => 'f',
            Self::Jobs => 'J',
            Self::Limits => 'l',
        }
    }

    /// The view that this key shows.
    pub fn of_key(key: char) -> Option<Self> {
        Self::ALL.into_iter().find(|view| view.key() == key)
    }

    /// Position in [`Self::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

impl Table {
    /// Position of the column named `id`.
    pub fn position(&self, id: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.id == id)
    }

    /// Names of all columns, for messages.
    pub fn ids(&self) -> String {
        let ids: Vec<_> = self.columns.iter().map(|column| column.id).collect();
        ids.join(", ")
    }
}

impl Column {
    /// Numbers are first looked at from the top, text from A, states from the worst.
    pub fn descending_first(&self) -> bool {
        self.unit != Unit::Text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sound() {
        for (index, view) in View::ALL.into_iter().enumerate() {
            assert_eq!(view.index(), index);
            assert_eq!(View::of_key(view.key()), Some(view));
            let table = view.table();
            assert!(table.position(table.sort).is_some());
            for id in table.tracked {
                assert!(table.position(id).is_some(), "{id}");
            }
            assert_eq!(table.columns.first().map(|column| column.rank), Some(0));
            for (at, column) in table.columns.iter().enumerate() {
                assert_eq!(table.position(column.id), Some(at), "{} twice", column.id);
                let header = column.header.chars().count() as u16;
                // One cell beside the title is for the arrow of the sorted column.
                assert!(header < column.width.least().max(2) + 1, "{}", column.id);
            }
        }
    }
}
