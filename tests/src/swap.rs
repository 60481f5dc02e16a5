//! A swap device in compressed memory, taken down when dropped.

use std::{fs, path::Path, process::Command};

use crate::host;

/// Swap on a zram device.
#[derive(Debug)]
pub struct Swap {
    device: String,
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
        let swap = Self { device };
        run(host::command("mkswap").arg(swap.path()));
        // Before any other swap, so that it surely is the one used.
        run(host::command("swapon").args(["-p", "100", &swap.path()]));
        swap
    }

    fn path(&self) -> String {
        format!("/dev/{}", self.device)
    }
}

impl Drop for Swap {
    fn drop(&mut self) {
        // Fails if swapon never came to be; the reset matters either way.
        let _ = host::command("swapoff").arg(self.path()).output();
        if let Err(error) = fs::write(format!("/sys/block/{}/reset", self.device), "1") {
            eprintln!("{} could not be reset: {error}", self.path());
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
