//! Which processes hold a listening socket: its owner and those it was handed down to.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Family, Kin};
use crate::{
    clock::Moment,
    collect::proc_file::{is_denied, proc_root},
    model::ProcessId,
};

/// Holders are looked for again after this, whatever happened.
const AGAIN: Duration = Duration::from_secs(60);
/// Descriptors of one process looked at, at most: servers listen before they accept, so the
/// numbers of listening sockets are low.
const DESCRIPTORS: usize = 4_096;

/// A listening socket whose holders are to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sought {
    /// Identity of the socket.
    pub id: u64,
    /// Inode number in `sockfs`.
    pub inode: u64,
    /// Process that called `listen()`; a start of 0 is unknown.
    pub owner: ProcessId,
}

/// Processes that hold a listening socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holders {
    /// Each with the number of its threads.
    pub processes: Vec<(ProcessId, u32)>,
    /// The owner is among them, and so are descendants of it.
    pub parent: bool,
}

/// The search among one owner's family.
#[derive(Debug)]
struct Search {
    /// When the last one was completed.
    done: Option<Moment>,
    /// Family and sockets as of the last one.
    mark: (u64, u64),
    /// The one under way: whom it asks, and how far it is.
    candidates: Vec<Kin>,
    next: usize,
    found: FxHashMap<u64, Vec<(ProcessId, u32)>>,
    /// Candidates are not descendants: the first that holds anything replaces them.
    heirs: bool,
}

/// Looks for holders within a budget of time, where it left off.
#[derive(Debug)]
pub struct HolderFinder {
    root: PathBuf,
    searches: FxHashMap<ProcessId, Search>,
    unreadable: u64,
    left_out: u64,
}

impl Default for HolderFinder {
    fn default() -> Self {
        Self::new(&proc_root())
    }
}

