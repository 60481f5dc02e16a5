//! Memory and threads of control groups against what each may have.
//!
//! A limit holds for a group and all below it, so each group answers for those above it too: the
//! one nearest to its end counts. Memory is the working set, `memory.current` without inactive
//! page cache: the kernel takes that back before anything is killed, and a group that reads files
//! would else always look full.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use rustc_hash::FxHashMap;

use super::Use;
use crate::{
    collect::proc_file::{leading_number, line_value},
    model::Resource,
};

/// Limits are looked at again after this many cycles; what is used, each cycle.
const TRUSTED_CYCLES: u32 = 6;
/// The "unlimited" of v1 is the largest number of bytes in whole pages.
const UNLIMITED: u64 = 1 << 62;

/// Reads them.
#[derive(Default)]
pub struct CgroupLimits {
    folders: FxHashMap<PathBuf, Folder>,
    cycle: u32,
    left_out: u64,
}

/// A folder of a control group: in v2 with all its controllers, in v1 with one of them.
#[derive(Default)]
struct Folder {
    /// Of memory and of threads.
    limits: [Option<u64>; 2],
    used: [Option<u64>; 2],
    /// Cycle in which the limits were read; `None`: never.
    looked: Option<u32>,
    /// Cycle in which the rest was read.
    visited: u32,
    /// Cycle in which a service was last seen in it, or below.
    wanted: u32,
}

/// What [`Folder`] holds of each.
const RESOURCES: [Resource; 2] = [Resource::ServiceMemory, Resource::ServicePids];

impl CgroupLimits {
    /// What each service uses of its limits; `services` are names and folders, a service may have
    /// several. Reads as many folders as `budget` allows (at least one), those first that have
    /// waited longest; the others keep what they had.
    pub fn read_within(
        &mut self,
        services: &[(Arc<str>, &Path)],
        budget: Duration,
    ) -> Vec<(Resource, Arc<str>, Use)> {
        self.cycle = self.cycle.wrapping_add(1);
        for (_, path) in services {
            self.want(path);
        }
        let cycle = self.cycle;
        self.folders.retain(|_, folder| folder.wanted == cycle);
        self.visit(budget);
        let mut worst: FxHashMap<(Resource, &Arc<str>), Use> = FxHashMap::default();
        for (service, path) in services {
            for folder in path.ancestors().map_while(|path| self.folders.get(path)) {
                for (at, resource) in RESOURCES.into_iter().enumerate() {
                    let Some(used) = Use::of(folder.used[at], folder.limits[at]) else {
                        continue;
                    };
                    let known = worst.entry((resource, service)).or_insert(used);
                    if used.ratio() > known.ratio() {
                        *known = used;
                    }
                }
            }
        }
        let worst = worst.into_iter();
        worst
            .map(|((resource, service), used)| (resource, Arc::clone(service), used))
            .collect()
    }

    /// Folders that were left to a later cycle in the last one.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Marks a folder and those above it, up to the root of the hierarchy.
    fn want(&mut self, path: &Path) {
        for path in path.ancestors() {
            if let Some(folder) = self.folders.get_mut(path) {
                if folder.wanted == self.cycle {
                    return;
                }
                folder.wanted = self.cycle;
                continue;
            }
            if !path.join("cgroup.procs").exists() {
                return;
            }
            let folder = Folder {
                wanted: self.cycle,
                ..Folder::default()
            };
            self.folders.insert(path.to_owned(), folder);
        }
    }

    fn visit(&mut self, budget: Duration) {
        let start = Instant::now();
        let cycle = self.cycle;
        let mut due: Vec<(&PathBuf, &mut Folder)> = self
            .folders
            .iter_mut()
            .filter(|(_, folder)| folder.outdated(cycle) || folder.limits != [None; 2])
            .collect();
        due.sort_by_key(|(_, folder)| (folder.looked.is_some(), folder.visited));
        self.left_out = 0;
        for (done, (path, folder)) in due.into_iter().enumerate() {
            if done > 0 && start.elapsed() >= budget {
                self.left_out += 1;
                continue;
            }
            if folder.outdated(cycle) {
                folder.limits = [
                    limit(path, &["memory.max", "memory.limit_in_bytes"]),
                    limit(path, &["pids.max"]),
                ];
                folder.looked = Some(cycle);
            }
            folder.used = [
                folder.limits[0].and_then(|_| working_set(path)),
                folder.limits[1].and_then(|_| number(path, "pids.current")),
            ];
            folder.visited = cycle;
        }
    }
}

impl Folder {
    fn outdated(&self, cycle: u32) -> bool {
        self.looked
            .is_none_or(|looked| cycle.wrapping_sub(looked) >= TRUSTED_CYCLES)
    }
}

fn number(path: &Path, file: &str) -> Option<u64> {
    leading_number(&fs::read(path.join(file)).ok()?)
}

/// The limit in the first of these files that is there; `None` if it is no limit.
fn limit(path: &Path, files: &[&str]) -> Option<u64> {
    let text = files
        .iter()
        .find_map(|file| fs::read(path.join(file)).ok())?;
    leading_number(&text).filter(|&limit| limit < UNLIMITED)
}

