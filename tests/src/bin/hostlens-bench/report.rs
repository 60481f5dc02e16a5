//! The table.

use super::stats::Samples;

/// What became of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Reached.
    Met,
    /// Missed.
    NotMet,
    /// Cannot be told here, and why.
    Unknown(String),
    /// A figure without a target.
    Info,
}

impl Verdict {
    /// Met if so.
    pub fn of(met: bool) -> Self {
        if met { Self::Met } else { Self::NotMet }
    }

    fn text(&self) -> String {
        match self {
            Self::Met => "met".into(),
            Self::NotMet => "**not met**".into(),
            Self::Unknown(why) => format!("not measurable here: {why}"),
            Self::Info => String::new(),
        }
    }
}

/// One line.
#[derive(Clone, Debug)]
struct Row {
    setting: String,
    what: String,
    figure: String,
    target: String,
    verdict: Verdict,
}

/// Lines so far.
#[derive(Debug, Default)]
pub struct Report(Vec<Row>);

impl Report {
    /// A figure without a target.
    pub fn info(&mut self, setting: &str, what: &str, figure: impl Into<String>) {
        self.judged(setting, what, figure, "", Verdict::Info);
    }

    /// A figure and what it was to be.
    pub fn judged(
        &mut self,
        setting: &str,
        what: &str,
        figure: impl Into<String>,
        target: &str,
        verdict: Verdict,
    ) {
        let row = Row {
            setting: setting.into(),
            what: what.into(),
            figure: figure.into(),
            target: target.into(),
            verdict,
        };
        eprintln!("  {}: {} {}", row.what, row.figure, row.verdict.text());
        self.0.push(row);
    }

    /// Something that could not be measured, and why.
    pub fn unknown(&mut self, setting: &str, what: &str, target: &str, why: impl Into<String>) {
        self.judged(setting, what, "", target, Verdict::Unknown(why.into()));
    }

    /// CPU time per pass.
    pub fn millis(&mut self, setting: &str, what: &str, samples: &Samples) {
        self.info(setting, what, millis(samples));
    }

    /// Whether some target was missed.
    pub fn missed(&self) -> usize {
        let missed = |row: &&Row| row.verdict == Verdict::NotMet;
        self.0.iter().filter(missed).count()
    }

    /// The table, in Markdown.
    pub fn print(&self) {
        let head = ["load", "what", "figure", "target", "verdict"].map(String::from);
        let rows: Vec<[String; 5]> = std::iter::once(head)
            .chain(self.0.iter().map(|row| {
                [
                    row.setting.clone(),
                    row.what.clone(),
                    row.figure.clone(),
                    row.target.clone(),
                    row.verdict.text(),
                ]
            }))
            .collect();
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or_default()
        };
        let widths: [usize; 5] = std::array::from_fn(width);
        for (number, row) in rows.iter().enumerate() {
            let cells = row.iter().zip(widths);
            let line: Vec<String> = cells
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            println!("| {} |", line.join(" | "));
            if number == 0 {
                println!("|{}|", widths.map(|width| "-".repeat(width + 2)).join("|"));
            }
        }
    }
}

/// `median (min …) ms`.
pub fn millis(samples: &Samples) -> String {
    format!(
        "{} ms (min {})",
        short(samples.median()),
        short(samples.min())
    )
}

/// Three digits that mean something.
pub fn short(figure: f64) -> String {
    match figure.abs() {
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}
