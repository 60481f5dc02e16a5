//! What a cgroup path says of who made it: the shapes that container runtimes and systemd give
//! their cgroups.

use std::borrow::Cow;

/// What a path belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape<'p> {
    pub kind: Kind<'p>,
    /// The path of its own cgroup: `path` itself or a part of it from the start.
    pub own: &'p str,
}

/// Who keeps processes there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind<'p> {
    /// A container known by an id, whose name its runtime may have left somewhere.
    Container(Container<'p>),
    /// A container or virtual machine that bears its name in the path.
    Named(Cow<'p, str>),
    /// A unit of systemd, or a group of them.
    Unit(Cow<'p, str>),
}

/// A container with an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Container<'p> {
    /// Its id, mostly 64 hexadecimal digits; `None`: the pod as a whole.
    pub id: Option<&'p str>,
    /// Uid of its Kubernetes pod, with dashes.
    pub pod: Option<Cow<'p, str>>,
}

/// Digits of an id as container runtimes show it.
const SHORT: usize = 12;

impl Container<'_> {
    /// The id as runtimes show it: its first twelve digits.
    pub fn short(&self) -> Option<&str> {
        self.id.map(|id| match id.get(..SHORT) {
            Some(short) if short.bytes().all(|digit| digit.is_ascii_hexdigit()) => short,
            _ => id,
        })
    }
}

/// Looks at a path; `None` if neither a container nor a unit is in it.
pub(super) fn of(path: &str) -> Option<Shape<'_>> {
    container(path).or_else(|| unit(path))
}

/// The parts of a path, each with the path up to its end.
fn parts(path: &str) -> impl Iterator<Item = (&str, &str)> {
    let ends = path
        .match_indices('/')
        .map(|(at, _)| at)
        .chain([path.len()]);
    let mut start = 0;
    ends.filter_map(move |end| {
        let part = path.get(start..end).unwrap_or_default();
        start = end + 1;
        (!part.is_empty()).then(|| (part, path.get(..end).unwrap_or_default()))
    })
}

/// The innermost container: what runs in a container in a container runs in the inner one.
fn container(path: &str) -> Option<Shape<'_>> {
    let parts: Vec<_> = parts(path).collect();
    (0..parts.len()).rev().find_map(|index| {
        let (before, from) = parts.split_at_checked(index)?;
        let &(part, own) = from.first()?;
        let outer: Vec<&str> = before.iter().map(|(part, _)| *part).collect();
        let kind = match by_id(part, &outer) {
            Some(id) => Kind::Container(Container {
                id: Some(id),
                pod: outer.iter().chain([&part]).find_map(|part| pod(part)),
            }),
            None => match named(part, &outer) {
                Some(name) => Kind::Named(name),
                None => Kind::Container(Container {
                    id: None,
                    pod: Some(pod(part)?),
                }),
            },
        };
        Some(Shape { kind, own })
    })
}

/// Whether this is an id as Docker, containerd, CRI-O and Podman draw them.
fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// The id of the container whose cgroup is called `part`.
fn by_id<'p>(part: &'p str, outer: &[&str]) -> Option<&'p str> {
    // kubepods-besteffort-podUID.slice:cri-containerd:ID
    if let Some((_, id)) = part.rsplit_once(":cri-containerd:") {
        return Some(id);
    }
    // docker-ID.scope, nerdctl-ID.scope, cri-containerd-ID.scope, crio-ID, libpod-conmon-ID.scope,
    // or the bare ID; ID-SUFFIX.service is a health check that Podman runs by timer.
    let stem = part.split('.').next().unwrap_or(part);
    if let Some(id) = stem.split('-').find(|piece| is_id(piece)) {
        return Some(id);
    }
    match outer {
        // /ecs/TASK/CONTAINER, where the task or the container may be known by other ids.
        ["ecs", _] => Some(part),
        ["garden"] => Some(part),
        _ => None,
    }
}

/// The name of the container, machine or job whose cgroup is called `part`.
fn named<'p>(part: &'p str, outer: &[&str]) -> Option<Cow<'p, str>> {
    let parent = outer.last().copied().unwrap_or_default();
    for prefix in ["lxc.payload.", "lxc.monitor."] {
        if let Some(name) = part.strip_prefix(prefix) {
            return Some(name.into());
        }
    }
    if matches!(parent, "lxc" | "lxc.payload" | "lxc.monitor") {
        return Some(part.into());
    }
    if let Some(name) = part
        .strip_prefix("systemd-nspawn@")
        .and_then(|rest| rest.strip_suffix(".service"))
    {
        return Some(unescape(name));
    }
    if let Some(name) = part
        .strip_prefix("machine-")
        .and_then(|rest| rest.strip_suffix(".scope"))
    {
        return Some(machine(unescape(name)));
    }
    match (parent, part) {
        ("docker", "buildkit") => return Some(part.into()),
        ("default", name) if outer.len() == 1 => return Some(name.into()),
        _ => {}
    }
    let within = |name: &str| outer.iter().any(|part| part.starts_with(name));
    if within("nomad") {
        return nomad(part);
    }
    if within("slurm") && part.starts_with("job_") {
        return Some(format!("slurm_{part}").into());
    }
    None
}

