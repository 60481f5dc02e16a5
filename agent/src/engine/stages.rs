//! Where the time of a cycle goes.

use std::time::{Duration, Instant};

use crate::model::Stage;

/// Stopwatch with a split per stage.
#[derive(Default)]
pub struct Stages {
    last: Option<Instant>,
    stages: Vec<Stage>,
}

impl Stages {
    /// Starts a cycle.
    pub fn begin(&mut self) {
        for stage in &mut self.stages {
            stage.last_seconds = 0.0;
        }
        self.last = Some(Instant::now());
    }

    /// Books the time since the last mark on a stage.
    pub fn mark(&mut self, name: &'static str) {
        let now = Instant::now();
        let spent = self.last.replace(now).map(|last| now - last);
        self.book(name, spent.unwrap_or_default());
    }

    /// Leaves out the time since the last mark: it is booked by those who spent it.
    pub fn skip(&mut self) {
        self.last = Some(Instant::now());
    }

    /// Books time that was measured on its own.
    pub fn book(&mut self, name: &'static str, spent: Duration) {
        let spent = spent.as_secs_f64();
        match self.stages.iter_mut().find(|stage| stage.name == name) {
            Some(stage) => {
                stage.last_seconds += spent;
                stage.total_seconds += spent;
            }
            None => self.stages.push(Stage {
                name,
                last_seconds: spent,
                total_seconds: spent,
            }),
        }
    }

    /// The stages of the cycle that ends.
    pub fn finish(&self) -> Vec<Stage> {
        self.stages.clone()
    }
}
