//! The last minutes of each line, for the sparkline of the selected one.

use std::{collections::VecDeque, time::Duration};

use rustc_hash::FxHashMap;

use crate::model::Snapshot;

use super::{
    columns::View,
    item::{Item, RowKey},
};

/// How far back it reaches.
pub const SPAN: Duration = Duration::from_secs(180);
/// Lines remembered per view; those first in the snapshot come first, they are the heaviest.
const LINES: usize = 4096;
/// Cycles a line may be missing before its past is forgotten.
const PATIENCE: u64 = 5;

/// The past of every line, newest sample last.
#[derive(Default)]
pub struct History {
    views: [FxHashMap<RowKey, Track>; View::ALL.len()],
    samples: usize,
    sequence: u64,
    observed: usize,
}

/// The past of one line: a ring for each tracked column of its view; NaN where there was no value.
struct Track {
    rings: [VecDeque<f32>; 2],
    seen: u64,
}

impl History {
    /// A history for cycles of this length.
    pub fn new(interval: Duration) -> Self {
        let samples = SPAN.as_secs_f64() / interval.as_secs_f64().max(0.05);
        Self {
            samples: (samples as usize).clamp(30, 600),
            ..Self::default()
        }
    }

    /// Takes a snapshot in; one already taken is ignored. `selected` is remembered even where
    /// there is no room for others.
    pub fn observe(&mut self, snapshot: &Snapshot, selected: Option<&RowKey>) {
        if snapshot.sequence <= self.sequence {
            return;
        }
        self.sequence = snapshot.sequence;
        self.observed += 1;
        for (view, tracks) in View::ALL.into_iter().zip(&mut self.views) {
            let table = view.table();
            let columns = table
                .tracked
                .map(|id| table.columns.iter().find(|column| column.id == id));
            let mut items = (table.items)(snapshot);
            if view == View::Processes {
                items.extend(Item::members(snapshot));
            }
            for item in items {
                let key = item.key();
                if tracks.len() >= LINES && selected != Some(&key) && !tracks.contains_key(&key) {
                    continue;
                }
                let track = tracks.entry(key).or_insert_with(|| Track {
                    rings: Default::default(),
                    seen: 0,
                });
                // Sequences may be skipped while the reader was busy: that leaves no hole.
                track.seen = self.sequence;
                for (ring, column) in track.rings.iter_mut().zip(columns) {
                    let value = column.and_then(|column| (column.value)(item).as_number());
                    push(ring, value, self.samples);
                }
            }
            let now = self.sequence;
            tracks.retain(|_, track| now - track.seen <= PATIENCE);
            for track in tracks.values_mut().filter(|track| track.seen != now) {
                for ring in &mut track.rings {
                    push(ring, None, self.samples);
                }
            }
        }
    }

    /// The past of a line in its `which`-th tracked column in `cells` steps.
    pub fn of(&self, view: View, key: &RowKey, which: usize, cells: usize) -> Option<Past> {
        let ring = self.views.get(view.index())?.get(key)?.rings.get(which)?;
        Some(Past::of(ring, self.samples, self.observed, cells))
    }
}

/// The past of a line, ready to be drawn.
#[derive(Debug, PartialEq)]
pub struct Past {
    /// The largest value of each step, newest last; `None` where there was none.
    pub steps: Vec<Option<f32>>,
    /// The largest of them; `None` without any.
    pub max: Option<f32>,
}

impl Past {
    /// Steps begin at fixed samples, counted by `observed`, so that they do not change while they
    /// move along.
    fn of(ring: &VecDeque<f32>, samples: usize, observed: usize, cells: usize) -> Self {
        let mut steps = vec![None; cells];
        let per_step = samples.div_ceil(cells.max(1)).max(1);
        let missing = per_step - 1 - observed.saturating_sub(1) % per_step;
        for (age, &value) in ring.iter().rev().enumerate() {
            let back = (age + missing) / per_step;
            let at = cells.checked_sub(1 + back);
            if let Some(step) = at.and_then(|at| steps.get_mut(at))
                && !value.is_nan()
            {
                *step = Some(step.map_or(value, |so_far: f32| so_far.max(value)));
            }
        }
        let max = steps.iter().copied().flatten().reduce(f32::max);
        Self { steps, max }
    }
}

fn push(ring: &mut VecDeque<f32>, value: Option<f64>, samples: usize) {
    while ring.len() >= samples {
        ring.pop_front();
    }
    ring.push_back(value.map_or(f32::NAN, |value| value as f32));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_hold_the_largest_and_stand_still_while_they_move() {
        let mut ring = VecDeque::new();
        let mut before: Option<Past> = None;
        for observed in 1..200 {
            push(&mut ring, Some(f64::from((observed * 37) % 101)), 120);
            let past = Past::of(&ring, 120, observed as usize, 40);
            assert_eq!(past.steps.len(), 40);
            if let Some(before) = before {
                let moved = usize::from(observed % 3 == 1);
                assert_eq!(
                    past.steps[2..38],
                    before.steps[2 + moved..38 + moved],
                    "{observed}"
                );
            }
            before = Some(past);
        }
    }

    #[test]
    fn unknown_is_a_hole_and_not_zero() {
        let mut ring = VecDeque::new();
        for value in [Some(0.0), None, Some(4.0)] {
            push(&mut ring, value, 30);
        }
        let past = Past::of(&ring, 30, 3, 30);
        assert_eq!(past.steps[27..], [Some(0.0), None, Some(4.0)]);
        assert_eq!(past.steps[26], None);
        assert_eq!(past.max, Some(4.0));
        assert_eq!(Past::of(&ring, 30, 3, 0).max, None);
    }
}