/// The task in the name of a cgroup of Nomad: ALLOCATION.TASK, an allocation being a UUID.
fn nomad(part: &str) -> Option<Cow<'_, str>> {
    let (allocation, task) = part
        .strip_suffix(".scope")
        .unwrap_or(part)
        .split_once('.')?;
    (is_uid(allocation) && !task.is_empty()).then(|| task.into())
}

/// The name of a virtual machine or container as its owner knows it: libvirt registers it as
/// `qemu-NUMBER-NAME`, with a new number at each start.
fn machine(registered: Cow<'_, str>) -> Cow<'_, str> {
    let mut fields = registered.splitn(3, '-');
    match (fields.next(), fields.next(), fields.next()) {
        (Some("qemu" | "lxc" | "xen"), Some(number), Some(name))
            if number.bytes().all(|digit| digit.is_ascii_digit()) =>
        {
            name.to_owned().into()
        }
        _ => registered,
    }
}

/// The uid of the pod whose cgroup is called `part`: `podUID`, or with systemd
/// `kubepods-burstable-podUID.slice` with underscores for dashes.
fn pod(part: &str) -> Option<Cow<'_, str>> {
    let part = part.split(':').next().unwrap_or(part);
    let uid = match part.strip_suffix(".slice") {
        Some(slice) => slice.rsplit_once("-pod").map(|(_, uid)| uid)?,
        None => part.strip_prefix("pod")?,
    };
    is_uid(uid).then(|| match uid.contains('_') {
        true => uid.replace('_', "-").into(),
        false => uid.into(),
    })
}

/// A UUID, or as static pods have it 32 digits.
fn is_uid(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_hexdigit).count();
    let dashes = text.bytes().filter(|byte| b"-_".contains(byte)).count();
    digits == 32 && (dashes == 0 || dashes == 4) && text.len() == digits + dashes
}

/// The outermost unit that is no slice, or the innermost slice.
fn unit(path: &str) -> Option<Shape<'_>> {
    const KINDS: [&str; 6] = [
        ".service",
        ".scope",
        ".socket",
        ".mount",
        ".swap",
        ".automount",
    ];
    let mut slice = None;
    for (part, own) in parts(path) {
        if part.ends_with(".slice") {
            slice = Some(Shape {
                kind: Kind::Unit(part.into()),
                own,
            });
        } else if let Some(kind) = KINDS.into_iter().find(|kind| part.ends_with(kind)) {
            let kind = Kind::Unit(unit_name(part, kind));
            return Some(Shape { kind, own });
        }
    }
    slice
}

/// The name of a unit; those that exist once per login or per call share one.
fn unit_name<'p>(part: &'p str, kind: &str) -> Cow<'p, str> {
    let stem = part.strip_suffix(kind).unwrap_or(part);
    if kind == ".service" && stem.starts_with("user@") {
        return stem.into();
    }
    if kind == ".scope" && stem.starts_with("session-") {
        return "session".into();
    }
    // systemd-run without --unit: run-u12, run-r0123abcd, run-p12-i34, before that run-1234.
    let serial = |rest: &str| {
        let digits = rest.trim_start_matches(['u', 'r', 'p']);
        let known = |byte: u8| byte.is_ascii_hexdigit() || b"-i".contains(&byte);
        digits.starts_with(|digit: char| digit.is_ascii_hexdigit()) && digits.bytes().all(known)
    };
    match stem.strip_prefix("run-") {
        Some(rest) if serial(rest) => format!("run{kind}").into(),
        _ => part.into(),
    }
}

/// Undoes the escapes of unit names (`\x2d` is `-`).
fn unescape(name: &str) -> Cow<'_, str> {
    if !name.contains("\\x") {
        return name.into();
    }
    let mut plain = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = after
            .strip_prefix(b"x")
            .and_then(|hex| std::str::from_utf8(hex.get(..2)?).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match code {
            Some(code) if byte == b'\\' => {
                plain.push(code);
                rest = after.get(3..).unwrap_or_default();
            }
            _ => {
                plain.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned().into()
}

#[cfg(test)]
#[path = "shape_tests.rs"]
mod tests;
