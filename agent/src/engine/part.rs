//! What every part of the engine says of itself, and how that becomes the agent's own figures.

use crate::model::{Budget, Lost, MapFill, OwnStats, ProgramStatus, SourceStatus};

/// A part of the engine.
pub(super) trait Part {
    /// Its signals and where they come from.
    fn sources(&self) -> Vec<SourceStatus>;
    /// Its kernel programs, those of refused objects included.
    fn programs(&self) -> Vec<ProgramStatus> {
        Vec::new()
    }
    /// Its losses, by cause.
    fn lost(&self) -> Vec<Lost>;
    /// Fill of its bounded maps and buffers.
    fn maps(&self) -> Vec<MapFill> {
        Vec::new()
    }
    /// Its budgets of label sets.
    fn budgets(&self) -> Vec<Budget>;
    /// Label sets it shows as 0 until scrapers have seen their birth.
    fn held(&self) -> u64;
}

/// Adds what a part says to the figures.
pub(super) fn report(part: &dyn Part, own: &mut OwnStats) {
    own.sources.extend(part.sources());
    own.programs.extend(part.programs());
    for loss in part.lost() {
        match own.lost.iter_mut().find(|known| known.what == loss.what) {
            Some(known) => known.count += loss.count,
            None => own.lost.push(loss),
        }
    }
    own.maps.extend(part.maps());
    own.budgets.extend(part.budgets());
    own.held_series_sets += part.held();
}
