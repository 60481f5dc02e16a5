//! Times between two truths: what a server says it took, and what its client says it waited. What
//! is measured on the way between the two lies between, however late a busy host wakes them.

use crate::{
    response::{BUCKET, COMPARED, Row},
    scrape::Scrape,
    tcp_truth::quantile,
};

/// Two truths of the same turns, seconds, ascending.
#[derive(Clone, Debug, Default)]
pub struct Bracket {
    /// None of a turn is longer than it was.
    pub least: Vec<f64>,
    /// None is shorter.
    pub most: Vec<f64>,
}

impl Bracket {
    /// From times in any order.
    pub fn new(least: impl IntoIterator<Item = f64>, most: impl IntoIterator<Item = f64>) -> Self {
        Self {
            least: ascending(least),
            most: ascending(most),
        }
    }

    /// With so many more turns, of which no more is known than that they are shorter than most.
    pub fn with_short(self, turns: usize) -> Self {
        let short = || std::iter::repeat_n(0.0, turns);
        Self::new(short().chain(self.least), short().chain(self.most))
    }

    /// Whether the agent's quantiles lie between the two, within one bucket.
    ///
    /// # Errors
    /// The first that does not.
    pub fn holds(&self, scrape: &Scrape, row: &Row, family: &str) -> Result<(), String> {
        for q in COMPARED {
            let read = row.quantile(scrape, family, q)?;
            let rank = q.parse().expect("a number");
            let (least, most) = (quantile(&self.least, rank), quantile(&self.most, rank));
            let words = format!("{family} q{q}: {read:.6} s, truth {least:.6} to {most:.6} s");
            println!("{words}  {row:?}");
            if !within_bucket(read, least, most) {
                return Err(format!("{words} of {row:?}"));
            }
        }
        Ok(())
    }
}

/// Whether a time lies between two, within one bucket.
pub fn within_bucket(read: f64, least: f64, most: f64) -> bool {
    (least / BUCKET.exp2()..=most * BUCKET.exp2()).contains(&read)
}

/// Times in ascending order.
pub fn ascending(times: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut all: Vec<f64> = times.into_iter().collect();
    all.sort_by(f64::total_cmp);
    all
}
