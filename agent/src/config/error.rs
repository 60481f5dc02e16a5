//! What is wrong with a configuration file, in one line.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// A file that is not taken; shown as `FILE:LINE: what; cure`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    path: PathBuf,
    /// From 1; `None` if the file as a whole is meant.
    line: Option<usize>,
    what: String,
    cure: String,
}

impl ConfigError {
    pub(super) fn new(path: &Path, fault: Fault) -> Self {
        Self {
            path: path.to_owned(),
            line: fault.line,
            what: one_line(&fault.what),
            cure: one_line(&fault.cure),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", one_line(&self.path.to_string_lossy()))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}; {}", self.what, self.cure)
    }
}

impl std::error::Error for ConfigError {}

/// A mistake at a line, before the file's name is added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    line: Option<usize>,
    what: String,
    cure: String,
}

impl Fault {
    /// At a line, from 1.
    pub(super) fn at(line: usize, what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self {
            line: Some(line),
            what: what.into(),
            cure: cure.into(),
        }
    }

    /// Of the file as a whole.
    pub(super) fn whole(what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self {
            line: None,
            what: what.into(),
            cure: cure.into(),
        }
    }
}

/// Longest part of an error, characters: what it cites may be long.
const MOST: usize = 200;

/// Control characters become blanks; cut off where it gets too long.
fn one_line(text: &str) -> String {
    let mut characters = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut line: String = characters.by_ref().take(MOST).collect();
    if characters.next().is_some() {
        line.push('…');
    }
    line
}
