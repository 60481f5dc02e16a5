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
    alert::{alerts, line},
    json,
    notice::{Cure, notice},
    options::TopOptions,
    overview, rows,
    terminal::Ending,
    text, watch,
};

/// How long a signal may wait to be seen.
const TICK: Duration = Duration::from_millis(200);

/// Prints snapshots until enough were printed, a signal comes or nobody reads any more.
pub fn run(options: &TopOptions, feed: &mut dyn Feed) -> anyhow::Result<()> {
    options.sorting()?;
    let ending = Ending::on_signals()?;
    ended(print(options, feed, &ending, &mut stdout().lock()))
}

/// Nobody reading any more is a usual end.
fn ended(result: io::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to standard output"),
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
    if let Some(watch) = watch::line(snapshot, false) {
        let _ = writeln!(out, "{watch}");
    }
    let alerts = alerts(snapshot);
    if !alerts.is_empty() {
        let _ = writeln!(out, "{}", line(&alerts, usize::MAX, ""));
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
        let left = column.unit.is_text();
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::cell::Cell;

    use crate::top::tests::{fixture, session};

    use super::*;

    /// One more cycle each time it is asked; the first has no rates.
    struct Counting(Cell<u64>);

    impl Feed for Counting {
        fn latest(&self) -> Option<Arc<Snapshot>> {
            None
        }

        fn wait_newer(&self, sequence: u64, _: Duration) -> Option<Arc<Snapshot>> {
            assert_eq!(sequence, self.0.get());
            self.0.set(sequence + 1);
            let mut snapshot = fixture::host();
            snapshot.sequence = sequence + 1;
            if sequence == 0 {
                snapshot.interval = Duration::ZERO;
            }
            Some(Arc::new(snapshot))
        }
    }

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn as_many_as_wanted_and_none_without_rates() {
        for json in [false, true] {
            let mut options = session::options();
            options.iterations = Some(3);
            options.json = json;
            let feed = Counting(Cell::new(0));
            let mut out = Vec::new();
            print(&options, &feed, &Ending::default(), &mut out).unwrap();
            assert_eq!(feed.0.get(), 4);
            let text = String::from_utf8(out).unwrap();
            if json {
                let sequences: Vec<u64> = text
                    .lines()
                    .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
                    .filter_map(|object| object["sequence"].as_u64())
                    .collect();
                assert_eq!(sequences, [2, 3, 4]);
            } else {
                assert_eq!(text.matches("PROCESS").count(), 3);
            }
        }
    }

    #[test]
    fn a_closed_pipe_ends_it_quietly() {
        let feed = Counting(Cell::new(0));
        let result = print(&session::options(), &feed, &Ending::default(), &mut Closed);
        assert!(ended(result).is_ok());
        let full = Err(io::ErrorKind::StorageFull.into());
        assert!(ended(full).is_err());
    }
}
