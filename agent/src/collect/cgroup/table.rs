//! Every cgroup in use, resolved once.

use std::{io, path::Path, sync::Arc};

use hostlens_ebpf::wire::{TaskFlags, TaskKind, TaskRecord};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    CgroupId,
    hierarchy::{Hierarchies, Hierarchy, Paths},
    membership::{self, Membership},
    names::{ContainerNames, clip},
    shape::{self, Kind, Shape},
};
use crate::{
    collect::proc_file::{self, ProcReader},
    model::{MapFill, UNKNOWN},
};

/// Cgroups remembered at most; further ones are resolved each time.
const MOST: usize = 1 << 14;
/// Complete cycles without anybody in it after which a cgroup is forgotten.
const GONE: u32 = 2;
/// Cycles between two looks at which directories are still there.
const LOOK_EVERY: u32 = 8;

/// A cgroup of one hierarchy: `None` is v2, else the place of a v1 hierarchy in the list.
type Node = (Option<usize>, u64);

/// What is known of a cgroup by its id.
#[derive(Debug)]
struct Known {
    /// By its path.
    service: Arc<str>,
    path: Option<Arc<str>>,
    borne: Borne,
    used: u32,
}

/// The service of the processes in it, where these have paths of their own (v1).
#[derive(Clone, Debug, PartialEq, Eq)]
enum Borne {
    Unseen,
    One(Arc<str>),
    Several,
}

/// The cgroup of a container or unit as a whole.
#[derive(Debug)]
struct Home {
    service: Arc<str>,
    paths: Paths,
    used: u32,
}

/// Which container or unit a cgroup belongs to. Every cgroup is looked at once; it is forgotten
/// two complete cycles after nobody named it.
#[derive(Debug)]
pub struct Cgroups {
    hierarchies: Hierarchies,
    v1_in_use: bool,
    proc: ProcReader,
    names: ContainerNames,
    known: FxHashMap<Node, Known>,
    /// By their path.
    homes: FxHashMap<Box<str>, Home>,
    cycle: u32,
    refused: bool,
    nobody: Arc<str>,
    unknown: Arc<str>,
}

impl Default for Cgroups {
    fn default() -> Self {
        Self::below(&proc_file::proc_root())
    }
}

impl Cgroups {
    /// The cgroups of this host, with processes below `proc`.
    pub fn below(proc: &Path) -> Self {
        Self::new(proc, Path::new("/"), Hierarchies::read())
    }

    pub(super) fn new(proc: &Path, root: &Path, hierarchies: Hierarchies) -> Self {
        Self {
            v1_in_use: hierarchies.v1_in_use(),
            hierarchies,
            proc: ProcReader::new(proc),
            names: ContainerNames::new(root),
            known: FxHashMap::default(),
            homes: FxHashMap::default(),
            cycle: 0,
            refused: false,
            nobody: "".into(),
            unknown: UNKNOWN.into(),
        }
    }

    /// The container or unit of a cgroup: empty if it belongs to neither, [`UNKNOWN`] if it has
    /// gone before anybody looked.
    pub fn service(&mut self, id: CgroupId) -> Arc<str> {
        match self.node(id) {
            Some(node) => self.of_node(node, id.is_root()),
            None => Arc::clone(&self.nobody),
        }
    }

    /// The same for a cgroup of the hierarchy that holds a controller (`blkio`, `memory`, …): a
    /// v1 hierarchy if it is in one, else v2.
    pub fn service_in(&mut self, controller: &str, id: u64) -> Arc<str> {
        if id == 0 {
            return Arc::clone(&self.nobody);
        }
        self.of_node((self.hierarchies.index(controller), id), id == 1)
    }

    /// The path of a cgroup below the root of its hierarchy; `None` if it is not known or has
    /// gone before anybody looked.
    pub fn path(&mut self, id: CgroupId) -> Option<Arc<str>> {
        let node = self.node(id)?;
        self.of_node(node, false);
        self.known.get(&node)?.path.clone()
    }

