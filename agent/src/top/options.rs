//! The command line of `top`.

use std::time::Duration;

use clap::Args;

use super::{columns::View, filter::Filter};

/// Shortest cycle `top` asks for.
const SHORTEST: Duration = Duration::from_millis(200);
/// Longest cycle `top` asks for.
const LONGEST: Duration = Duration::from_secs(3600);

/// Live view of processes, and of who connects, listens, waits, fails and loses.
#[derive(Args, Clone, Debug)]
pub struct TopOptions {
    /// What to list first; on the screen the keys in the tabs switch
    #[arg(long, value_enum, default_value_t)]
    pub view: View,

    /// Column to sort by, e.g. cpu, mem, p95, sent; a wrong name lists them all
    #[arg(long, value_name = "COLUMN")]
    pub sort: Option<String>,

    /// Time between two cycles, at least 0.2
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = interval)]
    pub interval: Duration,

    /// Show only lines that contain TEXT, in any case; A|B is either
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub filter: String,

    /// Print plain text, for pipes and files
    #[arg(long, short)]
    pub batch: bool,

    /// Print one JSON object per line and cycle
    #[arg(long)]
    pub json: bool,

    /// End after this many cycles; until interrupted without it
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub iterations: Option<u64>,
}

impl TopOptions {
    /// Position and direction of the column to sort by.
    ///
    /// # Errors
    /// When the view has no column of that name; the message lists those it has.
    pub fn sorting(&self) -> anyhow::Result<(usize, bool)> {
        let table = self.view.table();
        let name = self.sort.as_deref().unwrap_or(table.sort);
        let position = table.position(&name.to_lowercase());
        let found = position.and_then(|at| Some((at, table.columns.get(at)?.descending_first())));
        found.ok_or_else(|| {
            anyhow::anyhow!(
                "no column {name:?} in view {}: use one of {}",
                table.title.to_lowercase(),
                table.ids()
            )
        })
    }

    /// The lines wanted.
    pub fn filter(&self) -> Filter {
        Filter::new(self.filter.clone())
    }

    /// Whether the screen is used.
    pub fn interactive(&self) -> bool {
        !self.batch && !self.json
    }
}

/// Seconds, with an `s` if one likes.
fn interval(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix('s').unwrap_or(text);
    let seconds: f64 = number
        .parse()
        .map_err(|_| "give seconds, such as 2 or 0.5".to_string())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(interval) if (SHORTEST..=LONGEST).contains(&interval) => Ok(interval),
        _ => Err("give 0.2 to 3600 seconds".into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        top: TopOptions,
    }

    fn parse(words: &[&str]) -> Result<TopOptions, clap::Error> {
        let line = std::iter::once(&"top").chain(words);
        Line::try_parse_from(line).map(|line| line.top)
    }

    #[test]
    fn defaults_and_every_flag() {
        let options = parse(&[]).unwrap();
        assert_eq!(options.interval, Duration::from_secs(2));
        assert!(options.interactive());
        let options = parse(&[
            "--view",
            "peers",
            "--sort",
            "P99",
            "--interval",
            "0.5",
            "--filter",
            "db",
            "-b",
            "-n",
            "3",
        ])
        .unwrap();
        assert_eq!(options.view, View::Peers);
        assert_eq!(options.interval, Duration::from_millis(500));
        assert_eq!(options.iterations, Some(3));
        assert!(!options.interactive());
        let (column, descending) = options.sorting().unwrap();
        assert_eq!(View::Peers.table().columns[column].id, "p99");
        assert!(descending);
    }

    #[test]
    fn nonsense_is_named_with_its_cure() {
        for words in [
            ["--interval", "0.1"],
            ["--interval", "x"],
            ["--interval", "NaN"],
            ["--interval", "-1"],
            ["--view", "tapes"],
            ["-n", "0"],
        ] {
            assert!(parse(&words).is_err(), "{words:?}");
        }
        let error = parse(&["--sort", "p95"]).unwrap().sorting().unwrap_err();
        assert!(error.to_string().contains("cpu"), "{error}");
    }
}
