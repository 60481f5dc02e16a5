//! `/proc/diskstats`, as far as it is about whole disks.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustc_hash::FxHashMap;

use super::{DiskStat, OPS};

/// Unit of the kernel's counters, whatever the disk's own blocks.
const SECTOR: u64 = 512;

/// What was once found out about a device.
#[derive(Clone, Debug)]
struct Known {
    name: Arc<str>,
    /// `/sys/block/NAME`; `None` for a partition.
    disk: Option<PathBuf>,
    bare: bool,
}

/// Reads the disks of this host.
#[derive(Debug)]
pub struct DiskReader {
    file: PathBuf,
    block: PathBuf,
    known: FxHashMap<u32, Known>,
}

impl Default for DiskReader {
    fn default() -> Self {
        Self::new(Path::new("/proc/diskstats"), Path::new("/sys/block"))
    }
}

impl DiskReader {
    /// Reads these instead of `/proc/diskstats` and `/sys/block`.
    pub fn new(file: &Path, block: &Path) -> Self {
        Self {
            file: file.to_owned(),
            block: block.to_owned(),
            known: FxHashMap::default(),
        }
    }

    /// All whole disks now.
    ///
    /// # Errors
    /// The file cannot be read; lines that make no sense are left out.
    pub fn read(&mut self) -> io::Result<Vec<DiskStat>> {
        let text = fs::read_to_string(&self.file)?;
        let mut disks = Vec::new();
        let mut seen = Vec::new();
        for line in text.lines() {
            let Some((dev, name, fields)) = parse(line) else {
                continue;
            };
            seen.push(dev);
            let known = match self.known.get(&dev) {
                Some(known) if *known.name == *name => known.clone(),
                _ => {
                    let known = self.look_up(name);
                    self.known.insert(dev, known.clone());
                    known
                }
            };
            let Some(disk) = &known.disk else { continue };
            let mut stat = fields.stat(dev, known.name);
            stat.bare = known.bare;
            stat.accounted = accounted(disk);
            disks.push(stat);
        }
        self.known.retain(|dev, _| seen.contains(dev));
        Ok(disks)
    }

    fn look_up(&self, name: &str) -> Known {
        // A slash in a name is shown as an exclamation mark there.
        let disk = self.block.join(name.replace('/', "!"));
        let there = disk.is_dir();
        Known {
            name: name.into(),
            bare: there && !disk.join("mq").is_dir(),
            disk: there.then_some(disk),
        }
    }
}

/// Whether the kernel keeps the statistics of a disk; where it does not say, it does.
fn accounted(disk: &Path) -> bool {
    fs::read_to_string(disk.join("queue/iostats")).map_or(true, |text| text.trim() != "0")
}

/// Fields behind the name, as in `Documentation/admin-guide/iostats.rst`.
struct Fields(Vec<u64>);

impl Fields {
    /// Position of the count of requests and of sectors, by operation.
    const REQUESTS: [usize; OPS] = [0, 4, 15, 11];
    const SECTORS: [usize; OPS] = [2, 6, usize::MAX, 13];
    const IN_FLIGHT: usize = 8;
    const BUSY: usize = 9;

    fn stat(&self, dev: u32, name: Arc<str>) -> DiskStat {
        let get = |at: usize| self.0.get(at).copied();
        DiskStat {
            dev,
            name,
            bare: false,
            accounted: true,
            requests: Self::REQUESTS.map(get),
            bytes: Self::SECTORS.map(|at| get(at)?.checked_mul(SECTOR)),
            in_flight: get(Self::IN_FLIGHT).unwrap_or(0),
            busy_ms: get(Self::BUSY).unwrap_or(0),
        }
    }
}

fn parse(line: &str) -> Option<(u32, &str, Fields)> {
    let mut words = line.split_ascii_whitespace();
    let major: u32 = words.next()?.parse().ok()?;
    let minor: u32 = words.next()?.parse().ok()?;
    let name = words.next()?;
    // What is no number was not measured: no line of it is believed.
    let fields: Result<Vec<u64>, _> = words.map(str::parse).collect();
    let fields = fields.ok()?;
    // Eleven since 2.6; discards and flushes were added behind.
    (fields.len() >= 11 && major < 1 << 12 && minor < 1 << 20).then_some((
        major << 20 | minor,
        name,
        Fields(fields),
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const TEXT: &str = "\
 254 0 vda 10 1 80 30 4 2 16 5 3 99 140 2 0 24 9 7 6
 254 1 vda1 9 1 72 30 4 2 16 5 3 99 140 2 0 24 9 7 6
 104 0 cciss/c0d0 5 0 8 1 0 0 0 0 0 1 1
   7 0 loop0 0 0 0 0 0 0 0 0 0 0 0
   8 0 sda 10 1 80 30 four 2 16 5 3 99 140
nonsense
";

    /// A host's files; gone when dropped.
    struct Host(PathBuf);

    impl Host {
        fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Host {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn host() -> Host {
        let root = std::env::temp_dir().join(format!("hostlens-{}-disks", std::process::id()));
        let dir = Host(root);
        fs::create_dir_all(dir.path()).unwrap();
        fs::write(dir.path().join("diskstats"), TEXT).unwrap();
        let disks = [
            ("vda", "1\n"),
            ("cciss!c0d0", "0\n"),
            ("loop0", "1\n"),
            ("sda", "1\n"),
        ];
        for (disk, iostats) in disks {
            fs::create_dir_all(dir.path().join(disk).join("queue")).unwrap();
            fs::write(dir.path().join(disk).join("queue/iostats"), iostats).unwrap();
        }
        fs::create_dir(dir.path().join("vda/mq")).unwrap();
        dir
    }

    #[test]
    fn whole_disks_with_what_the_kernel_tells() {
        let dir = host();
        let mut reader = DiskReader::new(&dir.path().join("diskstats"), dir.path());
        let disks = reader.read().unwrap();
        assert_eq!(
            disks.iter().map(|disk| &*disk.name).collect::<Vec<_>>(),
            ["vda", "cciss/c0d0", "loop0"]
        );
        let vda = &disks[0];
        assert_eq!(vda.dev, 254 << 20);
        assert!(vda.accounted && !vda.bare && !vda.idle());
        assert_eq!(vda.requests, [Some(10), Some(4), Some(7), Some(2)]);
        assert_eq!(vda.bytes, [Some(40_960), Some(8192), None, Some(12_288)]);
        assert_eq!((vda.in_flight, vda.busy_ms), (3, 99));
        let old = &disks[1];
        assert!(!old.accounted && old.bare);
        assert_eq!(old.requests, [Some(5), Some(0), None, None]);
        assert!(disks[2].idle());
        fs::write(dir.path().join("vda/queue/iostats"), "0\n").unwrap();
        assert!(!reader.read().unwrap()[0].accounted);
    }

    #[test]
    fn this_host_has_its_disks() {
        let disks = DiskReader::default().read().unwrap();
        assert!(disks.iter().all(|disk| !disk.name.is_empty()));
    }
}
