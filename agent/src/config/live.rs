//! The rules in force, and their exchange at a reload.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use super::{ConfigError, Rules, load};
use crate::model::ConfigStatus;

/// The configuration file and what is in force of it; clones share both.
#[derive(Clone, Debug)]
pub struct LiveConfig {
    path: Arc<Path>,
    /// Held while the file is read, so that of two reloads at once the later stands.
    reading: Arc<Mutex<()>>,
    /// Never held during I/O: cycles ask for the rules.
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    rules: Arc<Rules>,
    /// Counts exchanges.
    version: u32,
    status: ConfigStatus,
}

impl LiveConfig {
    /// Reads the file for the first time.
    ///
    /// # Errors
    /// See [`load`]: without anything to fall back to, a mistake ends the start.
    pub fn open(path: PathBuf) -> Result<Self, ConfigError> {
        let rules = load(&path)?;
        Ok(Self {
            state: Arc::new(Mutex::new(State {
                status: ConfigStatus {
                    rules: rules.len() as u64,
                    successful: true,
                    success_at: SystemTime::now(),
                    reloads: 0,
                    failed_reloads: 0,
                    error: None,
                },
                rules: Arc::new(rules),
                version: 0,
            })),
            reading: Arc::default(),
            path: path.into(),
        })
    }

    /// Reads the file again. Its rules are in force from the next cycle on; after a mistake those
    /// from before still are.
    ///
    /// # Errors
    /// See [`load`].
    pub fn reload(&self) -> Result<(), ConfigError> {
        let _reading = self.reading.lock();
        let read = load(&self.path);
        let mut state = self.lock();
        match read {
            Ok(rules) => {
                state.status.rules = rules.len() as u64;
                state.status.successful = true;
                state.status.success_at = SystemTime::now();
                state.status.reloads += 1;
                state.status.error = None;
                state.rules = Arc::new(rules);
                state.version = state.version.wrapping_add(1);
                tracing::info!(
                    "{}: {} rules are in force from the next cycle on",
                    self.path.display(),
                    state.status.rules
                );
                Ok(())
            }
            Err(error) => {
                state.status.successful = false;
                state.status.failed_reloads += 1;
                state.status.error = Some(error.to_string());
                tracing::error!("{error} (the rules from before stay in force)");
                Err(error)
            }
        }
    }

    /// The rules in force and how often they were exchanged.
    pub fn rules(&self) -> (u32, Arc<Rules>) {
        let state = self.lock();
        (state.version, Arc::clone(&state.rules))
    }

    /// What came of the last reload.
    pub fn status(&self) -> ConfigStatus {
        self.lock().status.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is complete before the lock is released, even by a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
