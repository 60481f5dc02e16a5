//! Which lines are shown: any of the words between `|`, in any case, anywhere in the text cells.

use crate::model::Snapshot;

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

    /// Whether a line passes: by one of its text cells; a process by its pid, and a group of
    /// processes by that of one of its members.
    pub fn passes(&self, item: Item<'_>, columns: &[Column], snapshot: &Snapshot) -> bool {
        if self.is_empty() {
            return true;
        }
        if let Item::Member(member) = item {
            let pid = member.pid;
            return self.matches(&member.process)
                || self.matches(&member.user)
                || self.pids().any(|wanted| wanted == pid);
        }
        let texts = columns.iter().filter(|column| column.unit == Unit::Text);
        for column in texts {
            let value = (column.value)(item);
            if self.matches(&value.show(Unit::Text)) {
                return true;
            }
        }
        let Item::Process(group) = item else {
            return false;
        };
        self.pids().any(|pid| {
            let mut members = snapshot.members.iter();
            let member = members.find(|member| member.pid == pid);
            member
                .is_some_and(|member| member.process == group.process && member.user == group.user)
        })
    }

    fn matches(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.words.iter().any(|word| text.contains(word.as_str()))
    }

    fn pids(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().filter_map(|word| word.parse().ok())
    }
}
