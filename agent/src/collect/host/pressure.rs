//! Time lost to waiting (`/proc/pressure`, `*.pressure` of a v2 cgroup).

use std::path::Path;

use crate::{
    collect::proc_file::{leading_number, line_value},
    model::{Pressure, RESOURCES, STALLS},
};

/// Pressure on the host. All absent where the kernel does not count it (`CONFIG_PSI`, `psi=1`).
pub fn of_host() -> Pressure {
    RESOURCES.map(|resource| read(&Path::new("/proc/pressure").join(resource)))
}

/// Pressure inside a v2 cgroup.
pub fn of_cgroup(directory: &Path) -> Pressure {
    RESOURCES.map(|resource| read(&directory.join(format!("{resource}.pressure"))))
}

/// One file; some kernels have it and fail its reads.
fn read(path: &Path) -> [Option<u64>; STALLS.len()] {
    match std::fs::read(path) {
        Ok(text) => STALLS.map(|stall| total(&text, stall)),
        Err(_) => [None; STALLS.len()],
    }
}

/// `some avg10=0.00 avg60=0.00 avg300=0.00 total=123`, µs.
fn total(text: &[u8], stall: &str) -> Option<u64> {
    let line = line_value(text, stall.as_bytes())?;
    let mut fields = line.split(|byte| *byte == b' ');
    leading_number(fields.find_map(|field| field.strip_prefix(b"total="))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_found_by_name() {
        let text = b"some avg10=2.51 avg60=9.22 avg300=14.26 total=11034305052\n\
            full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
        assert_eq!(total(text, "some"), Some(11_034_305_052));
        assert_eq!(total(text, "full"), Some(7));
        // What interrupts take, and the CPU on kernels before 5.13.
        assert_eq!(total(b"full avg10=0.00 total=7\n", "some"), None);
        assert_eq!(total(b"some\n", "some"), None);
        assert_eq!(total(b"", "full"), None);
    }

    #[test]
    fn what_is_not_there_is_absent() {
        assert_eq!(of_cgroup(Path::new("/nowhere")), Pressure::default());
    }
}