impl HolderFinder {
    /// Reads below `root` (`/proc`, or a fixture).
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            searches: FxHashMap::default(),
            unreadable: 0,
            left_out: 0,
        }
    }

    /// Looks where it is due: sockets not seen before, families that changed, and everything once
    /// a minute. Hands on what was found of each socket whose search is complete.
    pub fn find_within(
        &mut self,
        sought: &[Sought],
        family: &mut Family,
        at: Moment,
        budget: Duration,
        mut each: impl FnMut(u64, Holders),
    ) {
        let start = Instant::now();
        let mut by_owner: FxHashMap<ProcessId, Vec<Sought>> = FxHashMap::default();
        for one in sought {
            by_owner.entry(one.owner).or_default().push(*one);
        }
        self.searches
            .retain(|owner, _| by_owner.contains_key(owner));
        let mut due: Vec<(u64, ProcessId)> = Vec::new();
        for (owner, sockets) in &by_owner {
            if self.prepare(*owner, sockets, family, at) {
                let search = self.searches.get(owner);
                let last = search.and_then(|search| search.done);
                due.push((last.map_or(0, |done| done.mono_ns), *owner));
            }
        }
        due.sort_unstable();
        self.unreadable = 0;
        self.left_out = 0;
        for (_, owner) in due {
            let Some(sockets) = by_owner.get(&owner) else {
                continue;
            };
            let complete = self.search(owner, sockets, family, || start.elapsed() >= budget);
            if let Some(search) = self.searches.get_mut(&owner)
                && complete
            {
                search.done = Some(at);
                for one in sockets {
                    let processes = search.found.get(&one.inode).cloned().unwrap_or_default();
                    let owned = processes.iter().any(|(id, _)| id.tgid == one.owner.tgid);
                    let parent = owned && processes.len() > 1;
                    each(one.id, Holders { processes, parent });
                }
                search.candidates = Vec::new();
                search.found = FxHashMap::default();
            }
        }
    }

    /// Sets up a search if one is due; whether one is under way.
    fn prepare(
        &mut self,
        owner: ProcessId,
        sockets: &[Sought],
        family: &mut Family,
        at: Moment,
    ) -> bool {
        let inodes = sockets.iter().fold(0u64, |sum, one| {
            sum.wrapping_add(one.inode.wrapping_mul(31))
        });
        let lives = family.get(owner).is_some();
        let mark = (if lives { family.mark(owner) } else { 0 }, inodes);
        if let Some(search) = self.searches.get(&owner) {
            if !search.candidates.is_empty() && search.mark == mark {
                return true;
            }
            let fresh = search.done.is_some_and(|done| at.since(done) < AGAIN);
            if fresh && search.mark == mark {
                return false;
            }
        }
        let done = self.searches.get(&owner).and_then(|search| search.done);
        let candidates = if lives {
            family.descendants(owner)
        } else {
            family.heirs(owner)
        };
        let search = Search {
            done,
            mark,
            candidates,
            next: 0,
            found: FxHashMap::default(),
            heirs: !lives,
        };
        self.searches.insert(owner, search);
        true
    }

    /// Asks candidates until `late`, at least one; whether all were asked.
    fn search(
        &mut self,
        owner: ProcessId,
        sockets: &[Sought],
        family: &Family,
        late: impl Fn() -> bool,
    ) -> bool {
        let Some(search) = self.searches.get_mut(&owner) else {
            return false;
        };
        let wanted: FxHashSet<u64> = sockets.iter().map(|one| one.inode).collect();
        while let Some(kin) = search.candidates.get(search.next).copied() {
            search.next += 1;
            match held(&self.root, kin.id.tgid, &wanted) {
                Ok(inodes) if inodes.is_empty() => {}
                Ok(inodes) => {
                    if std::mem::take(&mut search.heirs) {
                        search.candidates = family.descendants(kin.id);
                        search.next = 1;
                    }
                    for inode in inodes {
                        let holders = search.found.entry(inode).or_default();
                        holders.push((kin.id, kin.threads));
                    }
                }
                Err(error) => self.unreadable += u64::from(is_denied(&error)),
            }
            if late() {
                break;
            }
        }
        let left = search.candidates.len().saturating_sub(search.next);
        self.left_out += left as u64;
        left == 0
    }

    /// Processes whose descriptors could not be read in the last call.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Processes that the last call left to the next one.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
}

/// Which of the wanted sockets a process holds.
fn held(root: &Path, pid: u32, wanted: &FxHashSet<u64>) -> io::Result<FxHashSet<u64>> {
    let mut found = FxHashSet::default();
    for entry in fs::read_dir(root.join(pid.to_string()).join("fd"))?.take(DESCRIPTORS) {
        // A descriptor that was closed meanwhile leads nowhere.
        let Ok(link) = entry.and_then(|entry| fs::read_link(entry.path())) else {
            continue;
        };
        if let Some(inode) = link.to_str().and_then(socket_inode)
            && wanted.contains(&inode)
            && found.insert(inode)
            && found.len() == wanted.len()
        {
            break;
        }
    }
    Ok(found)
}

