#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

const STATUS: &[u8] =
    b"Name:\tpost\\ngres\nUmask:\t0022\nVmPeak:\t   9000 kB\nVmSize:\t   9000 kB\n\
VmRSS:\t   1234 kB\nRssAnon:\t    1000 kB\nRssFile:\t     200 kB\nRssShmem:\t      34 kB\n\
VmSwap:\t      56 kB\nThreads:\t1\n";

#[test]
fn status_lines_in_bytes() {
    assert_eq!(
        parse_status(STATUS),
        Some(Memory {
            anon: 1000 << 10,
            file: 200 << 10,
            shmem: 34 << 10,
            swap: 56 << 10,
        })
    );
    assert_eq!(
        parse_status(b"Name:\tkthreadd\nState:\tS (sleeping)\n"),
        Some(Memory::default())
    );
    // What is missing is not 0.
    assert_eq!(
        parse_status(b"Name:\tx\nVmRSS:\t 1 kB\nRssAnon:\t 1 kB\n"),
        None
    );
    assert_eq!(parse_status(b""), None);
    assert_eq!(
        parse_status(b"Name:\tx\nVmRSS:\t1 kB\nRssAnon:\t99999999999999999999 kB\n"),
        None
    );
}

#[test]
fn statm_fields() {
    assert_eq!(
        parse_statm(b"2500 308 58 4 0 120 0\n"),
        Some(Statm {
            size: 2500,
            resident: 308,
            shared: 58
        })
    );
    assert_eq!(parse_statm(b"2500 308"), None);
    assert_eq!(parse_statm(b"a b c"), None);
}

/// A `/proc` with the files of one process.
struct Fixture(std::path::PathBuf);

impl Fixture {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("hostlens-{name}-{}", std::process::id()));
        Self(root)
    }

    fn write(&self, pid: u32, statm: &str, status: &[u8]) {
        let folder = self.0.join(pid.to_string());
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("statm"), statm).unwrap();
        std::fs::write(folder.join("status"), status).unwrap();
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn id(tgid: u32) -> ProcessId {
    ProcessId { tgid, start_ns: 1 }
}

const ENOUGH: Duration = Duration::from_secs(3600);

#[test]
fn status_is_read_only_when_statm_changed() {
    let fixture = Fixture::new("memory");
    fixture.write(1, "10 5 2", STATUS);
    let mut reader = MemoryReader::new(&fixture.0);
    let mut got = Vec::new();
    let first = reader.read_within(&[id(1)], ENOUGH, |_, memory| got.push(memory.swap >> 10));
    let swapped = String::from_utf8_lossy(STATUS).replace("56 kB", "57 kB");
    fixture.write(1, "10 5 2", swapped.as_bytes());
    let second = reader.read_within(&[id(1)], ENOUGH, |_, memory| got.push(memory.swap >> 10));
    fixture.write(1, "10 6 2", swapped.as_bytes());
    let third = reader.read_within(&[id(1)], ENOUGH, |_, memory| got.push(memory.swap >> 10));
    assert_eq!(got, [56, 56, 57]);
    assert_eq!((first.read, second.unchanged, third.read), (1, 1, 1));
    // Nothing changes in statm while pages go out and others come in; after a while it is seen.
    fixture.write(1, "10 6 2", STATUS);
    got.clear();
    for _ in 0..=FULL_EVERY {
        reader.read_within(&[id(1)], ENOUGH, |_, memory| got.push(memory.swap >> 10));
    }
    assert_eq!(got.last(), Some(&56));
    assert_eq!(got.first(), Some(&57));
    // The same pid with another start is another process.
    let other = ProcessId {
        tgid: 1,
        start_ns: 2,
    };
    assert_eq!(reader.read_within(&[other], ENOUGH, |_, _| ()).read, 1);
    assert!(reader.last(id(1)).is_some());
    reader.forget(id(1));
    assert!(reader.last(id(1)).is_none());
}

#[test]
fn a_spent_budget_goes_on_with_the_oldest_reading() {
    let fixture = Fixture::new("budget");
    let ids: Vec<ProcessId> = (1..=4).map(id).collect();
    for id in &ids {
        fixture.write(id.tgid, "10 5 2", STATUS);
    }
    let mut reader = MemoryReader::new(&fixture.0);
    let mut got = Vec::new();
    for round in 1..=8u64 {
        let outcome = reader.read_within(&ids, Duration::ZERO, |id, _| got.push(id.tgid));
        assert_eq!(outcome.pending, 3);
        assert_eq!(outcome.never_read, 4u64.saturating_sub(round));
    }
    assert_eq!(got, [1, 2, 3, 4, 1, 2, 3, 4]);
}

#[test]
fn losses_are_told_apart() {
    let fixture = Fixture::new("losses");
    fixture.write(1, "nonsense", STATUS);
    fixture.write(2, "10 5 2", b"nonsense");
    let mut reader = MemoryReader::new(&fixture.0);
    let outcome = reader.read_within(&[id(1), id(2), id(3)], ENOUGH, |_, _| unreachable!());
    assert_eq!((outcome.failed, outcome.gone), (2, 1));
}

#[test]
fn memory_of_a_process_is_what_status_says() {
    // Our own changes while tests run beside this one; a sleeping process does not.
    let mut child = std::process::Command::new("sleep")
        .arg("60")
        .spawn()
        .unwrap();
    let mut reader = MemoryReader::default();
    let status = format!("/proc/{}/status", child.id());
    let target = id(child.id());
    // It changes too while it starts: a reading counts if nothing moved around it.
    let (read, truth) = loop {
        reader.forget(target);
        let before = parse_status(&std::fs::read(&status).unwrap());
        let mut read = None;
        reader.read_within(&[target], ENOUGH, |_, memory| read = Some(memory));
        let after = parse_status(&std::fs::read(&status).unwrap());
        if before == after && before.is_some_and(|memory| memory.file > 0) {
            break (read, before);
        }
    };
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(read, truth);
    assert!(read.unwrap().anon > 0);
}

#[test]
fn our_own_memory_is_plausible() {
    let own = id(std::process::id());
    let mut read = None;
    MemoryReader::default().read_within(&[own], ENOUGH, |_, memory| read = Some(memory));
    let text = std::fs::read("/proc/self/status").unwrap();
    let now = parse_status(&text).unwrap();
    let read = read.unwrap();
    // Other tests allocate meanwhile: the same order of size is all that can be asked.
    assert!(read.anon > now.anon / 4 && read.anon < now.anon * 4);
    assert!(read.file > 0);
}

proptest! {
    #[test]
    fn any_bytes_are_survived(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        cut in 0usize..300,
    ) {
        let _ = parse_statm(&bytes);
        let _ = parse_status(&bytes);
        let _ = parse_status(&STATUS[..cut.min(STATUS.len())]);
    }
}