    /// The containers and units that processes are in now, with the directories of their cgroups.
    /// One with several cgroups (sessions of users) comes once for each.
    pub fn live(&self) -> impl Iterator<Item = (&Arc<str>, &Paths)> {
        let homes = self.homes.values();
        homes.map(|home| (&home.service, &home.paths))
    }

    /// The container or unit of a process. Where its paths have to be read, the process with this
    /// id must still be the one meant: ask at once.
    pub fn service_of(&mut self, record: &TaskRecord) -> Arc<str> {
        let id = CgroupId::of(record);
        let lives =
            record.kind == TaskKind::Process as u32 && record.flags & TaskFlags::ZOMBIE == 0;
        let kernel = record.flags & TaskFlags::KERNEL_THREAD != 0;
        let by_paths = self.v1_in_use || id.id == 0;
        let asked = lives && by_paths && !(kernel && id.is_root());
        if asked && let Some(service) = self.of_process(record.tgid) {
            self.bear(id, &service);
            return service;
        }
        let service = self.service(id);
        if lives && *service == *UNKNOWN {
            return self.of_process(record.tgid).unwrap_or(service);
        }
        service
    }

    /// A walk over all processes is over: `living` are their cgroups and services.
    pub fn end_cycle<'a>(
        &mut self,
        complete: bool,
        living: impl Iterator<Item = (CgroupId, &'a Arc<str>)>,
    ) {
        self.cycle = self.cycle.wrapping_add(u32::from(complete));
        let mut services = FxHashSet::default();
        let mut last = None;
        for (id, service) in living {
            if last == Some((id, service)) {
                continue;
            }
            last = Some((id, service));
            services.insert(Arc::clone(service));
            if let Some(known) = self.node(id).and_then(|node| self.known.get_mut(&node)) {
                known.used = self.cycle;
            }
        }
        let look = complete && self.cycle.is_multiple_of(LOOK_EVERY);
        let cycle = self.cycle;
        self.known
            .retain(|_, known| cycle.wrapping_sub(known.used) < GONE);
        self.homes.retain(|_, home| {
            if services.contains(&home.service) {
                home.used = cycle;
            }
            let there = || home.paths.all().any(Path::exists);
            cycle.wrapping_sub(home.used) < GONE && (!look || there())
        });
        if look {
            self.look_at_mounts();
        }
        self.v1_in_use = self.hierarchies.v1_in_use();
    }

    /// How many cgroups, and how many containers and units are remembered.
    pub fn fill(&self) -> [MapFill; 2] {
        let fill = |map, used: usize| MapFill {
            map,
            used: used as u64,
            capacity: MOST as u64,
        };
        [
            fill("cgroups", self.known.len()),
            fill("services", self.homes.len()),
        ]
    }

