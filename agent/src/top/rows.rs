//! From a snapshot and what the user wants to see to the lines in order. Pure.

use std::collections::HashSet;

use rustc_hash::FxHashMap;

use crate::model::{MemberRow, Snapshot};

use super::{
    columns::{Column, View},
    filter::Filter,
    item::{Item, RowKey},
    value::Value,
};

/// What to show and in which order.
#[derive(Clone, Copy)]
pub struct Query<'q> {
    /// View.
    pub view: View,
    /// Position of the column to sort by.
    pub sort: usize,
    /// Largest first.
    pub descending: bool,
    /// Which lines.
    pub filter: &'q Filter,
    /// Groups whose members are listed beneath them.
    pub expanded: &'q HashSet<RowKey>,
}

/// One line.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// What it shows.
    pub item: Item<'a>,
    /// It belongs to the group above.
    pub member: bool,
}

/// The lines of a view: filtered, sorted, groups beyond the budget last, members beneath theirs.
pub fn build<'a>(snapshot: &'a Snapshot, query: &Query<'_>) -> Vec<Row<'a>> {
    let table = query.view.table();
    let mut items = (table.items)(snapshot);
    let matcher = query.filter.over(snapshot);
    items.retain(|item| item.current() && matcher.passes(*item, table.columns));
    let column = table.columns.get(query.sort);
    sort(&mut items, column, query.descending);
    if query.view != View::Processes || query.expanded.is_empty() {
        let row = |item| Row {
            item,
            member: false,
        };
        return items.into_iter().map(row).collect();
    }
    let members = Members::of(snapshot);
    let mut rows = Vec::with_capacity(items.len());
    for item in items {
        rows.push(Row {
            item,
            member: false,
        });
        if query.expanded.contains(&item.key()) {
            let mut beneath = members.beneath(item);
            sort(&mut beneath, column, query.descending);
            rows.extend(beneath.into_iter().map(|item| Row { item, member: true }));
        }
    }
    rows
}

/// Stable: groups that are equal in the column keep the snapshot's order.
pub fn sort(items: &mut Vec<Item<'_>>, column: Option<&Column>, descending: bool) {
    let Some(column) = column else { return };
    let keyed = items
        .iter()
        .map(|item| (item.folded(), (column.value)(*item), *item));
    let mut keyed: Vec<(bool, Value<'_>, Item<'_>)> = keyed.collect();
    keyed.sort_by(|(left_folded, left, one), (right_folded, right, other)| {
        left_folded
            .cmp(right_folded)
            .then_with(|| left.order(right, descending))
            .then_with(|| one.ordinal().cmp(&other.ordinal()))
    });
    *items = keyed.into_iter().map(|(_, _, item)| item).collect();
}

/// Single processes by what identifies their group.
struct Members<'a>(FxHashMap<(&'a str, &'a str, &'a str), Vec<Item<'a>>>);

impl<'a> Members<'a> {
    fn of(snapshot: &'a Snapshot) -> Self {
        let mut by_group: FxHashMap<_, Vec<_>> = FxHashMap::default();
        for item in Item::members(snapshot) {
            if let Item::Member(row, _) = item {
                by_group.entry(row.group()).or_default().push(item);
            }
        }
        Self(by_group)
    }

    fn beneath(&self, item: Item<'a>) -> Vec<Item<'a>> {
        let Item::Process(row) = item else {
            return Vec::new();
        };
        self.0.get(&row.group()).cloned().unwrap_or_default()
    }
}

/// The group a single process is listed beneath.
pub fn group_of(member: &MemberRow) -> RowKey {
    let (process, user) = (member.process.clone(), member.user.clone());
    RowKey::Process(process, user, member.service.clone())
}
