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

    /// Number of samples that make up [`SPAN`].
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Takes a snapshot in; one already taken is ignored. `selected` is remembered even where
    /// there is no room for others.
    pub fn observe(&mut self, snapshot: &Snapshot, selected: Option<&RowKey>) {
        if snapshot.sequence <= self.sequence {
            return;
        }
        self.sequence = snapshot.sequence;
        for (view, tracks) in View::ALL.into_iter().zip(&mut self.views) {
            let table = view.table();
            let columns = table
                .tracked
                .map(|id| table.columns.iter().find(|column| column.id == id));
            let mut items = (table.items)(snapshot);
            if view == View::Processes {
                items.extend(snapshot.members.iter().map(Item::Member));
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

    /// The past of a line in its `which`-th tracked column, oldest first.
    pub fn of(&self, view: View, key: &RowKey, which: usize) -> Option<&VecDeque<f32>> {
        self.views.get(view.index())?.get(key)?.rings.get(which)
    }
}

fn push(ring: &mut VecDeque<f32>, value: Option<f64>, samples: usize) {
    while ring.len() >= samples {
        ring.pop_front();
    }
    ring.push_back(value.map_or(f32::NAN, |value| value as f32));
}

/// `cells` heights between 0 and 1 with the newest at the end, `None` where there was no value,
/// and the largest value. Each cell holds the largest of the samples that fall into it.
pub fn heights(ring: &VecDeque<f32>, samples: usize, cells: usize) -> (Vec<Option<f32>>, f32) {
    let mut maxima = vec![f32::NAN; cells];
    if cells == 0 {
        return (Vec::new(), 0.0);
    }
    let per_cell = samples.div_ceil(cells).max(1);
    for (age, &value) in ring.iter().rev().enumerate() {
        let at = cells.checked_sub(1 + age / per_cell);
        if let Some(cell) = at.and_then(|at| maxima.get_mut(at)) {
            // `max` of NaN and a number is the number.
            *cell = cell.max(value);
        }
    }
    let top = maxima.iter().copied().fold(f32::NAN, f32::max);
    let height = |value: f32| {
        let relative = if top > 0.0 { value / top } else { 0.0 };
        (!value.is_nan()).then_some(relative)
    };
    let top_or_zero = if top.is_nan() { 0.0 } else { top };
    (maxima.into_iter().map(height).collect(), top_or_zero)
}
