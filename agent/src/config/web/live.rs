//! The web configuration in force: that of the files as they are now.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::{super::files::Watched, ConfigError, WebConfig};

type Read = Result<Arc<WebConfig>, ConfigError>;

/// A web configuration file that is looked at for each connection and each request; clones share
/// it.
///
/// While the file, or one it names, is broken, there is no configuration: falling back to the one
/// before would keep a certificate or a password in force that somebody has just withdrawn.
#[derive(Clone, Debug)]
pub struct LiveWeb(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    /// Held while files are read, so that of two readings at once the later stands.
    files: Mutex<Watched>,
    /// Never held during I/O.
    read: Mutex<Read>,
    /// The last that could be read speaks TLS.
    tls: AtomicBool,
}

impl LiveWeb {
    /// Reads the file for the first time.
    ///
    /// # Errors
    /// The first mistake with its line and the cure: it ends the start.
    pub fn open(path: PathBuf) -> Result<Self, ConfigError> {
        let (files, read) = read(&path);
        let config = read?;
        Ok(Self(Arc::new(Inner {
            tls: AtomicBool::new(config.tls.is_some()),
            files: Mutex::new(files),
            read: Mutex::new(Ok(config)),
            path,
        })))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// What the files say now. Reads them: not for a thread that must not block.
    ///
    /// # Errors
    /// The first mistake. Each is logged once, not each time it is met.
    pub fn current(&self) -> Read {
        let mut files = lock(&self.0.files);
        let before = self.last();
        if files.unchanged() {
            return before;
        }
        let (watched, now) = read(&self.0.path);
        match &now {
            Ok(config) => {
                self.0.tls.store(config.tls.is_some(), Relaxed);
                tracing::info!("{}: in force from now on", self.0.path.display());
            }
            Err(error) if before.as_ref().err() != Some(error) => {
                tracing::error!("{error} (until then every request is refused)");
            }
            Err(_) => {}
        }
        *files = watched;
        lock(&self.0.read).clone_from(&now);
        now
    }

    /// What the last look at the files found.
    ///
    /// # Errors
    /// Their mistake.
    pub fn last(&self) -> Read {
        lock(&self.0.read).clone()
    }

    /// Whether clients are to speak TLS, by the last configuration that could be read.
    pub fn speaks_tls(&self) -> bool {
        self.0.tls.load(Relaxed)
    }
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    // Both are exchanged in one step, so that a panic leaves them whole.
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read(path: &Path) -> (Watched, Read) {
    let mut files = Watched::default();
    let read = WebConfig::read(path, &mut files).map(Arc::new);
    (files, read)
}
