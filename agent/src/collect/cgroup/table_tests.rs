//! Processes and cgroups below a `/proc` of the test's own.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use super::*;

const ID: &str = "4f1c9e0b7a6d52830c4be19f7d3a86521e0f9c7b4d8a63520fb1e9d7c3a86540";

/// A `/proc` with files `PID/cgroup`, and v1 and v2 hierarchies that are plain directories.
struct Host {
    root: PathBuf,
    cgroups: Cgroups,
}

impl Host {
    fn new(v1: bool) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("hostlens-cgroups-{}-{number}", std::process::id());
        let root = std::env::temp_dir().join(name);
        fs::create_dir_all(&root).unwrap();
        let mut mounts = format!("1 1 0:1 / {}/v2 rw - cgroup2 c rw\n", root.display());
        if v1 {
            for controller in ["memory", "pids", "name=systemd"] {
                let point = root.join(controller);
                fs::create_dir_all(point.join("any")).unwrap();
                let line = format!(
                    "1 1 0:1 / {} rw - cgroup c rw,{controller}\n",
                    point.display()
                );
                mounts.push_str(&line);
            }
        }
        let hierarchies = Hierarchies::parse(&mounts);
        let mut cgroups = Cgroups::new(&root, &root, hierarchies);
        cgroups.v1_in_use = v1;
        Self { root, cgroups }
    }

    fn process(&self, pid: u32, text: &str) -> TaskRecord {
        fs::create_dir_all(self.root.join(pid.to_string())).unwrap();
        fs::write(self.root.join(format!("{pid}/cgroup")), text).unwrap();
        TaskRecord {
            kind: TaskKind::Process as u32,
            tgid: pid,
            ..TaskRecord::default()
        }
    }

    fn of(&mut self, text: &str) -> String {
        let record = self.process(7, text);
        self.cgroups.service_of(&record).to_string()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

#[test]
fn the_hierarchy_of_systemd_is_preferred() {
    let mut host = Host::new(true);
    let units = "5:pids:/system.slice\n4:memory:/\n1:name=systemd:/system.slice/a.service\n\
                 0::/system.slice/b.service\n";
    assert_eq!(host.of(units), "a.service");
    let v2 = "4:memory:/\n1:name=systemd:/\n0::/system.slice/b.service\n";
    assert_eq!(host.of(v2), "b.service");
    assert_eq!(host.of("4:memory:/\n1:name=systemd:/\n0::/\n"), "");
}

#[test]
fn a_container_counts_more_than_the_unit_of_its_runtime() {
    let mut host = Host::new(true);
    let text =
        format!("4:memory:/docker/{ID}\n1:name=systemd:/\n0::/system.slice/containerd.service\n");
    assert_eq!(host.of(&text), &ID[..12]);
}

#[test]
fn directories_are_those_of_the_whole() {
    let mut host = Host::new(true);
    let text = "5:pids:/system.slice/a.service\n4:memory:/system.slice/a.service\n\
                1:name=systemd:/system.slice/a.service/sub\n0::/\n";
    host.of(text);
    let (service, paths) = host.cgroups.live().next().unwrap();
    assert_eq!(&**service, "a.service");
    let memory = host.root.join("memory/system.slice/a.service");
    assert_eq!(paths.controller("memory"), Some(memory.as_path()));
    let systemd = host.root.join("name=systemd/system.slice/a.service");
    assert_eq!(paths.controller("name=systemd"), Some(systemd.as_path()));
    assert_eq!(paths.v2, None);
    assert_eq!(host.cgroups.live().count(), 1);
}

#[test]
fn what_ended_bears_the_service_of_those_it_lived_with() {
    let mut host = Host::new(true);
    let text = format!("4:memory:/docker/{ID}\n1:name=systemd:/docker/{ID}\n0::/\n");
    let mut record = host.process(7, &text);
    record.cgroup_id = 4711;
    record.flags = TaskFlags::CGROUP_V1;
    assert_eq!(&*host.cgroups.service_of(&record), &ID[..12]);
    let ended = TaskRecord {
        kind: TaskKind::Final as u32,
        tgid: 8,
        ..record
    };
    assert_eq!(&*host.cgroups.service_of(&ended), &ID[..12]);
    // Once others live there too, its path decides, and that cannot be found here.
    let mut other = host.process(9, "4:memory:/\n1:name=systemd:/b.service\n");
    other.cgroup_id = 4711;
    other.flags = TaskFlags::CGROUP_V1;
    assert_eq!(&*host.cgroups.service_of(&other), "b.service");
    assert_eq!(&*host.cgroups.service_of(&ended), UNKNOWN);
}

#[test]
fn what_nobody_names_is_forgotten() {
    let mut host = Host::new(true);
    for number in 0..500 {
        let text = format!("1:name=systemd:/system.slice/s{number}.service\n0::/\n");
        let mut record = host.process(7, &text);
        record.cgroup_id = 100 + number;
        assert_eq!(
            *host.cgroups.service_of(&record),
            *format!("s{number}.service")
        );
    }
    let used = |host: &Host| host.cgroups.fill().map(|fill| fill.used);
    assert_eq!(used(&host), [500, 500]);
    let stays: Arc<str> = "s3.service".into();
    let id = CgroupId { v1: false, id: 103 };
    host.cgroups.end_cycle(true, [(id, &stays)].into_iter());
    assert_eq!(used(&host), [500, 500]);
    host.cgroups.end_cycle(false, std::iter::empty());
    assert_eq!(used(&host), [500, 500], "not everything was seen");
    host.cgroups.end_cycle(true, [(id, &stays)].into_iter());
    assert_eq!(used(&host), [1, 1]);
    host.cgroups.end_cycle(true, std::iter::empty());
    host.cgroups.end_cycle(true, std::iter::empty());
    assert_eq!(used(&host), [0, 0]);
}

#[test]
fn a_cgroup_that_is_not_known_is_nobodys() {
    let mut host = Host::new(false);
    let none = CgroupId { v1: false, id: 0 };
    assert_eq!(&*host.cgroups.service(none), "");
    assert_eq!(host.cgroups.path(none), None);
    assert_eq!(&*host.cgroups.service_in("blkio", 0), "");
    let root = CgroupId { v1: false, id: 1 };
    assert_eq!(&*host.cgroups.service(root), "");
    assert_eq!(host.cgroups.path(root).as_deref(), Some("/"));
    let gone = CgroupId { v1: false, id: 99 };
    assert_eq!(&*host.cgroups.service(gone), UNKNOWN);
}

/// A cgroup of the kernel that runs the test, removed at the end.
struct Live(PathBuf);

impl Drop for Live {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn cgroups_of_this_kernel_are_found_by_their_ids() {
    let mut cgroups = Cgroups::default();
    let mut trees: Vec<_> = cgroups
        .hierarchies
        .v2
        .iter()
        .map(|tree| (None, tree))
        .collect();
    let v1 = cgroups.hierarchies.v1.iter();
    trees.extend(v1.map(|tree| (tree.controllers.first().cloned(), tree)));
    let mut made = Vec::new();
    for (controller, tree) in trees {
        let path = tree
            .directory(&format!("/docker-{ID}-{}.scope", std::process::id()))
            .unwrap();
        if controller.as_deref() == Some("cpuset") || fs::create_dir(&path).is_err() {
            continue;
        }
        let id = fs::metadata(&path).unwrap().ino();
        made.push((controller, id, Live(path)));
    }
    for (controller, id, live) in &made {
        let service = match controller {
            Some(controller) => cgroups.service_in(controller, *id),
            None => cgroups.service(CgroupId { v1: false, id: *id }),
        };
        if cgroups.degraded().is_some() {
            println!("SKIP: needs CAP_DAC_READ_SEARCH");
            return;
        }
        assert_eq!(&*service, &ID[..12], "{}", live.0.display());
        assert!(
            cgroups
                .live()
                .any(|(_, paths)| paths.all().any(|path| *path == *live.0)),
            "{}",
            live.0.display()
        );
    }
    println!("{} hierarchies", made.len());
}
