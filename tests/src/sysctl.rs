//! A kernel setting, changed for a while.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Restores what was there when dropped.
#[derive(Debug)]
pub struct Sysctl {
    path: PathBuf,
    before: String,
}

impl Sysctl {
    /// Sets `name`, with slashes, below `/proc/sys`.
    ///
    /// # Panics
    /// When it cannot be read or set.
    pub fn set(name: &str, value: &str) -> Self {
        let path = Path::new("/proc/sys").join(name);
        let before = fs::read_to_string(&path).expect("read the setting");
        fs::write(&path, value).expect("change the setting");
        Self { path, before }
    }
}

impl Drop for Sysctl {
    fn drop(&mut self) {
        if let Err(error) = fs::write(&self.path, &self.before) {
            eprintln!("{} is not restored: {error}", self.path.display());
        }
    }
}
