//! Swap in compressed memory or in a file, taken down when dropped.

use std::{
    fs::{self, File},
    os::{fd::AsRawFd as _, unix::fs::PermissionsExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::host;

/// Swap that was switched on for a test.
#[derive(Debug)]
pub struct Swap {
    path: PathBuf,
    /// The zram device to be reset.
    device: Option<String>,
    _dir: Option<TempDir>,
}

impl Swap {
    /// Sets up and enables `mebibytes` of swap on an unused zram device.
    ///
    /// # Panics
    /// When a step fails, or none is unused.
    pub fn new(mebibytes: u64) -> Self {
        let device = unused_device().expect("an unused zram device");
        let size = format!("{mebibytes}M");
        fs::write(format!("/sys/block/{device}/disksize"), size).expect("set the disk size");
        let swap = Self {
            path: Path::new("/dev").join(&device),
            device: Some(device),
            _dir: None,
        };
        swap.switch_on();
        swap
    }

    /// Sets up and enables `mebibytes` of swap in a file on the disk of the build.
    ///
    /// # Panics
    /// When a step fails.
    pub fn file(mebibytes: u64) -> Self {
        let dir = host::scratch_dir();
        let path = dir.path().join("swap");
        let file = File::create_new(&path).expect("create a swap file");
        file.set_permissions(fs::Permissions::from_mode(0o600))
            .expect("chmod of a swap file");
        let bytes = (mebibytes << 20) as libc::off_t;
        // SAFETY: plain system call on a descriptor that `file` keeps open.
        let status = unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, bytes) };
        let error = std::io::Error::last_os_error();
        assert_eq!(status, 0, "no room for a swap file: {error}");
        let swap = Self {
            path,
            device: None,
            _dir: Some(dir),
        };
        swap.switch_on();
        swap
    }

    fn switch_on(&self) {
        run(host::command("mkswap").arg(&self.path));
        // Before any other swap, so that it surely is the one used.
        run(host::command("swapon").args(["-p", "100"]).arg(&self.path));
    }
}

impl Drop for Swap {
    fn drop(&mut self) {
        // Fails if swapon never came to be; the rest matters either way.
        let _ = host::command("swapoff").arg(&self.path).output();
        if let Some(device) = &self.device
            && let Err(error) = fs::write(format!("/sys/block/{device}/reset"), "1")
        {
            eprintln!("{device} could not be reset: {error}");
        }
    }
}

/// The first zram device without a size; asks the kernel for a new one if all are in use.
fn unused_device() -> Option<String> {
    let free = |name: &String| {
        fs::read_to_string(format!("/sys/block/{name}/disksize"))
            .is_ok_and(|size| size.trim() == "0")
            && Path::new("/dev").join(name).exists()
    };
    let existing = fs::read_dir("/sys/block")
        .ok()?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("zram"))
        .find(free);
    existing.or_else(|| {
        let number = fs::read_to_string("/sys/class/zram-control/hot_add").ok()?;
        Some(format!("zram{}", number.trim()))
    })
}

fn run(command: &mut Command) {
    let output = command.output().expect("run a swap tool");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
