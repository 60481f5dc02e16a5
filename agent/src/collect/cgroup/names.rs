//! Names of containers, where their runtime leaves them on disk.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::shape::Container;

/// Refuses to read more than this of any file, bytes.
const MOST_BYTES: u64 = 8 << 20;
/// Entries of a directory looked at, at most.
const MOST_ENTRIES: usize = 20_000;
/// Characters of a name shown, at most.
const MOST_CHARS: usize = 120;

/// `config.v2.json` of Docker.
#[derive(Deserialize)]
struct DockerConfig {
    #[serde(rename = "Name")]
    name: String,
}

/// An entry of `containers.json` of containers/storage, which Podman and Buildah use.
#[derive(Deserialize)]
struct StoredContainer {
    id: String,
    #[serde(default)]
    names: Vec<String>,
}

/// Looks names up below one root directory.
#[derive(Clone, Debug)]
pub(super) struct ContainerNames {
    root: PathBuf,
}

impl ContainerNames {
    /// Looks below `root` (`/`, or a fixture).
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// What a container is called: `NAMESPACE/POD/CONTAINER` in Kubernetes, else the name its
    /// owner gave it; parts of it that are nowhere to be found are ids.
    pub fn name(&self, container: &Container<'_>) -> String {
        let short = container.short();
        let name = match &container.pod {
            Some(uid) => {
                let known = container.id.and_then(|id| self.in_pod(id));
                known.unwrap_or_else(|| {
                    let pod = self.pod(uid).unwrap_or_else(|| format!("pod-{uid}"));
                    short.map_or(pod.clone(), |short| format!("{pod}/{short}"))
                })
            }
            None => container
                .id
                .and_then(|id| {
                    self.docker(id)
                        .or_else(|| self.storage(id))
                        .or_else(|| self.nerdctl(id))
                })
                .or_else(|| short.map(str::to_owned))
                .unwrap_or_default(),
        };
        clip(name)
    }

    fn docker(&self, id: &str) -> Option<String> {
        let path = format!("var/lib/docker/containers/{id}/config.v2.json");
        let config: DockerConfig = serde_json::from_slice(&read(&self.root.join(path))?).ok()?;
        let name = config.name.trim_start_matches('/');
        (!name.is_empty()).then(|| name.to_owned())
    }

    fn storage(&self, id: &str) -> Option<String> {
        let storage = self
            .root
            .join("var/lib/containers/storage/overlay-containers");
        let files = ["containers.json", "volatile-containers.json"].into_iter();
        files
            .filter_map(|file| read(&storage.join(file)))
            .filter_map(|text| serde_json::from_slice::<Vec<StoredContainer>>(&text).ok())
            .flatten()
            .find(|container| container.id == id)
            .and_then(|container| container.names.into_iter().next())
    }

    /// nerdctl keeps one file per name, with the id in it.
    fn nerdctl(&self, id: &str) -> Option<String> {
        let stores = entries(&self.root.join("var/lib/nerdctl"));
        let names = stores
            .flat_map(|store| entries(&store.join("names")))
            .flat_map(|namespace| entries(&namespace));
        let mut own =
            names.filter(|name| read(name).is_some_and(|text| text.trim_ascii() == id.as_bytes()));
        Some(text(own.next()?.file_name()?)?.to_owned())
    }

    /// kubelet links the log of each container as `POD_NAMESPACE_CONTAINER-ID.log`.
    fn in_pod(&self, id: &str) -> Option<String> {
        let end = format!("-{id}.log");
        let logs = entries(&self.root.join("var/log/containers"));
        let log = logs
            .filter_map(|log| Some(text(log.file_name()?)?.to_owned()))
            .find(|log| log.ends_with(&end))?;
        // None of the three may hold an underscore.
        let mut fields = log.strip_suffix(&end)?.splitn(3, '_');
        let (pod, namespace, name) = (fields.next()?, fields.next()?, fields.next()?);
        Some(format!("{namespace}/{pod}/{name}"))
    }