    /// What tells the container or unit of a process.
    pub fn source(&self) -> &'static str {
        if self.v1_in_use || self.refused {
            "proc_cgroup"
        } else {
            "cgroup_id"
        }
    }

    /// Why paths of cgroups are not found by their ids; `None` if they are.
    pub fn degraded(&self) -> Option<&'static str> {
        self.refused.then_some(
            "cgroups are found by process alone, as handles of files need CAP_DAC_READ_SEARCH",
        )
    }

    fn look_at_mounts(&mut self) {
        let now = Hierarchies::read();
        if now != self.hierarchies {
            self.hierarchies = now;
            self.known.clear();
        }
    }

    fn node(&self, id: CgroupId) -> Option<Node> {
        let tree = if id.v1 {
            self.hierarchies.index("memory")
        } else {
            None
        };
        (id.id != 0).then_some((tree, id.id))
    }

    fn hierarchy(&self, tree: Option<usize>) -> Option<&Hierarchy> {
        match tree {
            Some(index) => self.hierarchies.v1.get(index),
            None => self.hierarchies.v2.as_ref(),
        }
    }

    fn of_node(&mut self, node: Node, root: bool) -> Arc<str> {
        if let Some(known) = self.known.get_mut(&node) {
            known.used = self.cycle;
            return match &known.borne {
                Borne::One(service) => Arc::clone(service),
                _ => Arc::clone(&known.service),
            };
        }
        let (service, path) = if root {
            (Arc::clone(&self.nobody), Some("/".into()))
        } else {
            self.resolve(node)
        };
        if self.known.len() < MOST {
            let known = Known {
                service: Arc::clone(&service),
                path,
                borne: Borne::Unseen,
                used: self.cycle,
            };
            self.known.insert(node, known);
        }
        service
    }

    fn resolve(&mut self, (tree, id): Node) -> (Arc<str>, Option<Arc<str>>) {
        let Some(hierarchy) = self.hierarchy(tree) else {
            return (Arc::clone(&self.unknown), None);
        };
        let controllers = hierarchy.controllers.join(",");
        match hierarchy.path_of(id) {
            Ok(path) => {
                let place = Membership {
                    controllers: &controllers,
                    path: &path,
                };
                (self.settle(&[place]), Some(path.as_str().into()))
            }
            Err(error) => {
                self.refused |= error.kind() == io::ErrorKind::PermissionDenied;
                (Arc::clone(&self.unknown), None)
            }
        }
    }

    fn of_process(&mut self, pid: u32) -> Option<Arc<str>> {
        let text = self.proc.read(pid, "cgroup").ok()?;
        let text = String::from_utf8_lossy(text).into_owned();
        Some(self.settle(&membership::parse(&text)))
    }

    /// Notes whose process is in a cgroup.
    fn bear(&mut self, id: CgroupId, service: &Arc<str>) {
        let Some(node) = self.node(id).filter(|_| !id.is_root()) else {
            return;
        };
        self.of_node(node, false);
        if let Some(known) = self.known.get_mut(&node) {
            known.borne = match &known.borne {
                Borne::Unseen => Borne::One(Arc::clone(service)),
                Borne::One(other) if other == service => return,
                _ => Borne::Several,
            };
        }
    }

    /// The container or unit of who is in all these places. A container in any hierarchy counts
    /// more than a unit: that may be the one of the runtime that made the container.
    fn settle(&mut self, places: &[Membership<'_>]) -> Arc<str> {
        let shapes = places
            .iter()
            .filter_map(|place| Some((place, shape::of(place.path)?)));
        let shapes: Vec<_> = shapes.collect();
        let container = shapes
            .iter()
            .find(|(_, shape)| !matches!(shape.kind, Kind::Unit(_)));
        let Some((_, best)) = container.or(shapes.first()) else {
            return Arc::clone(&self.nobody);
        };
        let service = match self.homes.get_mut(best.own) {
            Some(home) => {
                home.used = self.cycle;
                Arc::clone(&home.service)
            }
            None => self.label(best).into(),
        };
        let own = shapes
            .iter()
            .filter(|(_, shape)| shape.kind == best.kind)
            .map(|(place, shape)| (place.controllers, shape.own));
        self.settle_home(best.own, &service, own);
        service
    }

    fn label(&self, shape: &Shape<'_>) -> String {
        match &shape.kind {
            Kind::Container(container) => self.names.name(container),
            Kind::Named(name) | Kind::Unit(name) => clip(name.to_string()),
        }
    }

    fn settle_home<'a>(
        &mut self,
        path: &str,
        service: &Arc<str>,
        own: impl Iterator<Item = (&'a str, &'a str)>,
    ) {
        if !self.homes.contains_key(path) && self.homes.len() >= MOST {
            return;
        }
        let hierarchies = &self.hierarchies;
        let home = self.homes.entry(path.into()).or_insert_with(|| Home {
            service: Arc::clone(service),
            paths: Paths::default(),
            used: self.cycle,
        });
        for (controllers, own) in own {
            if controllers.is_empty() {
                let v2 = hierarchies.v2.as_ref();
                home.paths.v2 = home
                    .paths
                    .v2
                    .take()
                    .or_else(|| v2.and_then(|v2| v2.directory(own)));
                continue;
            }
            for controller in controllers.split(',') {
                let known = home.paths.v1.iter().any(|(name, _)| **name == *controller);
                let hierarchy = hierarchies.controller(controller).filter(|_| !known);
                if let Some(directory) = hierarchy.and_then(|tree| tree.directory(own)) {
                    home.paths.v1.push((controller.into(), directory));
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