fn working_set(path: &Path) -> Option<u64> {
    let stat = fs::read(path.join("memory.stat")).ok()?;
    let (used, cache) = match number(path, "memory.current") {
        Some(used) => (used, line_value(&stat, b"inactive_file ")),
        None => (
            number(path, "memory.usage_in_bytes")?,
            line_value(&stat, b"total_inactive_file "),
        ),
    };
    Some(used.saturating_sub(cache.and_then(leading_number)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::limit::fixture::Tree;

    const PATIENT: Duration = Duration::from_secs(60);

    fn read(limits: &mut CgroupLimits, tree: &Tree, dirs: &[(&str, &str)]) -> Vec<String> {
        let paths: Vec<_> = dirs
            .iter()
            .map(|(service, dir)| (Arc::from(*service), tree.path(dir)))
            .collect();
        let services: Vec<_> = paths
            .iter()
            .map(|(service, path)| (Arc::clone(service), path.as_path()))
            .collect();
        let mut rows: Vec<String> = limits
            .read_within(&services, PATIENT)
            .into_iter()
            .map(|(resource, service, Use { used, limit })| {
                format!("{} {service} {used}/{limit}", resource.name())
            })
            .collect();
        rows.sort();
        rows
    }

    fn v2(name: &str) -> Tree {
        let tree = Tree::new(name);
        tree.write("root/cgroup.procs", "");
        for (dir, current, max, inactive) in [
            ("root/shop.slice", 900, "1000", 100),
            ("root/shop.slice/web.service", 500, "max", 0),
            ("root/shop.slice/db.service", 300, "310", 10),
        ] {
            tree.write(&format!("{dir}/cgroup.procs"), "");
            tree.write(&format!("{dir}/memory.current"), &format!("{current}\n"));
            tree.write(&format!("{dir}/memory.max"), &format!("{max}\n"));
            let stat = format!("anon 1\ninactive_file {inactive}\nactive_file 7\n");
            tree.write(&format!("{dir}/memory.stat"), &stat);
        }
        tree.write("root/shop.slice/web.service/pids.max", "max\n");
        tree.write("root/shop.slice/web.service/pids.current", "3\n");
        tree.write("root/shop.slice/db.service/pids.max", "64\n");
        tree.write("root/shop.slice/db.service/pids.current", "60\n");
        tree
    }

    #[test]
    fn a_group_answers_for_those_above_it() {
        let tree = v2("cgroup-above");
        let mut limits = CgroupLimits::default();
        let dirs = [
            ("web.service", "root/shop.slice/web.service"),
            ("db.service", "root/shop.slice/db.service"),
        ];
        let rows = read(&mut limits, &tree, &dirs);
        assert_eq!(
            rows,
            [
                "service_memory db.service 290/310",
                "service_memory web.service 800/1000",
                "service_pids db.service 60/64",
            ]
        );
        // Use is read each cycle, limits once in a while.
        tree.write("root/shop.slice/db.service/pids.current", "61\n");
        tree.write("root/shop.slice/db.service/pids.max", "128\n");
        let rows = read(&mut limits, &tree, &dirs[1..]);
        assert_eq!(
            rows.last().map(String::as_str),
            Some("service_pids db.service 61/64")
        );
        assert_eq!(limits.folders.len(), 3, "the root, the slice, one service");
        for _ in 0..TRUSTED_CYCLES {
            read(&mut limits, &tree, &dirs[1..]);
        }
        let rows = read(&mut limits, &tree, &dirs[1..]);
        assert_eq!(
            rows.last().map(String::as_str),
            Some("service_pids db.service 61/128")
        );
        assert_eq!(read(&mut limits, &tree, &[]), [""; 0]);
        assert!(limits.folders.is_empty());
    }

    #[test]
    fn v1_has_other_names_and_a_number_for_no_limit() {
        let tree = Tree::new("cgroup-v1");
        let stat = "inactive_file 1\ntotal_inactive_file 24\n";
        for (dir, limit) in [("memory", "9223372036854771712\n"), ("memory/a", "1024\n")] {
            tree.write(&format!("{dir}/cgroup.procs"), "");
            tree.write(&format!("{dir}/memory.limit_in_bytes"), limit);
            tree.write(&format!("{dir}/memory.usage_in_bytes"), "1000\n");
            tree.write(&format!("{dir}/memory.stat"), stat);
        }
        tree.write("pids/cgroup.procs", "");
        tree.write("pids/a/cgroup.procs", "");
        tree.write("pids/a/pids.max", "10\n");
        tree.write("pids/a/pids.current", "9\n");
        let mut limits = CgroupLimits::default();
        let dirs = [("a", "memory/a"), ("a", "pids/a"), ("none", "pids")];
        assert_eq!(
            read(&mut limits, &tree, &dirs),
            ["service_memory a 976/1024", "service_pids a 9/10"]
        );
        assert_eq!(read(&mut limits, &tree, &[("a", "memory/gone")]), [""; 0]);
    }

    #[test]
    fn without_time_one_folder_is_read_and_the_others_follow() {
        let tree = v2("cgroup-late");
        let path = tree.path("root/shop.slice/db.service");
        let services = [(Arc::from("db"), path.as_path())];
        let mut limits = CgroupLimits::default();
        for _ in 0..3 {
            limits.read_within(&services, Duration::ZERO);
        }
        let rows = limits.read_within(&services, Duration::ZERO);
        assert_eq!(rows.len(), 2);
        assert_eq!(limits.left_out(), 1, "of those with a limit");
    }
}
