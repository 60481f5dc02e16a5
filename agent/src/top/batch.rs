//! Plain text for pipes: every line, every column, nothing cut.

use std::{
    collections::HashSet,
    fmt::Write as _,
    io::{self, Write, stdout},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;

use crate::model::Snapshot;

use super::{
    Feed,
    human::Unit,
    json,
    notice::{Cure, notice},
    options::TopOptions,
    overview, rows,
    terminal::Ending,
    text,
};

/// How long a signal may wait to be seen.
const TICK: Duration = Duration::from_millis(200);

/// Prints snapshots until enough were printed, a signal comes or nobody reads any more.
pub fn run(options: &TopOptions, feed: &mut dyn Feed) -> anyhow::Result<()> {
    options.sorting()?;
    let ending = Ending::on_signals()?;
    match print(options, feed, &ending, &mut stdout().lock()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write"),
    }
}

fn print(
    options: &TopOptions,
    feed: &dyn Feed,
    ending: &Ending,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut printed = 0;
    let mut sequence = 0;
    while options.iterations.is_none_or(|wanted| printed < wanted) && !ending.signalled() {
        let Some(snapshot) = feed.wait_newer(sequence, TICK) else {
            continue;
        };
        sequence = snapshot.sequence;
        if snapshot.interval.is_zero() {
            // Nothing to compare with yet: all rates would be zero.
            continue;
        }
        out.write_all(page(options, &snapshot, printed == 0).as_bytes())?;
        out.flush()?;
        printed += 1;
    }
    Ok(())
}

fn page(options: &TopOptions, snapshot: &Arc<Snapshot>, first: bool) -> String {
    if options.json {
        let mut line = json::line(options, snapshot);
        line.push('\n');
        return line;
    }
    let gap = if first { "" } else { "\n" };
    format!("{gap}{}", render(options, snapshot))
}

/// One snapshot as text.
pub fn render(options: &TopOptions, snapshot: &Snapshot) -> String {
    let mut out = String::new();
    for figure in overview::host(&snapshot.host) {
        let _ = write!(out, "{} {}   ", figure.name, figure.text);
    }
    out.truncate(out.trim_end().len());
    let _ = writeln!(out, "\n{}", overview::agent(snapshot).join("  "));
    if let Some(notice) = notice(&snapshot.own, Cure::here()) {
        let _ = writeln!(out, "{notice}");
    }
    let table = options.view.table();
    // Checked before the first cycle.
    let (sort, descending) = options.sorting().unwrap_or((0, false));
    let filter = options.filter();
    let rows = rows::build(
        snapshot,
        &rows::Query {
            view: options.view,
            sort,
            descending,
            filter: &filter,
            expanded: &HashSet::new(),
        },
    );
    let mut lines: Vec<String> = vec![String::new(); rows.len() + 1];
    for (index, column) in table.columns.iter().enumerate() {
        let left = column.unit == Unit::Text;
        let values: Vec<_> = rows.iter().map(|row| (column.value)(row.item)).collect();
        let cells: Vec<_> = values.iter().map(|value| value.show(column.unit)).collect();
        let widest = cells
            .iter()
            .map(|cell| text::width(cell))
            .max()
            .unwrap_or(0);
        let width = widest.max(column.header.len());
        let header = std::iter::once(column.header);
        let cells = header.chain(cells.iter().map(AsRef::as_ref));
        for (line, cell) in lines.iter_mut().zip(cells) {
            if index > 0 {
                line.push_str("  ");
            }
            line.push_str(&text::pad(cell, width, !left));
        }
    }
    for line in lines {
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