    /// kubelet keeps the logs of a pod below `NAMESPACE_POD_UID`.
    fn pod(&self, uid: &str) -> Option<String> {
        let pods = entries(&self.root.join("var/log/pods"));
        let pod = pods
            .filter_map(|pod| Some(text(pod.file_name()?)?.to_owned()))
            .find(|pod| {
                pod.strip_suffix(uid)
                    .is_some_and(|rest| rest.ends_with('_'))
            })?;
        let mut fields = pod.splitn(3, '_');
        Some(format!("{}/{}", fields.next()?, fields.next()?))
    }
}

/// A name no longer than what is shown of it.
pub(super) fn clip(mut name: String) -> String {
    if let Some((end, _)) = name.char_indices().nth(MOST_CHARS) {
        name.truncate(end);
    }
    name
}

fn text(name: &OsStr) -> Option<&str> {
    name.to_str()
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries
        .take(MOST_ENTRIES)
        .filter_map(Result::ok)
        .map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const ID: &str = "4f1c9e0b7a6d52830c4be19f7d3a86521e0f9c7b4d8a63520fb1e9d7c3a86540";
    const POD: &str = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";

    /// Files below a directory of their own, removed at the end.
    struct Disk(PathBuf);

    impl Disk {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let name = format!("hostlens-names-{name}-{}", std::process::id());
            let disk = Self(std::env::temp_dir().join(name));
            for (path, content) in files {
                let path = disk.0.join(path.replace("ID", ID));
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, content.replace("ID", ID)).unwrap();
            }
            disk
        }

        fn name(&self, pod: bool) -> String {
            ContainerNames::new(&self.0).name(&Container {
                id: Some(ID),
                pod: pod.then_some(POD.into()),
            })
        }
    }

    impl Drop for Disk {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn without_a_name_the_short_id_must_do() {
        let disk = Disk::new("none", &[]);
        assert_eq!(disk.name(false), "4f1c9e0b7a6d");
        assert_eq!(disk.name(true), format!("pod-{POD}/4f1c9e0b7a6d"));
        let pod = Container {
            id: None,
            pod: Some(POD.into()),
        };
        let names = ContainerNames::new(&disk.0);
        assert_eq!(names.name(&pod), format!("pod-{POD}"));
    }

    #[test]
    fn docker_leaves_its_name() {
        let config = "var/lib/docker/containers/ID/config.v2.json";
        let text = r#"{"StreamConfig":{},"ID":"x","Name":"/web-1","Driver":"overlay2"}"#;
        let disk = Disk::new("docker", &[(config, text)]);
        assert_eq!(disk.name(false), "web-1");
        let broken = Disk::new("broken", &[(config, "{\"Name\": 7}")]);
        assert_eq!(broken.name(false), "4f1c9e0b7a6d");
    }

    #[test]
    fn podman_and_nerdctl_leave_theirs() {
        let list = r#"[{"id":"0","names":["a"]},{"id":"ID","names":["db","alias"],"layer":"1"}]"#;
        let storage = "var/lib/containers/storage/overlay-containers/volatile-containers.json";
        assert_eq!(Disk::new("podman", &[(storage, list)]).name(false), "db");
        let names = [
            ("var/lib/nerdctl/1935db59/names/default/other", "0"),
            ("var/lib/nerdctl/1935db59/names/default/cache", "ID\n"),
        ];
        assert_eq!(Disk::new("nerdctl", &names).name(false), "cache");
    }

    #[test]
    fn kubelet_leaves_the_names_of_pods() {
        let log = format!("var/log/containers/web-0_shop_nginx-{ID}.log");
        let disk = Disk::new("kube", &[(&log, "")]);
        assert_eq!(disk.name(true), "shop/web-0/nginx");
        let pod = format!("var/log/pods/shop_web-0_{POD}/nginx/0.log");
        let disk = Disk::new("pod", &[(&pod, "")]);
        assert_eq!(disk.name(true), "shop/web-0/4f1c9e0b7a6d");
    }

    #[test]
    fn names_are_bounded() {
        assert_eq!(clip("ä".repeat(500)).chars().count(), MOST_CHARS);
        assert_eq!(clip("short".to_owned()), "short");
    }
}
