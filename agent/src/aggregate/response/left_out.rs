//! Turns left out in one direction, all its rows together.

use hostlens_ebpf::wire::Direction;

use super::account::{LeftOut, leave_out};
use crate::{
    aggregate::birth::{Birth, View},
    collect::TurnSamples,
    model::ResponseExclusions,
};

/// Sums since start. There is a row as soon as there was a turn, left out or not.
#[derive(Debug)]
pub(super) struct LeftOutSum {
    direction: Direction,
    sum: LeftOut,
    any: bool,
    birth: Option<Birth>,
}

impl LeftOutSum {
    pub fn new(direction: Direction) -> Self {
        Self {
            direction,
            sum: LeftOut::default(),
            any: false,
            birth: None,
        }
    }

    /// Takes turns of one group of connections.
    pub fn add(&mut self, turns: &TurnSamples) {
        let left_out = leave_out(&mut self.sum, turns.excluded);
        self.any |= left_out || !turns.first.is_empty();
    }

    /// A snapshot is made.
    pub fn show(&mut self, view: &View) {
        if self.any {
            self.birth
                .get_or_insert_with(|| Birth::new(view))
                .show(view);
        }
    }

    /// The row; `None` before the first turn.
    pub fn row(&self) -> Option<ResponseExclusions> {
        self.birth.map(|birth| ResponseExclusions {
            direction: self.direction,
            held: birth.held(),
            excluded: self.sum,
        })
    }
}
