//! Rules and how they are asked: the first whose conditions all hold gives the name.

use std::sync::Arc;

use regex::Regex;

use super::{
    pattern::Pattern,
    template::{Fact, Template},
};

/// What a rule may ask about a process. The dear ones are asked only when everything else holds,
/// and once at most.
pub trait Subject {
    /// Command name, up to 15 bytes.
    fn comm(&self) -> &[u8];
    /// Effective user id.
    fn uid(&self) -> u32;
    /// Name of that user; its number if it has none.
    fn user(&mut self) -> Arc<str>;
    /// Container or systemd unit; empty if it is in neither.
    fn unit(&mut self) -> Arc<str>;
    /// Path of its executable; `None` if that is not known.
    fn exe(&mut self) -> Option<Vec<u8>>;
    /// Its arguments as in `/proc/PID/cmdline`, NUL-separated; `None` if they are not known.
    fn cmdline(&mut self) -> Option<Vec<u8>>;
}

/// One rule: all conditions that are given must hold.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) name: Template,
    /// Any of these; none: anything.
    pub(super) comm: Vec<Pattern>,
    pub(super) user: Vec<Pattern>,
    pub(super) unit: Vec<Pattern>,
    pub(super) exe: Vec<Pattern>,
    pub(super) cmdline: Option<Regex>,
}

/// All rules, in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub(super) rules: Vec<Rule>,
}

impl Rules {
    /// The name that the first matching rule gives; `None` if none does. A condition about
    /// something that is not known does not hold.
    pub fn name(&self, subject: &mut dyn Subject) -> Option<String> {
        if self.rules.is_empty() {
            return None;
        }
        let mut facts = Facts::new(subject);
        self.rules.iter().find_map(|rule| rule.name(&mut facts))
    }

    /// Whether some rule looks at the command line, which a process may change after its start.
    pub fn read_cmdline(&self) -> bool {
        self.rules.iter().any(|rule| rule.cmdline.is_some())
    }

    /// Number of rules.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

impl Rule {
    fn name(&self, facts: &mut Facts<'_>) -> Option<String> {
        let any = |patterns: &[Pattern], value: &[u8]| {
            patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(value))
        };
        if !any(&self.comm, facts.subject.comm()) {
            return None;
        }
        if !self.user.is_empty() {
            let user = facts.user();
            let number = facts.subject.uid().to_string();
            if !any(&self.user, user.as_bytes()) && !any(&self.user, number.as_bytes()) {
                return None;
            }
        }
        if !self.unit.is_empty() && !any(&self.unit, facts.unit().as_bytes()) {
            return None;
        }
        if !self.exe.is_empty() {
            let exe = facts.exe()?;
            let holds = |pattern: &Pattern| {
                let whole = pattern.text().contains('/');
                pattern.matches(if whole { exe } else { base_name(exe) })
            };
            if !self.exe.iter().any(holds) {
                return None;
            }
        }
        let Some(regex) = &self.cmdline else {
            return self.name.fill(facts, None);
        };
        let cmdline = facts.cmdline()?;
        let captures = regex.captures(&cmdline)?;
        self.name.fill(facts, Some(&captures))
    }
}

fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// Answers of a subject, remembered from rule to rule.
pub(super) struct Facts<'a> {
    subject: &'a mut dyn Subject,
    user: Option<Arc<str>>,
    unit: Option<Arc<str>>,
    exe: Option<Option<Vec<u8>>>,
    cmdline: Option<Option<Arc<str>>>,
}

impl<'a> Facts<'a> {
    fn new(subject: &'a mut dyn Subject) -> Self {
        Self {
            subject,
            user: None,
            unit: None,
            exe: None,
            cmdline: None,
        }
    }

    fn user(&mut self) -> Arc<str> {
        let subject = &mut self.subject;
        Arc::clone(self.user.get_or_insert_with(|| subject.user()))
    }

    fn unit(&mut self) -> Arc<str> {
        let subject = &mut self.subject;
        Arc::clone(self.unit.get_or_insert_with(|| subject.unit()))
    }

    fn exe(&mut self) -> Option<&[u8]> {
        let subject = &mut self.subject;
        self.exe.get_or_insert_with(|| subject.exe()).as_deref()
    }

    /// Arguments with blanks between them.
    fn cmdline(&mut self) -> Option<Arc<str>> {
        let subject = &mut self.subject;
        let cmdline = self.cmdline.get_or_insert_with(|| {
            let mut bytes = subject.cmdline()?;
            let end = bytes.iter().rposition(|byte| *byte != 0)? + 1;
            bytes.truncate(end);
            for byte in &mut bytes {
                if *byte == 0 {
                    *byte = b' ';
                }
            }
            Some(String::from_utf8_lossy(&bytes).into())
        });
        cmdline.clone()
    }

    /// A fact as text; `None` if it is not known or empty.
    pub(super) fn text(&mut self, fact: Fact) -> Option<String> {
        let text = match fact {
            Fact::Comm => String::from_utf8_lossy(self.subject.comm()).into_owned(),
            Fact::Exe => String::from_utf8_lossy(base_name(self.exe()?)).into_owned(),
            Fact::User => self.user().to_string(),
            Fact::Unit => self.unit().to_string(),
        };
        (!text.is_empty()).then_some(text)
    }
}
