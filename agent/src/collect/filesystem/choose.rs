//! Which mounts are looked at: each filesystem once, none that another mount hides.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    kind::{Kind, below, kind},
    mounts::Mount,
};

/// A mount to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    /// The mount.
    pub mount: Mount,
    /// It may hang, or lies behind one that may.
    pub remote: bool,
    /// The nearest mount on the way to it that may hang.
    pub behind: Option<u32>,
}

/// The mounts by their numbers and by what they are mounted in.
struct Tree<'a> {
    by_id: FxHashMap<u32, &'a Mount>,
    inside: FxHashMap<u32, Vec<&'a Mount>>,
}

/// Chooses, at most `most`, in the order of the table. Also says how many were left out for that.
pub(super) fn choose(mounts: &[Mount], most: usize) -> (Vec<Chosen>, u64) {
    let tree = Tree::new(mounts);
    let mut chosen: Vec<Chosen> = Vec::new();
    for mount in mounts {
        let kind = kind(&mount.fstype, &mount.mountpoint);
        if kind == Kind::Skip || tree.hidden(mount) {
            continue;
        }
        let behind = tree.behind(mount);
        let candidate = Chosen {
            mount: mount.clone(),
            remote: kind == Kind::Remote || behind.is_some(),
            behind,
        };
        let same = |other: &&mut Chosen| other.mount.dev == mount.dev;
        match chosen.iter_mut().find(same) {
            Some(other) if candidate.rank() < other.rank() => *other = candidate,
            Some(_) => {}
            None => chosen.push(candidate),
        }
    }
    let left_out = chosen.len().saturating_sub(most) as u64;
    chosen.truncate(most);
    (chosen, left_out)
}

impl Chosen {
    /// Of several mounts of one filesystem the lowest is taken: one that can be asked directly,
    /// that shows all of it, with the shortest name.
    fn rank(&self) -> (bool, bool, bool, usize, u32) {
        let mount = &self.mount;
        (
            self.remote,
            !mount.whole,
            mount.read_only,
            mount.mountpoint.len(),
            mount.id,
        )
    }
}

impl<'a> Tree<'a> {
    fn new(mounts: &'a [Mount]) -> Self {
        let mut inside: FxHashMap<u32, Vec<&Mount>> = FxHashMap::default();
        for mount in mounts.iter().filter(|mount| mount.parent != mount.id) {
            inside.entry(mount.parent).or_default().push(mount);
        }
        Self {
            by_id: mounts.iter().map(|mount| (mount.id, mount)).collect(),
            inside,
        }
    }

    /// The mounts on the way to `mount`, nearest first.
    fn ancestors(&self, mount: &'a Mount) -> impl Iterator<Item = &'a Mount> {
        let mut seen = FxHashSet::default();
        let mut at = mount;
        std::iter::from_fn(move || {
            seen.insert(at.id);
            at = self.by_id.get(&at.parent)?;
            (!seen.contains(&at.id)).then_some(at)
        })
    }

    /// Whether its mount point leads elsewhere: something else is mounted on it, or later on a
    /// directory above it.
    fn hidden(&self, mount: &'a Mount) -> bool {
        let inside = |id: u32| self.inside.get(&id).into_iter().flatten();
        if inside(mount.id).any(|other| other.path == mount.path) {
            return true;
        }
        let mut way = std::iter::once(mount).chain(self.ancestors(mount));
        way.any(|step| {
            inside(step.parent)
                .any(|other| other.path != step.path && below(&step.mountpoint, &other.mountpoint))
        })
    }

    /// The nearest mount on its way that may hang, or that mounts when touched. The root is no
    /// such one: if it hangs, so does everybody.
    fn behind(&self, mount: &'a Mount) -> Option<u32> {
        let mut way = self.ancestors(mount);
        let found = way.find(|step| {
            &*step.mountpoint != "/"
                && (&*step.fstype == "autofs"
                    || kind(&step.fstype, &step.mountpoint) == Kind::Remote)
        });
        found.map(|step| step.id)
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::{super::mounts::parse, *};

    fn chosen(text: &str) -> Vec<(String, bool, Option<u32>)> {
        let (chosen, left_out) = choose(&parse(text.as_bytes()), 100);
        assert_eq!(left_out, 0);
        let parts = |one: &Chosen| (one.mount.mountpoint.to_string(), one.remote, one.behind);
        chosen.iter().map(parts).collect()
    }

    fn direct(mountpoint: &str) -> (String, bool, Option<u32>) {
        (mountpoint.to_owned(), false, None)
    }

    #[test]
    fn each_filesystem_once_where_most_of_it_shows() {
        let text = "\
            27 1 254:0 / / rw - ext4 /dev/vda rw\n\
            22 27 0:21 / /proc rw - proc proc rw\n\
            42 27 254:0 /run/netns /run/netns rw - ext4 /dev/vda rw\n\
            50 27 8:1 /data /a rw - xfs /dev/sda1 rw\n\
            51 27 8:1 / /srv/data rw - xfs /dev/sda1 rw\n\
            52 27 8:1 / /backup/of/data rw - xfs /dev/sda1 rw\n";
        assert_eq!(chosen(text), [direct("/"), direct("/srv/data")]);
    }

    #[test]
    fn what_is_hidden_is_left_alone() {
        let text = "\
            27 1 254:0 / / rw - ext4 /dev/vda rw\n\
            25 27 0:23 / /shm rw - tmpfs below rw\n\
            30 25 0:27 / /shm rw - tmpfs above rw\n\
            60 27 8:1 / /a/b rw - xfs /dev/sda1 rw\n\
            61 27 8:2 / /a rw - xfs /dev/sdb1 rw\n\
            62 60 8:3 / /a/b/c rw - xfs /dev/sdc1 rw\n\
            63 61 8:4 / /a/b rw - xfs /dev/sdd1 rw\n";
        let (found, _) = choose(&parse(text.as_bytes()), 100);
        let sources: Vec<_> = found.iter().map(|one| &*one.mount.source).collect();
        assert_eq!(sources, ["/dev/vda", "above", "/dev/sdb1", "/dev/sdd1"]);
    }

    #[test]
    fn the_real_root_may_be_younger_than_what_it_holds() {
        let text = "\
            20 30 0:20 / /run rw - tmpfs tmpfs rw\n\
            30 1 8:1 / / rw - ext4 /dev/sda1 rw\n";
        assert_eq!(chosen(text), [direct("/run"), direct("/")]);
    }

    #[test]
    fn what_lies_behind_a_remote_one_is_as_risky() {
        let text = "\
            27 1 254:0 / / rw - ext4 /dev/vda rw\n\
            40 27 0:40 / /net rw - autofs map rw\n\
            41 40 0:41 / /net/far rw - nfs4 far:/ rw\n\
            42 41 8:1 / /net/far/disk rw - ext4 /dev/sda1 rw\n\
            43 27 0:43 / /home rw - fuse.sshfs far: rw\n";
        assert_eq!(
            chosen(text),
            [
                direct("/"),
                ("/net/far".to_owned(), true, Some(40)),
                ("/net/far/disk".to_owned(), true, Some(41)),
                ("/home".to_owned(), true, None),
            ]
        );
    }

    #[test]
    fn bounded() {
        let text: String = (0..50)
            .map(|n| format!("{} 1 8:{n} / /m{n} rw - ext4 /dev/x rw\n", 100 + n))
            .collect();
        let (found, left_out) = choose(&parse(text.as_bytes()), 10);
        assert_eq!((found.len(), left_out), (10, 40));
        assert_eq!(&*found[0].mount.mountpoint, "/m0");
    }
}
