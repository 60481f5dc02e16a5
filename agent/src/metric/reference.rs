//! The table for people: the output of `hostlens metrics`, and `docs/metrics.md`.

use std::fmt::Write;

use super::{AreaVisitor, Desc, PREFIX, Row, visit_areas};

/// The families of one kind of row.
#[derive(Clone, Debug)]
pub struct Area {
    /// Heading.
    pub title: &'static str,
    /// Labels that identify a row.
    pub labels: &'static [&'static str],
    /// When some of them are there; empty if they always are.
    pub note: &'static str,
    /// Families, in the order of the exposition.
    pub families: Vec<&'static Desc>,
}

/// All families by area, in the order of the exposition.
pub fn areas() -> Vec<Area> {
    struct List(Vec<Area>);

    impl AreaVisitor for List {
        fn area<R: Row>(&mut self) {
            self.0.push(Area {
                title: R::AREA,
                labels: R::LABELS,
                note: R::NOTE,
                families: R::FAMILIES.iter().map(|family| &family.desc).collect(),
            });
        }
    }

    let mut list = List(Vec::new());
    visit_areas(&mut list);
    list.0
}

/// All families for a terminal: name with labels and type, then help and source.
pub fn listing() -> String {
    let mut text = String::new();
    for area in areas() {
        let blank = if text.is_empty() { "" } else { "\n" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{blank}{}", area.title);
        for desc in area.families {
            let labels: Vec<&str> = area.labels.iter().chain(desc.labels).copied().collect();
            let labels = match labels.as_slice() {
                [] => String::new(),
                labels => format!("{{{}}}", labels.join(",")),
            };
            let _ = writeln!(
                text,
                "  {PREFIX}{}{labels} {}\n      {}\n      from {}",
                desc.name,
                desc.kind.name(),
                desc.help,
                desc.source,
            );
        }
    }
    text
}

/// All families in Markdown: the text of `docs/metrics.md`.
pub fn reference() -> String {
    let mut text = String::from(INTRODUCTION);
    for area in areas() {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n## {}\n\n", area.title);
        if !area.labels.is_empty() {
            let _ = write!(
                text,
                "Every family has the labels {}.{}{}\n\n",
                code_list(area.labels),
                if area.note.is_empty() { "" } else { " " },
                area.note,
            );
        }
        text.push_str(
            "| name | type | unit | labels | help | source |\n|---|---|---|---|---|---|\n",
        );
        for desc in area.families {
            let _ = writeln!(
                text,
                "| `{PREFIX}{}` | {} | {} | {} | {} | {} |",
                desc.name,
                desc.kind.name(),
                desc.unit.name().unwrap_or_default(),
                code_list(desc.labels),
                cell(desc.help),
                cell(desc.source),
            );
        }
    }
    text
}

const INTRODUCTION: &str = "\
# Metrics

Generated from the table in `agent/src/metric/` by `cargo xtask docs`; `hostlens metrics` prints the
same list for a terminal.

- A label whose value is empty is left out. A value that could not be measured is left out: no
  family shows 0 for something unknown.
- Label sets beyond a budget are summed up under the value `other`.
- Histograms are native (schema 3) in the protobuf format and have classic buckets at the powers of
  two of a second from 2^-13 to 2^3 in every format.
- Within one appearance of a label set a counter never goes down. It is shown as 0 until every
  scraper seen in the last 10 minutes has been served that once, at most 2 minutes, so that
  `rate()` and `increase()` see the first increment.
";

fn code_list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// Text that stays within its table cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
