//! What a configuration file says, read strictly: what is not understood is refused.

use std::path::Path;

use regex::RegexBuilder;

use super::{
    error::{ConfigError, Fault},
    files,
    node::{self, Entry, Node, Value},
    pattern::Pattern,
    rule::{Rule, Rules},
    template::{Fact, Template},
    value::{self, text, unknown},
};
use crate::model::OTHER;

/// Most rules: each is asked about each process once.
const MOST_RULES: usize = 1000;
/// Memory of one compiled regular expression, bytes.
const REGEX_BYTES: usize = 1 << 20;
/// Bytes of a command name that the kernel keeps (`TASK_COMM_LEN` - 1).
const COMM_BYTES: usize = 15;

/// The one key at the top.
const RULES: &str = "process_rules";
const CONDITIONS: &str = "comm, exe, cmdline, user or unit";

/// Reads the file at `path`.
///
/// # Errors
/// It cannot be read, or says something that is not understood: the first mistake with its line
/// and the cure.
pub fn load(path: &Path) -> Result<Rules, ConfigError> {
    files::text(path, "--config")
        .and_then(|text| parse(&text))
        .map_err(|fault| ConfigError::new(path, fault))
}

/// Reads rules from text.
pub(super) fn parse(text: &str) -> Result<Rules, Fault> {
    let Some(root) = node::parse(text)? else {
        return Ok(Rules::default());
    };
    let line = root.line;
    let Value::Map(entries) = root.value else {
        return Err(Fault::at(
            line,
            format!("the file is {}", root.value.kind()),
            format!("begin with {RULES}:"),
        ));
    };
    let mut rules = Vec::new();
    for entry in entries {
        if entry.key != RULES {
            return Err(unknown(&entry, "at the top", RULES));
        }
        rules = items(&entry)?
            .iter()
            .map(rule)
            .collect::<Result<Vec<_>, _>>()?;
        if rules.len() > MOST_RULES {
            return Err(Fault::at(
                entry.line,
                format!("{} rules are more than {MOST_RULES}", rules.len()),
                "let one rule match several with * or a regular expression",
            ));
        }
    }
    Ok(Rules { rules })
}

fn items(entry: &Entry) -> Result<&[Node], Fault> {
    value::list(
        entry,
        "write a list: each rule begins with - in a line of its own",
    )
}

fn rule(node: &Node) -> Result<Rule, Fault> {
    let Value::Map(entries) = &node.value else {
        return Err(Fault::at(
            node.line,
            format!("a rule is {}", node.value.kind()),
            "write - name: NAME and the conditions below it",
        ));
    };
    let (mut comm, mut user, mut unit, mut exe) = (vec![], vec![], vec![], vec![]);
    let (mut name, mut cmdline) = (None, None);
    for entry in entries {
        match entry.key.as_str() {
            "name" => name = Some((entry.value.line, text(entry)?)),
            "comm" => comm = commands(entry)?,
            "user" => user = patterns(entry)?,
            "unit" => unit = patterns(entry)?,
            "exe" => exe = patterns(entry)?,
            "cmdline" => cmdline = Some(regex(entry)?),
            _ => return Err(unknown(entry, "in a rule", &format!("name, {CONDITIONS}"))),
        }
    }
    let Some((line, text)) = name else {
        return Err(Fault::at(
            node.line,
            "the rule has no name",
            "add name: what the processes are to be called",
        ));
    };
    if entries.len() < 2 {
        return Err(Fault::at(
            node.line,
            format!("the rule {text} has no condition and would take every process"),
            format!("add {CONDITIONS} (comm: '*' if that is meant)"),
        ));
    }
    let groups: Vec<Option<&str>> = cmdline
        .as_ref()
        .map(|regex| regex.capture_names().collect())
        .unwrap_or_default();
    let name =
        Template::parse(text, &groups).map_err(|(what, cure)| Fault::at(line, what, cure))?;
    if let Some(constant) = name.constant() {
        check_constant(line, constant)?;
    }
    Ok(Rule {
        name,
        comm,
        user,
        unit,
        exe,
        cmdline,
    })
}

fn check_constant(line: usize, name: &str) -> Result<(), Fault> {
    if name.trim().is_empty() {
        return Err(Fault::at(
            line,
            "the name is empty",
            "write what the processes are to be called",
        ));
    }
    if name.trim() == OTHER {
        return Err(Fault::at(
            line,
            format!("{OTHER} is the name of all groups beyond the budget"),
            "choose another name",
        ));
    }
    Ok(())
}

/// One text or a list of them.
fn patterns(entry: &Entry) -> Result<Vec<Pattern>, Fault> {
    Ok(texts(entry)?
        .into_iter()
        .map(|(_, text)| Pattern::new(text))
        .collect())
}

fn texts(entry: &Entry) -> Result<Vec<(usize, &str)>, Fault> {
    let Value::List(items) = &entry.value.value else {
        return text(entry).map(|text| vec![(entry.value.line, text)]);
    };
    if items.is_empty() {
        return Err(Fault::at(
            entry.line,
            format!("{} is an empty list and never holds", entry.key),
            "put something in, or leave the line out",
        ));
    }
    value::texts(entry, items)
}

/// Command names, which the kernel cuts off: a longer one could never be found.
fn commands(entry: &Entry) -> Result<Vec<Pattern>, Fault> {
    for (line, text) in texts(entry)? {
        let longest = text.split('*').map(str::len).sum::<usize>();
        if longest > COMM_BYTES {
            let fits = |(at, c): &(usize, char)| at + c.len_utf8() <= COMM_BYTES;
            let kept = text.char_indices().take_while(fits).map(|(_, c)| c);
            return Err(Fault::at(
                line,
                format!("comm {text} is never found: the kernel keeps {COMM_BYTES} bytes"),
                format!(
                    "write {}, or match by exe or cmdline",
                    kept.collect::<String>()
                ),
            ));
        }
    }
    patterns(entry)
}

fn regex(entry: &Entry) -> Result<regex::Regex, Fault> {
    let text = text(entry)?;
    let line = entry.value.line;
    let regex = RegexBuilder::new(text)
        .size_limit(REGEX_BYTES)
        .dfa_size_limit(REGEX_BYTES)
        .build()
        .map_err(|error| {
            let (what, cure) = match &error {
                regex::Error::CompiledTooBig(_) => (
                    "it takes more than 1 MiB".to_owned(),
                    "use smaller repetitions",
                ),
                _ => (
                    reason(&error.to_string()),
                    "see docs.rs/regex for the syntax; put it between single quotes",
                ),
            };
            Fault::at(
                line,
                format!("cmdline is no regular expression: {what}"),
                cure,
            )
        })?;
    for group in regex.capture_names().flatten() {
        if Fact::named(group).is_some() {
            return Err(Fault::at(
                line,
                format!("the group {group} has the name of something that every rule can use"),
                "give the group another name",
            ));
        }
    }
    Ok(regex)
}

/// The last line of the regex crate's message, which draws a picture above it.
fn reason(message: &str) -> String {
    let last = message.lines().next_back().unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}
