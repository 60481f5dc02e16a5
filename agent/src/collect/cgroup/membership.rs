//! `/proc/PID/cgroup`: the place of one process in every hierarchy.

/// One line: a hierarchy and the path in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Membership<'a> {
    /// Controllers, by comma; `name=systemd` of a v1 hierarchy without any; empty on v2.
    pub controllers: &'a str,
    /// Path, made plain.
    pub path: &'a str,
}

impl Membership<'_> {
    /// The hierarchies whose path tells most come first: that of systemd, v2, then controllers.
    fn rank(&self) -> u8 {
        match self.controllers {
            "name=systemd" => 0,
            "" => 1,
            "memory" => 2,
            _ => 3,
        }
    }
}

/// A path as the host would name it: without the mark of a removed cgroup, and without the way up
/// out of the cgroup namespace of whoever reads it.
pub(super) fn plain(path: &str) -> &str {
    let mut path = path.strip_suffix(" (deleted)").unwrap_or(path);
    while let Some(rest) = path.strip_prefix("/..") {
        if !(rest.is_empty() || rest.starts_with('/')) {
            break;
        }
        path = rest;
    }
    if path.is_empty() { "/" } else { path }
}

/// The memberships of a process, those that tell most first.
pub(super) fn parse(text: &str) -> Vec<Membership<'_>> {
    let mut all: Vec<_> = text
        .lines()
        .filter_map(|line| {
            // 4:memory:/system.slice/cron.service
            let mut fields = line.splitn(3, ':');
            let (_hierarchy, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
            path.starts_with('/').then_some(Membership {
                controllers,
                path: plain(path),
            })
        })
        .collect();
    all.sort_by_key(Membership::rank);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hierarchy_of_systemd_comes_first() {
        let text = "12:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n\
                    1:name=systemd:/docker/a:b\n0::/system.slice/docker.service\nnonsense\n3:x\n";
        let all: Vec<_> = parse(text)
            .iter()
            .map(|line| (line.controllers, line.path))
            .collect();
        assert_eq!(
            all,
            [
                ("name=systemd", "/docker/a:b"),
                ("", "/system.slice/docker.service"),
                ("memory", "/docker/abc"),
                ("cpu,cpuacct", "/docker/abc"),
            ]
        );
    }

    #[test]
    fn paths_are_made_plain() {
        assert_eq!(plain("/"), "/");
        assert_eq!(plain("/../.."), "/");
        assert_eq!(plain("/../../a.slice/b.service"), "/a.slice/b.service");
        assert_eq!(plain("/..a"), "/..a");
        assert_eq!(plain("/a.service (deleted)"), "/a.service");
    }
}
