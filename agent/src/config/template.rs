//! The name that a rule gives: text with `${…}` in it.

use regex::Captures;

use super::rule::Facts;

/// What to put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    /// A fact about the process.
    Fact(Fact),
    /// A group of the regular expression.
    Group(usize),
}

/// What can be asked of every process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    Comm,
    /// Base name of the executable.
    Exe,
    User,
    Unit,
}

impl Fact {
    /// By its name in a template.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "comm" => Self::Comm,
            "exe" => Self::Exe,
            "user" => Self::User,
            "unit" => Self::Unit,
            _ => return None,
        })
    }
}

/// A template that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    parts: Vec<Part>,
}

/// What is wrong with a template, and the cure.
pub(super) type Wrong = (String, String);

impl Template {
    /// Reads a template; `groups` are those of the rule's regular expression (the whole match
    /// first, named or not), none without one.
    pub(super) fn parse(text: &str, groups: &[Option<&str>]) -> Result<Self, Wrong> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            push_text(&mut parts, before);
            if let Some(after) = after.strip_prefix('$') {
                push_text(&mut parts, "$");
                rest = after;
                continue;
            }
            let placeholder = after
                .strip_prefix('{')
                .and_then(|inner| inner.split_once('}'));
            let Some((name, after)) = placeholder else {
                return Err((
                    "a $ in the name begins no ${…}".into(),
                    "write ${1} for a group of cmdline, $$ for the character itself".into(),
                ));
            };
            parts.push(part(name, groups)?);
            rest = after;
        }
        push_text(&mut parts, rest);
        Ok(Self { parts })
    }

    /// Its text, if there is nothing to fill in.
    pub(super) fn constant(&self) -> Option<&str> {
        match &self.parts[..] {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The name; `None` if a fact it needs is not known, or nothing is left of it.
    pub(super) fn fill(
        &self,
        facts: &mut Facts<'_>,
        captures: Option<&Captures<'_>>,
    ) -> Option<String> {
        let mut name = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => name.push_str(text),
                Part::Fact(fact) => name.push_str(&facts.text(*fact)?),
                // A group that took no part in the match is empty.
                Part::Group(group) => {
                    name.push_str(captures?.get(*group).map_or("", |group| group.as_str()));
                }
            }
        }
        let name = name.trim();
        (!name.is_empty()).then(|| name.to_owned())
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        Some(Part::Text(last)) => last.push_str(text),
        _ if text.is_empty() => {}
        _ => parts.push(Part::Text(text.to_owned())),
    }
}

fn part(name: &str, groups: &[Option<&str>]) -> Result<Part, Wrong> {
    if let Some(fact) = Fact::named(name) {
        return Ok(Part::Fact(fact));
    }
    let is_number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    let group = if is_number {
        let number = name.parse().ok();
        number.filter(|number| (1..groups.len()).contains(number))
    } else {
        groups.iter().position(|group| *group == Some(name))
    };
    if let Some(group) = group {
        return Ok(Part::Group(group));
    }
    let last = groups.len().saturating_sub(1);
    let cure = match (is_number, last) {
        (true, 0) => "put parentheses around what cmdline is to give".into(),
        (true, 1) => "there is ${1}".into(),
        (true, _) => format!("there are ${{1}} to ${{{last}}}"),
        (false, _) => {
            "there are ${comm}, ${exe}, ${user}, ${unit}, and the groups of cmdline: ${1} for \
             (…), ${NAME} for (?<NAME>…)"
                .into()
        }
    };
    Err((format!("nothing fills ${{{name}}}"), cure))
}
