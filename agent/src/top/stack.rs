//! What a time is made of: a bar whose parts say who took it.

use super::human;

/// From this share on a part is to blame for the whole.
pub const CLEAR: f64 = 0.8;

/// Who took a part of the time from a question to its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The way there and back.
    Network,
    /// The other end, of a connection opened from here.
    Peer,
    /// This end, of a connection accepted here: waiting and serving together.
    Here,
    /// A question that has arrived and is not read yet.
    Wait,
    /// The application, from reading the question to the first byte of its answer.
    Serve,
}

impl Part {
    /// One word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Peer => "peer",
            Self::Here => "here",
            Self::Wait => "wait",
            Self::Serve => "serve",
        }
    }
}

/// Parts of one time, in the order in which they pass. Seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stack {
    parts: [(Part, f64); 3],
    count: usize,
}

impl Stack {
    /// The way and one end.
    pub fn two(parts: [(Part, f64); 2]) -> Self {
        let [first, second] = parts;
        Self {
            parts: [first, second, (second.0, 0.0)],
            count: 2,
        }
    }

    /// The way and both things that happen at one end.
    pub fn three(parts: [(Part, f64); 3]) -> Self {
        Self { parts, count: 3 }
    }

    /// The parts.
    pub fn parts(&self) -> impl Iterator<Item = (Part, f64)> {
        self.parts.into_iter().take(self.count)
    }

    /// All of it.
    pub fn total(&self) -> f64 {
        self.parts().map(|(_, seconds)| seconds).sum()
    }

    /// Share of one part, 0 to 1; `None` of nothing.
    pub fn share(&self, of: Part) -> Option<f64> {
        let total = self.total();
        let mut parts = self.parts();
        let (_, seconds) = parts.find(|(part, _)| *part == of)?;
        (total > 0.0).then(|| seconds / total)
    }

    /// The largest part and its share; `None` of nothing.
    pub fn largest(&self) -> Option<(Part, f64)> {
        let (part, _) = self
            .parts()
            .max_by(|(_, left), (_, right)| left.total_cmp(right))?;
        Some((part, self.share(part)?))
    }

    /// The part that is to blame, if one clearly is.
    pub fn blame(&self) -> Option<Part> {
        let (part, share) = self.largest()?;
        (share >= CLEAR).then_some(part)
    }

    /// Cells of each part in a bar of `width`: they add up to it, or are none of nothing. What is
    /// there by half a cell or more is seen.
    pub fn cells(&self, width: usize) -> impl Iterator<Item = (Part, usize)> {
        let total = self.total();
        let mut passed = 0.0;
        let mut drawn = 0;
        self.parts().map(move |(part, seconds)| {
            passed += seconds;
            let until = if total > 0.0 {
                (passed / total * width as f64).round() as usize
            } else {
                0
            };
            let cells = until.min(width).saturating_sub(drawn);
            drawn += cells;
            (part, cells)
        })
    }

    /// `network:97%,peer:3%`; `-` of nothing.
    pub fn words(&self) -> String {
        let share = |(part, _): (Part, f64)| {
            let share = self.share(part)?;
            Some(format!("{}:{:.0}%", part.name(), share * 100.0))
        };
        let words: Vec<String> = self.parts().filter_map(share).collect();
        if words.is_empty() {
            "-".to_owned()
        } else {
            words.join(",")
        }
    }

    /// `147ms network, 5.10ms peer`.
    pub fn spelled(&self, name: fn(Part) -> &'static str) -> String {
        let parts = self
            .parts()
            .map(|(part, seconds)| format!("{} {}", human::latency(seconds), name(part)));
        parts.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_always_full_and_in_order() {
        for width in 0..40 {
            for network in 0..12 {
                for wait in 0..12 {
                    let stack = Stack::three([
                        (Part::Network, f64::from(network)),
                        (Part::Wait, f64::from(wait)),
                        (Part::Serve, 1.5),
                    ]);
                    let cells: Vec<_> = stack.cells(width).collect();
                    let sum: usize = cells.iter().map(|(_, cells)| cells).sum();
                    assert_eq!(sum, width);
                    for ((part, cells), (_, seconds)) in cells.iter().zip(stack.parts()) {
                        let exact = seconds / stack.total() * width as f64;
                        assert!((exact - *cells as f64).abs() <= 1.0, "{part:?}");
                    }
                }
            }
        }
        let nothing = Stack::two([(Part::Network, 0.0), (Part::Peer, 0.0)]);
        assert!(nothing.cells(10).all(|(_, cells)| cells == 0));
        assert_eq!(nothing.words(), "-");
        assert_eq!(nothing.largest(), None);
    }

    #[test]
    fn blame_needs_a_clear_share() {
        let stack =
            |network, peer| Stack::two([(Part::Network, network), (Part::Peer, peer)]).blame();
        assert_eq!(stack(0.145, 0.005), Some(Part::Network));
        assert_eq!(stack(0.05, 0.95), Some(Part::Peer));
        assert_eq!(stack(0.5, 0.5), None);
        assert_eq!(stack(0.75, 0.25), None);
        assert_eq!(stack(0.0, 0.0), None);
    }

    #[test]
    fn in_words() {
        let stack = Stack::two([(Part::Network, 0.147), (Part::Peer, 0.0051)]);
        assert_eq!(stack.words(), "network:97%,peer:3%");
        assert_eq!(stack.spelled(Part::name), "147ms network, 5.10ms peer");
        assert_eq!(stack.share(Part::Serve), None);
    }
}
