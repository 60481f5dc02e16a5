//! YAML as a tree of texts, lists and maps that remember their lines.
//!
//! Only what a file written by hand needs: one document, no anchors, aliases or tags; nothing is
//! taken for a number or a truth value.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::error::Fault;

/// Nesting of lists and maps; ours needs four.
const DEEPEST: usize = 16;

/// A value and where it begins.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Line, from 1.
    pub(super) line: usize,
    /// The value.
    pub(super) value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Nothing, `~` or `null`.
    Nothing,
    Text(String),
    List(Vec<Node>),
    /// In the order of the file, without duplicates.
    Map(Vec<Entry>),
}

/// A key of a map and its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Line of the key, from 1.
    pub(super) line: usize,
    pub(super) key: String,
    pub(super) value: Node,
}

impl Value {
    /// What it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

/// A list or map that has begun.
struct Open {
    line: usize,
    what: Collection,
}

enum Collection {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        key: Option<(usize, String)>,
    },
}

impl Open {
    fn take(&mut self, node: Node) -> Result<(), Fault> {
        match &mut self.what {
            Collection::List(items) => items.push(node),
            Collection::Map { entries, key } => match key.take() {
                Some((line, key)) => entries.push(Entry {
                    line,
                    key,
                    value: node,
                }),
                None => *key = Some(key_of(node, entries)?),
            },
        }
        Ok(())
    }

    fn close(self) -> Node {
        Node {
            line: self.line,
            value: match self.what {
                Collection::List(items) => Value::List(items),
                Collection::Map { entries, .. } => Value::Map(entries),
            },
        }
    }
}

fn key_of(node: Node, entries: &[Entry]) -> Result<(usize, String), Fault> {
    let Value::Text(key) = node.value else {
        return Err(Fault::at(
            node.line,
            format!("the key before : is {}", node.value.kind()),
            "write KEY: VALUE, the key being a word",
        ));
    };
    if let Some(first) = entries.iter().find(|entry| entry.key == key) {
        return Err(Fault::at(
            node.line,
            format!("{key} is given again, first in line {}", first.line),
            "leave one out, or write a list: [A, B]",
        ));
    }
    Ok((node.line, key))
}

/// Reads a document. `None` if there is nothing but comments.
pub(super) fn parse(text: &str) -> Result<Option<Node>, Fault> {
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| syntax(&error))?;
        let line = line_of(span);
        let node = match event {
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    return Err(Fault::at(
                        line,
                        "a second document begins here",
                        "write one document, without --- between",
                    ));
                }
                continue;
            }
            Event::Alias(_) => {
                return Err(Fault::at(
                    line,
                    "aliases (*name) are not understood",
                    "write the value out, or quote a text that begins with *",
                ));
            }
            Event::Scalar(_, _, _, Some(tag))
            | Event::SequenceStart(_, Some(tag))
            | Event::MappingStart(_, Some(tag)) => {
                return Err(Fault::at(
                    line,
                    format!("the tag {tag} is not understood"),
                    "leave it out, or quote a text that begins with !",
                ));
            }
            Event::SequenceStart(..) => {
                push(&mut open, line, Collection::List(Vec::new()))?;
                continue;
            }
            Event::MappingStart(..) => {
                let map = Collection::Map {
                    entries: Vec::new(),
                    key: None,
                };
                push(&mut open, line, map)?;
                continue;
            }
            Event::Scalar(text, style, ..) => scalar(line, &text, style),
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(done) => done.close(),
                None => continue,
            },
            _ => continue,
        };
        match open.last_mut() {
            Some(parent) => parent.take(node)?,
            None => root = Some(node),
        }
    }
    Ok(root.filter(|node| !matches!(node.value, Value::Nothing)))
}

fn push(open: &mut Vec<Open>, line: usize, what: Collection) -> Result<(), Fault> {
    if open.len() >= DEEPEST {
        return Err(Fault::at(
            line,
            format!("lists and maps are nested more than {DEEPEST} deep"),
            "leave out [ or { that should be quoted text",
        ));
    }
    open.push(Open { line, what });
    Ok(())
}

fn scalar(line: usize, text: &str, style: ScalarStyle) -> Node {
    let nothing = style == ScalarStyle::Plain && matches!(text, "" | "~" | "null");
    Node {
        line,
        value: if nothing {
            Value::Nothing
        } else {
            Value::Text(text.to_owned())
        },
    }
}

fn line_of(span: Span) -> usize {
    span.start.line()
}

fn syntax(error: &ScanError) -> Fault {
    Fault::at(
        error.marker().line(),
        format!("not YAML: {}", error.info()),
        "check indentation (blanks, no tabs) and quotes",
    )
}
