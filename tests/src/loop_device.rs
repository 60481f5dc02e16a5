//! A file as a block device, and a filesystem on it; both go when dropped.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::host::{self, Need};

/// What [`LoopDevice`] and [`Mounted`] need.
pub const LOOP: &[Need] = &[
    Need::Root,
    Need::Path("/dev/loop-control"),
    Need::Tool("losetup"),
    Need::Tool("mkfs.ext4"),
    Need::Tool("mount"),
];

/// A loop device.
#[derive(Debug)]
pub struct LoopDevice {
    path: PathBuf,
}

impl LoopDevice {
    /// Over a file that exists; with `direct` past the page cache of the file.
    ///
    /// # Panics
    /// When it cannot be set up.
    pub fn new(file: &Path, direct: bool) -> Self {
        let mut command = host::command("losetup");
        command.args(["--find", "--show"]);
        command.arg(format!("--direct-io={}", if direct { "on" } else { "off" }));
        let path = run(command.arg(file));
        Self {
            path: PathBuf::from(path.trim()),
        }
    }

    /// The device, `/dev/loopN`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name, `loopN`.
    pub fn name(&self) -> &str {
        let name = self.path.file_name().and_then(|name| name.to_str());
        name.expect("name of the device")
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        let output = host::command("losetup").arg("-d").arg(&self.path).output();
        if !output.is_ok_and(|output| output.status.success()) {
            eprintln!("{} stays set up", self.path.display());
        }
    }
}

/// A mounted filesystem.
#[derive(Debug)]
pub struct Mounted {
    // Unmounted before the directory is removed.
    dir: TempDir,
}

impl Mounted {
    /// Makes an ext4 filesystem on a device and mounts it, all of it for everyone.
    ///
    /// # Panics
    /// When it cannot be made or mounted.
    pub fn ext4(device: &Path) -> Self {
        run(host::command("mkfs.ext4")
            .args(["-q", "-F", "-m", "0", "-E", "lazy_itable_init=0"])
            .arg(device));
        let dir = TempDir::with_prefix("hostlens-tests-").expect("temporary directory");
        run(host::command("mount").arg(device).arg(dir.path()));
        let mounted = Self { dir };
        // Readable as the directory of any user.
        let open = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o777);
        fs::set_permissions(mounted.path(), open).expect("chmod");
        mounted
    }

    /// Where.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let output = host::command("umount").arg(self.dir.path()).output();
        if !output.is_ok_and(|output| output.status.success()) {
            // In use: whoever uses it ends with the test.
            let _ = host::command("umount")
                .arg("-l")
                .arg(self.dir.path())
                .output();
        }
    }
}

fn run(command: &mut Command) -> String {
    let output = command.output().expect("run a tool");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