/// The number in `socket:[123]`.
fn socket_inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?
        .strip_suffix(']')?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use std::os::unix::fs::symlink;

    const LONG: Duration = Duration::from_secs(600);

    /// A `/proc` in which each process holds these sockets beside other files.
    fn fixture(name: &str, processes: &[(u32, &[u64])]) -> PathBuf {
        let root = std::env::temp_dir().join(format!("hostlens-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        for (pid, sockets) in processes {
            let dir = root.join(pid.to_string()).join("fd");
            fs::create_dir_all(&dir).unwrap();
            symlink("/dev/null", dir.join("0")).unwrap();
            symlink("anon_inode:[eventpoll]", dir.join("1")).unwrap();
            symlink("socket:[bad", dir.join("2")).unwrap();
            for (number, inode) in sockets.iter().enumerate() {
                let file = dir.join((number + 3).to_string());
                symlink(format!("socket:[{inode}]"), file).unwrap();
            }
        }
        root
    }

    fn kin(tgid: u32, parent: u32) -> Kin {
        Kin {
            id: ProcessId {
                tgid,
                start_ns: u64::from(tgid),
            },
            parent,
            threads: 2,
        }
    }

    fn sought(id: u64, inode: u64, owner: u32) -> Sought {
        Sought {
            id,
            inode,
            owner: kin(owner, 0).id,
        }
    }

    fn at(seconds: u64) -> Moment {
        let start = Moment {
            mono_ns: 0,
            boot_ns: 0,
            wall: std::time::UNIX_EPOCH,
        };
        start.plus(Duration::from_secs(seconds))
    }

    type Found = Vec<(u64, Vec<u32>, bool)>;

    fn find(
        finder: &mut HolderFinder,
        sought: &[Sought],
        kin: &[Kin],
        seconds: u64,
        budget: Duration,
    ) -> Found {
        let mut family = Family::new(kin.iter().copied());
        let mut found = Found::new();
        finder.find_within(sought, &mut family, at(seconds), budget, |id, holders| {
            let pids = holders.processes.iter().map(|(id, _)| id.tgid);
            found.push((id, pids.collect(), holders.parent));
        });
        found.sort();
        found
    }

    #[test]
    fn finds_owner_and_children_and_looks_again_when_due() {
        let root = fixture(
            "due",
            &[(10, &[100, 101]), (11, &[100]), (12, &[100]), (20, &[100])],
        );
        let mut finder = HolderFinder::new(&root);
        let sockets = [sought(1, 100, 10), sought(2, 101, 10)];
        let family = [kin(10, 1), kin(11, 10), kin(12, 11), kin(20, 1)];
        let all = vec![(1, vec![10, 11, 12], true), (2, vec![10], false)];
        assert_eq!(find(&mut finder, &sockets, &family, 0, LONG), all);
        assert_eq!(find(&mut finder, &sockets, &family, 5, LONG), []);
        let fewer = find(&mut finder, &sockets, &family[..2], 10, LONG);
        assert_eq!(fewer, [(1, vec![10, 11], true), (2, vec![10], false)]);
        assert_eq!(find(&mut finder, &sockets, &family[..2], 69, LONG), []);
        assert_eq!(find(&mut finder, &sockets, &family[..2], 70, LONG).len(), 2);
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn goes_on_where_the_budget_ended() {
        let root = fixture("budget", &[(10, &[100]), (11, &[100]), (12, &[100])]);
        let mut finder = HolderFinder::new(&root);
        let family = [kin(10, 1), kin(11, 10), kin(12, 10)];
        let once = |finder: &mut HolderFinder| {
            find(finder, &[sought(1, 100, 10)], &family, 0, Duration::ZERO)
        };
        assert_eq!(once(&mut finder), []);
        assert_eq!(finder.left_out(), 2);
        assert_eq!(once(&mut finder), []);
        assert_eq!(once(&mut finder), [(1, vec![10, 11, 12], true)]);
        assert_eq!(finder.left_out(), 0);
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_daemon_is_found_after_its_parent_has_gone() {
        let root = fixture(
            "daemon",
            &[(9, &[100]), (12, &[]), (13, &[100]), (14, &[100])],
        );
        let mut finder = HolderFinder::new(&root);
        let family = [kin(9, 1), kin(12, 1), kin(13, 1), kin(14, 13)];
        let found = find(&mut finder, &[sought(1, 100, 10)], &family, 0, LONG);
        assert_eq!(found, [(1, vec![13, 14], false)]);
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn processes_that_cannot_be_read_hold_nothing() {
        let root = fixture("gone", &[(11, &[])]);
        let mut finder = HolderFinder::new(&root);
        let family = [kin(10, 1), kin(11, 10)];
        let found = find(&mut finder, &[sought(1, 100, 10)], &family, 0, LONG);
        assert_eq!(found, [(1, vec![], false)]);
        assert_eq!(finder.unreadable(), 0, "gone is no fault");
        fs::remove_dir_all(root).unwrap();
    }
}
