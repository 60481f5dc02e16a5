//! Which lines are shown: any of the words between `|`, in any case, anywhere in the text cells.

use crate::model::{MemberRow, Snapshot};

use super::{columns::Column, human::Unit, item::Item};

/// What the user typed, and what it means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    text: String,
    /// Lower case, none empty.
    words: Vec<String>,
}

impl Filter {
    /// A filter for `text`; everything passes an empty one.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let words = text
            .split('|')
            .map(|word| word.trim().to_lowercase())
            .filter(|word| !word.is_empty())
            .collect();
        Self { text, words }
    }

    /// As typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether everything passes.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Makes ready for the lines of a snapshot.
    pub fn over<'a>(&'a self, snapshot: &'a Snapshot) -> Matcher<'a> {
        let pids: Vec<u32> = self
            .words
            .iter()
            .filter_map(|word| word.parse().ok())
            .collect();
        let members = snapshot.members.iter();
        let groups = if pids.is_empty() {
            Vec::new()
        } else {
            members
                .filter(|member| pids.contains(&member.pid))
                .map(MemberRow::group)
                .collect()
        };
        Matcher {
            filter: self,
            pids,
            groups,
        }
    }

    /// Whether one of these texts of a line lets it pass.
    pub fn passes(&self, texts: &[&str]) -> bool {
        self.is_empty() || texts.iter().any(|text| self.matches(text))
    }

    fn matches(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.words.iter().any(|word| text.contains(word.as_str()))
    }
}

/// A filter over one snapshot.
pub struct Matcher<'a> {
    filter: &'a Filter,
    /// Words that could be process ids.
    pids: Vec<u32>,
    /// The groups of these processes.
    groups: Vec<(&'a str, &'a str, &'a str)>,
}

impl Matcher<'_> {
    /// Whether a line passes: by one of its text cells; a process by its pid, and a group of
    /// processes by that of one of its members.
    pub fn passes(&self, item: Item<'_>, columns: &[Column]) -> bool {
        if self.filter.is_empty() {
            return true;
        }
        let by_pid = match item {
            Item::Process(row) => self.groups.contains(&row.group()),
            Item::Member(row, _) => {
                self.pids.contains(&row.pid) || self.filter.matches(&row.process)
            }
            Item::Connection(row) => row.pid.is_some_and(|pid| self.pids.contains(&pid)),
            _ => false,
        };
        by_pid
            || columns.iter().any(|column| {
                column.unit.is_text() && self.filter.matches(&(column.value)(item).show(Unit::Text))
            })
    }
}
