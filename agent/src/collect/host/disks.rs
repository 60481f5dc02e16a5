//! All disks together, from `/proc/diskstats`.

use std::{path::Path, time::Duration};

use rustc_hash::FxHashMap;

use crate::collect::proc_file::leading_number;

/// What `/proc/diskstats` counts in, bytes.
const SECTOR: u64 = 512;

/// Counters of one disk since it was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Disk {
    read: u64,
    written: u64,
    /// Time with something to do, ms; of 32 bits (`part_stat`), so it starts anew after 49 days.
    busy_ms: u64,
}

/// Totals over the disks that are hardware, or pass for it in a virtual machine: what is stacked
/// on them (device mapper, RAID, loop devices) would count the same bytes again, and memory
/// (zram) is no disk.
#[derive(Debug, Default)]
pub struct DiskTotals {
    /// By name; `None`: no hardware.
    known: FxHashMap<Box<str>, Option<Disk>>,
    read: u64,
    written: u64,
    busiest: Option<f64>,
}

impl DiskTotals {
    /// Takes a reading, `elapsed` after the one before. False if there is nothing to read.
    pub fn update(&mut self, elapsed: Option<Duration>) -> bool {
        let Ok(text) = std::fs::read("/proc/diskstats") else {
            return false;
        };
        self.take(&text, elapsed, |name| {
            Path::new("/sys/block").join(name).join("device").exists()
        });
        true
    }

    fn take(&mut self, text: &[u8], elapsed: Option<Duration>, hardware: impl Fn(&str) -> bool) {
        let mut seen = FxHashMap::default();
        let mut busiest = None;
        for (name, now) in text.split(|byte| *byte == b'\n').filter_map(parse) {
            let known = self.known.remove(name);
            let Some(before) = known.unwrap_or_else(|| hardware(name).then(Disk::default)) else {
                seen.insert(name.into(), None);
                continue;
            };
            // Another disk of that name starts from nothing.
            self.read += now.read.checked_sub(before.read).unwrap_or(now.read);
            self.written += now
                .written
                .checked_sub(before.written)
                .unwrap_or(now.written);
            if let (Some(elapsed), Some(busy)) = (elapsed, now.busy_ms.checked_sub(before.busy_ms))
                && known.is_some()
                && !elapsed.is_zero()
            {
                let ratio = (busy as f64 / 1e3 / elapsed.as_secs_f64()).min(1.0);
                busiest = Some(busiest.map_or(ratio, |most: f64| most.max(ratio)));
            }
            seen.insert(name.into(), Some(now));
        }
        self.known = seen;
        self.busiest = busiest;
    }

    /// Bytes read since boot.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// Bytes written since boot.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Share of the time between the last two readings in which the busiest disk had something
    /// to do.
    pub fn busiest(&self) -> Option<f64> {
        self.busiest
    }
}

/// Name and counters of a line (`Documentation/admin-guide/iostats.rst`).
fn parse(line: &[u8]) -> Option<(&str, Disk)> {
    let mut fields = line
        .split(|byte| *byte == b' ')
        .filter(|field| !field.is_empty());
    let name = std::str::from_utf8(fields.nth(2)?).ok()?;
    let mut values = fields.map(leading_number);
    let disk = Disk {
        read: values.nth(2)??.saturating_mul(SECTOR),
        written: values.nth(3)??.saturating_mul(SECTOR),
        busy_ms: values.nth(2)??,
    };
    Some((name, disk))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn stats(read: u64, written: u64, busy: u64) -> String {
        format!(
            "   7       0 loop0 138 0 2766 97 60 79 33718 218 0 256 381 1 0 2 2 15 63\n \
             254       0 vda 3048544 101886 {read} 24886433 277135 703195 {written} 3250897 0 {busy} \
             28274135 508103 108 383997680 136493 2137 310\n"
        )
    }

    #[test]
    fn hardware_counts_and_what_is_stacked_on_it_does_not() {
        let hardware = |name: &str| name == "vda";
        let second = Some(Duration::from_secs(1));
        let mut totals = DiskTotals::default();
        totals.take(stats(100, 20, 1_000).as_bytes(), None, hardware);
        assert_eq!((totals.read(), totals.written()), (51_200, 10_240));
        assert_eq!(totals.busiest(), None);
        totals.take(stats(101, 20, 1_250).as_bytes(), second, hardware);
        assert_eq!((totals.read(), totals.written()), (51_712, 10_240));
        assert_eq!(totals.busiest(), Some(0.25));
        // Gone, and another one comes.
        totals.take(b"", second, hardware);
        assert_eq!((totals.read(), totals.busiest()), (51_712, None));
        totals.take(stats(1, 1, 5).as_bytes(), second, hardware);
        assert_eq!((totals.read(), totals.written()), (52_224, 10_752));
    }

    #[test]
    fn senseless_lines_are_left_out() {
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b" 8 0 sda 1 2 3"), None);
        assert_eq!(parse(b" 8 0 sda x x x x x x x x x x x"), None);
    }
}
