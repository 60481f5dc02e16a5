//! One object per line and snapshot. Its fields are a contract: `docs/top.md` names each.

mod disk;
mod dns;
mod door;
mod fields;
mod filesystem;
mod job;
mod limit;
mod lives;
mod pools;
mod records;
mod response;

use crate::model::{OTHER, ProcessDiskRow, Snapshot};

use super::{columns::View, filter::Filter, item::Item, options::TopOptions, rows};

/// Version of the fields; it changes when one changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// The snapshot as one line, without its end. The filter narrows every list; the list of the
/// chosen view is in the chosen order.
pub fn line(options: &TopOptions, snapshot: &Snapshot) -> String {
    let filter = options.filter();
    let lists = Lists::new(options, &filter, snapshot);
    let document = fields::Document::new(snapshot, &lists);
    // Strings, numbers and maps with string keys: there is nothing that cannot be written.
    serde_json::to_string(&document).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
}

/// The rows that pass, in order.
struct Lists<'a> {
    processes: Vec<Item<'a>>,
    members: Vec<Item<'a>>,
    jobs: Vec<Item<'a>>,
    peers: Vec<Item<'a>>,
    connections: Vec<Item<'a>>,
    /// Refused ports among them.
    listeners: Vec<Item<'a>>,
    services: Vec<Item<'a>>,
    failures: Vec<Item<'a>>,
    upstreams: Vec<Item<'a>>,
    ports: Vec<Item<'a>>,
    dns: Vec<Item<'a>>,
    /// Services at disks among them.
    disks: Vec<Item<'a>>,
    process_disks: Vec<&'a ProcessDiskRow>,
    filesystems: Vec<Item<'a>>,
    limits: Vec<Item<'a>>,
}

impl<'a> Lists<'a> {
    fn new(options: &TopOptions, filter: &Filter, snapshot: &'a Snapshot) -> Self {
        let matcher = filter.over(snapshot);
        let list = |view: View| {
            let table = view.table();
            let mut items = (table.items)(snapshot);
            items.retain(|item| matcher.passes(*item, table.columns));
            if view == options.view
                && options.sort.is_some()
                && let Ok((sort, descending)) = options.sorting()
            {
                rows::sort(&mut items, table.columns.get(sort), descending);
            }
            items
        };
        let columns = View::Processes.table().columns;
        let members = Item::members(snapshot);
        let named = |item: &Item<'_>| matcher.passes(*item, columns);
        let at_disks = |row: &&ProcessDiskRow| match &row.owner {
            Some(owner) => filter.passes(&[&owner.process, &owner.user, &owner.service]),
            None => filter.passes(&[OTHER]),
        };
        Self {
            process_disks: snapshot.process_disks.iter().filter(at_disks).collect(),
            processes: list(View::Processes),
            members: members.filter(named).collect(),
            jobs: list(View::Jobs),
            peers: list(View::Peers),
            connections: list(View::Connections),
            listeners: list(View::Listeners),
            services: list(View::Services),
            failures: list(View::Failures),
            upstreams: list(View::Upstreams),
            ports: list(View::Ports),
            dns: list(View::Dns),
            disks: list(View::Disks),
            filesystems: list(View::Filesystems),
            limits: list(View::Limits),
        }
    }
}
