//! A few passes in two figures.

/// The figure of each pass.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// Adds a pass.
    pub fn push(&mut self, figure: f64) {
        self.0.push(figure);
    }

    /// Lowest; 0 without a pass.
    pub fn min(&self) -> f64 {
        self.sorted().first().copied().unwrap_or_default()
    }

    /// How far the middle half of the passes spreads; 0 without a pass.
    pub fn spread(&self) -> f64 {
        let sorted = self.sorted();
        let last = sorted.len().saturating_sub(1);
        let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
        at(last - last / 4) - at(last / 4)
    }

    /// The one in the middle; 0 without a pass.
    pub fn median(&self) -> f64 {
        let sorted = self.sorted();
        let middle = |offset: usize| {
            let index = (sorted.len() + offset).checked_sub(1)? / 2;
            sorted.get(index).copied()
        };
        (middle(0).or_else(|| middle(1)).unwrap_or_default() + middle(1).unwrap_or_default()) / 2.0
    }

    /// Each pass of `self` beside the same pass of `other`.
    pub fn zip(&self, other: &Self, join: impl Fn(f64, f64) -> f64) -> Self {
        let pairs = self.0.iter().zip(&other.0);
        Self(pairs.map(|(a, b)| join(*a, *b)).collect())
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

#[cfg(test)]
mod tests {
    use super::Samples;

    #[test]
    fn one_outlier_is_no_spread() {
        let samples = Samples(vec![2.0, 900.0, 1.0, 3.0, 4.0]);
        assert_eq!(samples.spread(), 2.0);
        assert_eq!(Samples(vec![7.0]).spread(), 0.0);
        assert_eq!(Samples::default().spread(), 0.0);
    }

    #[test]
    fn the_middle_of_odd_and_even() {
        assert_eq!(Samples(vec![3.0, 1.0, 2.0]).median(), 2.0);
        assert_eq!(Samples(vec![4.0, 1.0, 2.0, 3.0]).median(), 2.5);
        assert_eq!(Samples(vec![7.0]).median(), 7.0);
        assert_eq!(Samples::default().median(), 0.0);
    }
}
